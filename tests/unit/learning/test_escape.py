"""This one got past: its like among the passed parts is listed first, once, and with what chance would list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from proof_states import CENTRES, PRIOR, exemplar, learned, line, rows_of, several
from proof_states import part as plain

from edge_agent.errors import BadData
from edge_agent.learning import escape as module
from edge_agent.learning.escape import LISTED_SHARE, LookAlikes, look_alikes, was_passed
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.records import Action, Embedding, Modality, Outcome, Part, Verdict

HALF_SCRATCH = tuple(np.add(CENTRES["good"], (0.0, 0.0, 0.12, 0.0, 0.0, 0.0)))
"""Looks good enough to be passed: a sixth of the way to a scratch."""

NOTHING: tuple[Part, ...] = ()


def part(number: int, looks_like: str = "good", **changed: object) -> Part:
    centre = HALF_SCRATCH if looks_like == "scratch" else CENTRES[looks_like]
    seed = int.from_bytes(hashlib.sha256(f"part {number} {looks_like}".encode()).digest()[:4])
    return replace(plain(number, rows_of(centre, seed)[0]), **changed)


def blind(made: Part, *, without: Modality) -> Part:
    """The same part, seen without one modality."""
    assert made.embedding is not None
    q = made.embedding.q.copy()
    q[slice(0, 4) if without is Modality.IMAGE else slice(4, 6)] = 0
    return replace(made, embedding=Embedding(q, frozenset(Modality) - {without}))


def search(
    parts: Iterable[Part],
    escape: Part | None = None,
    taught: Iterable[Exemplar] = (),
    slug: str = "scratch",
    held_out: int = 40,
) -> LookAlikes:
    known = learned([*line(), *several("good", held_out - 12, Role.RING, start=500), *taught])
    return look_alikes(
        escape or part(900, "scratch"), slug, parts, known, PRIOR, known.calibration, normal="good", kept=("",)
    )


def shift() -> list[Part]:
    return [*(part(n) for n in range(1, 201)), *(part(n, "scratch") for n in range(201, 207))]


def numbers(found: LookAlikes) -> list[int]:
    return [one.part.id for one in found.listed]


def test_its_like_come_first_and_most_of_the_good_parts_not_at_all() -> None:
    found = search(shift())

    assert set(numbers(found)[:6]) == set(range(201, 207))
    assert found.compared == 206
    assert [one.score for one in found.listed] == sorted((one.score for one in found.listed), reverse=True)
    assert all(one.is_listed and one.chance is not None and one.chance <= LISTED_SHARE for one in found.listed)
    assert 6 <= len(found.listed) <= found.won < 40


def test_the_order_in_which_parts_come_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = search(shift())
    monkeypatch.setattr(module, "BATCH", 7)
    parts = shift()
    parts = [parts[i] for i in np.random.default_rng(1).permutation(len(parts))]

    assert numbers(search(parts)) == numbers(straight)


@pytest.mark.parametrize("taught_as", ["scratch", "good"])
def test_an_escape_that_was_taught_counts_once_and_as_what_it_is(
    taught_as: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    got_past = part(900, "scratch")
    assert got_past.embedding is not None
    rows = got_past.embedding.q[np.newaxis]
    again = exemplar(taught_as, 77, rows=rows, source="part 900")
    others = several("scratch", 3)
    fresh = search(shift(), got_past, others)

    def scores() -> list[float]:
        return [one.score for one in search(shift(), got_past, [*others, again]).listed]

    assert scores() == pytest.approx([one.score for one in fresh.listed], rel=1e-9)
    assert search(shift(), got_past, [*others, again]).taught_as == (taught_as,)
    assert fresh.taught_as == ()
    monkeypatch.setattr(module, "_is_of", lambda exemplar, part, q: False)  # counts it twice, or as two things
    assert scores() != pytest.approx([one.score for one in fresh.listed], rel=1e-3)


def test_what_was_embedded_again_is_known_by_its_source() -> None:
    got_past = part(900, "scratch")
    again = exemplar("scratch", 77, rows=rows_of(HALF_SCRATCH, 5)[:1], source="part 900")

    assert search(shift(), got_past, [again]).taught_as == ("scratch",)


def test_the_escape_is_neither_listed_nor_held_out() -> None:
    got_past = part(900, "scratch")
    assert got_past.embedding is not None
    ring = exemplar("good", 78, Role.RING, rows=got_past.embedding.q[np.newaxis])
    found = search([*shift(), got_past], got_past, [ring])

    assert 900 not in numbers(found)
    assert found.held_out == 40
    assert numbers(found) == numbers(search(shift(), got_past))


STOPPED = {
    "NG": {"verdict": Verdict(Outcome.NG, "pit")},
    "rejected": {"action": Action.REJECT},
    "named": {"operator_label": "scratch"},
}


@pytest.mark.parametrize("how", STOPPED)
def test_what_was_stopped_is_not_searched(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = [part(n, "scratch", **STOPPED[how]) for n in range(300, 320)]
    found = search([*shift(), *stopped])

    assert not set(numbers(found)) & {made.id for made in stopped}
    assert found.compared == 206
    monkeypatch.setattr(module, "was_passed", lambda part, normal: True)  # as if nothing were ever stopped
    wrong = search([*shift(), *stopped])
    assert set(numbers(wrong)) & {made.id for made in stopped}
    assert wrong.compared == 226


@pytest.mark.parametrize(
    ("changed", "passed"),
    [
        ({}, True),
        ({"verdict": Verdict(Outcome.NG)}, False),
        ({"verdict": Verdict(Outcome.UNSURE)}, False),
        ({"verdict": Verdict(Outcome.MISSED)}, False),
        ({"verdict": Verdict(Outcome.UNSURE), "action": Action.PASS}, True),
        ({"action": Action.REJECT}, False),
        ({"verdict": Verdict(Outcome.NG), "action": Action.REJECT, "operator_label": "good"}, True),
        ({"action": Action.PASS, "operator_label": "pit"}, False),
    ],
)
def test_a_part_was_passed_by_word_by_gate_or_by_answer(changed: dict[str, object], passed: bool) -> None:
    assert was_passed(part(1, **changed), "good") is passed


def listed_of_good_parts() -> float:
    """The share of a shift of good parts that is listed, where what got past is hardly anything."""
    shares = []
    for start in range(0, 4000, 400):
        found = search([part(start + n) for n in range(1, 101)], part(start + 300))
        shares.append(sum(one.is_listed for one in found.listed) / found.compared)
    return float(np.mean(shares))


def test_of_good_parts_no_more_are_listed_than_chance_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0.0 < listed_of_good_parts() < 1.5 * LISTED_SHARE
    monkeypatch.setattr(module, "LISTED_SHARE", 1.0)  # where the class alone ends the list
    assert listed_of_good_parts() > 3.0 * LISTED_SHARE


def test_what_chance_would_list_is_said() -> None:
    found = search(shift())
    known = learned([*line(), *several("good", 28, Role.RING, start=500)])
    assert found.held_out == len(known.calibration) == 40

    assert found.by_chance == pytest.approx(206 * (1 + found.as_alike) / 41)
    assert search(shift(), held_out=12).by_chance == pytest.approx(206 / 13, rel=1e-9)


def test_without_held_out_parts_nobody_can_say_and_the_class_ends_the_list() -> None:
    known = learned([*several("good", 12), *several("pit", 4)])
    found = look_alikes(part(900, "scratch"), "scratch", shift(), known, PRIOR, known.calibration, normal="good")

    assert found.by_chance is None
    assert found.listed[0].chance is None
    assert len(found.listed) == found.won > 6


def test_good_parts_that_were_taught_and_look_like_it_are_named() -> None:
    wrong = exemplar("good", 79, Role.RING, rows=rows_of(HALF_SCRATCH, 901)[:1])
    found = search(shift(), taught=[wrong])

    assert found.doubtful[0].id == wrong.id
    assert len(found.doubtful) <= 1 + found.as_alike


def test_five_are_shown_even_where_none_is_alike_and_never_more_than_the_list_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = search([part(n, "pit") for n in range(1, 20)], held_out=40)
    assert [one.is_listed for one in few.listed] == [False] * 5
    assert few.won == 0
    monkeypatch.setattr(module, "MAX_LISTED", 8)
    many = search([part(n, "scratch") for n in range(1, 60)])
    assert len(many.listed) == 8
    assert many.won > 30


def test_parts_are_compared_by_what_both_were_seen_by() -> None:
    seen = [blind(part(n, "scratch"), without=Modality.VIBRATION) for n in range(300, 304)]
    felt = [blind(part(n), without=Modality.IMAGE) for n in range(310, 313)]
    whole = search([*shift(), *seen, *felt])
    pictured = search([*shift(), *seen, *felt], blind(part(900, "scratch"), without=Modality.VIBRATION))

    assert set(numbers(whole)[:10]) == {*range(201, 207), *range(300, 304)}
    assert (whole.compared, whole.apart) == (213, 0)
    assert (pictured.compared, pictured.apart) == (210, 3)
    assert whole.by_chance is not None and pictured.by_chance is not None


def test_what_cannot_be_compared_is_counted() -> None:
    nothing = {"embedding": None}
    odd = [
        part(300, **nothing),
        part(301, **nothing, verdict=Verdict(Outcome.MISSED)),
        part(302, **nothing, verdict=Verdict(Outcome.UNSURE)),
        part(303, embedding=Embedding(np.ones(9, np.int16), frozenset(Modality))),
        part(304, recipe="another"),
        part(305, knowledge="1" * 64),
    ]
    found = search([*shift(), *odd])

    assert (found.compared, found.unseen, found.apart, found.uncertain) == (207, 2, 1, 1)


def test_nothing_passed_is_an_empty_list() -> None:
    found = search(NOTHING)

    assert (found.listed, found.compared, found.by_chance) == ((), 0, None)


@pytest.mark.parametrize(
    ("escape", "slug", "reason"),
    [
        (part(900, embedding=None), "scratch", "nothing of it is stored"),
        (part(900), "good", "good is no defect"),
        (part(900, embedding=Embedding(np.ones(9, np.int16), frozenset(Modality))), "scratch", "another bundle"),
    ],
)
def test_what_is_no_escape_is_refused(escape: Part, slug: str, reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        search(shift(), escape, slug=slug)
