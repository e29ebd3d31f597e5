"""Class names as people write them become slugs; what cannot is said."""

from __future__ import annotations

import pytest

from edge_agent.errors import BadData
from edge_agent.learning.label import slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("scratch", "scratch"),
        ("Scratch", "scratch"),
        ("  deep Scratch! ", "deep_scratch"),
        ("Größe 3", "grosse_3"),
        ("Kratzer / Öl", "kratzer_ol"),
        ("éraflure", "eraflure"),
        ("e\N{COMBINING ACUTE ACCENT}raflure", "eraflure"),
        ("Płytka łuszcząca", "plytka_luszczaca"),
        ("Kjørt Æble", "kjort_aeble"),
        ("ÇİZİK", "cizik"),
        ("ﬁssure №1", "fissure_no1"),
        ("_kept__as_it_is_", "_kept__as_it_is_"),
        ("a" * 40, "a" * 40),
    ],
)
def test_a_name_gives_its_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug
    assert slug_of(slug) == slug


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "0 letters"),
        ("!?", "0 letters"),
        ("划痕 A", "not Latin: 划 痕"),
        ("царапина", "not Latin"),
        ("a" * 41, "41 letters"),
        ("x" * 81, "at most 80"),
        ("a\0b" * 30, "at most 80"),
        ("scr\natch", "line breaks"),
        ("scr\x1b[2Jatch", "move the cursor"),
        ("scr\u2028atch", "line breaks"),
    ],
)
def test_what_is_no_name_is_refused_in_words(name: str, reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        slug_of(name)
