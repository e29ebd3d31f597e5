"""A look at details costs what is read of them, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from guided_world import BUNDLE
from learned_values import details

from edge_agent.inspection.look import Look, Sight
from edge_agent.records import Details, Embedding, Modality
from models.bnk import Normality
from models.guide import Guide, GuidedBundle
from models.normality import Seen
from models.tokenbank import rounded

PICTURES = [rounded(one.tokens) for seed in range(3) if (one := details(seed)).tokens is not None]
UNREADABLE = Embedding(np.ones(4, np.int16), frozenset(Modality), details=Details(np.full((4, 6), np.nan, np.float32)))


def test_tokens_that_nothing_reads_are_not_rounded() -> None:
    looked = Look(BUNDLE, None).at(UNREADABLE)
    assert looked.details is None and looked.anomaly is None


@pytest.mark.parametrize(
    "look",
    [
        Look(GuidedBundle.of(BUNDLE, Guide.of(BUNDLE, PICTURES)), None),
        Look(BUNDLE, Normality(BUNDLE.digest, Seen.of(np.stack(PICTURES), (2, 2)))),
    ],
    ids=["by a guide", "by what good parts are like"],
)
def test_tokens_that_are_read_are_checked(look: Look) -> None:
    with pytest.raises(ValueError, match="not finite"):
        look.at(UNREADABLE)


LOOKS = [
    Look(BUNDLE, None),
    Look(GuidedBundle.of(BUNDLE, Guide.of(BUNDLE, PICTURES)), None),
    Look(BUNDLE, Normality(BUNDLE.digest, Seen.of(np.stack(PICTURES), (2, 2)))),
    Look(
        GuidedBundle.of(BUNDLE, Guide.of(BUNDLE, PICTURES)),
        Normality(BUNDLE.digest, Seen.of(np.stack(PICTURES), (2, 2))),
    ),
]


def seen(seed: int) -> Embedding:
    return Embedding(np.array([3, 5, 7, 9], np.int16), frozenset(Modality), details=details(seed))


def same(one: Embedding, other: Embedding) -> bool:
    return np.array_equal(one.q, other.q) and one.anomaly == other.anomaly


def a_sight_changes_nothing(look: Look, others: Look) -> bool:
    """A picture that was looked at before says the same, and one that another state looked at is looked at anew."""
    embedding = seen(7)
    assert embedding.details is not None and embedding.details.tokens is not None
    plain = look.at(embedding)
    own, strange = look.sight(embedding.details.tokens), others.sight(seen(8).details.tokens)
    return same(look.at(embedding, own), plain) and same(look.at(embedding, strange), plain)


@pytest.mark.parametrize("look", LOOKS)
def test_a_picture_that_was_looked_at_before_says_the_same(look: Look) -> None:
    for others in LOOKS:
        if others is not look:
            assert a_sight_changes_nothing(look, others)


class Trusting(Look):
    """Wrong: takes any sight."""

    def at(self, embedding: Embedding, sight: Sight | None = None) -> Embedding:
        return super().at(embedding, None if sight is None else replace(sight, look=self))


def test_whoever_takes_the_sight_of_another_state_is_noticed() -> None:
    normality = Normality(BUNDLE.digest, Seen.of(np.stack(PICTURES), (2, 2)))
    assert not a_sight_changes_nothing(Trusting(BUNDLE, normality), LOOKS[2])


def test_a_part_of_which_the_picture_is_left_out_has_nothing_of_its_sight() -> None:
    look = LOOKS[3]
    embedding = seen(7)
    sight = look.sight(embedding.details.tokens)
    heard = replace(embedding, details=Details(None, embedding.details.features))
    assert same(look.at(heard, sight), look.at(heard))
