"""How well classes are told apart: figures from probabilities that heads gave, and what fusion is worth.

Pure numpy; it runs no model and knows no data; who was taught what is decided by those that ask for figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.castings import NORMAL

Chances = NDArray[np.float64]
"""Probability of each class for each sample that was asked about, (n, classes)."""

BOOTSTRAP: Final = 300
"""Draws that an interval comes from."""


@dataclass(frozen=True)
class Answers:
    """What a head made of the samples that it was asked about, mean over episodes.

    Attributes:
        specificity: share of good samples judged good; None where there are none.
        found: share of the samples of each faulty class judged anything but good; empty where there are no good ones.
        named: share of the samples of each class given their own class.
        separation: macro AUROC, each class by its probability against all others.
    """

    specificity: float | None
    found: dict[str, float]
    named: dict[str, float]
    separation: float

    @property
    def balanced(self) -> float:
        """Balanced accuracy."""
        return float(np.mean([*self.named.values()]))


@dataclass(frozen=True)
class Gain:
    """What both modalities together are worth against the better one of them.

    Attributes:
        single: place of the better modality among the single ones.
        difference: of the macro AUROC.
        low: of the middle 95 % over bootstrap draws of the things that were asked about.
        high: the same.
    """

    single: int
    difference: float
    low: float
    high: float


def auroc(normal: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Give the chance that one of `other` scores higher than one of `normal`; ties count half."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, other, "left") + np.searchsorted(ordered, other, "right")
    return float(below.mean() / 2 / len(normal))


def macro_auroc(chances: Chances, truths: NDArray[np.str_], classes: Sequence[str]) -> float:
    """Give the mean over the classes of the AUROC of their probability against all other samples.

    Args:
        chances: a column for each class.
        truths: class of each sample, (n,); of two classes at least.
        classes: slugs; those that no sample is of do not count.

    Returns:
        0 to 1; 0.5 is chance.
    """
    each = [
        auroc(chances[truths != slug, i], chances[truths == slug, i])
        for i, slug in enumerate(classes)
        if (truths == slug).any()
    ]
    return float(np.mean(each))


def answers(episodes: Sequence[Chances], truths: NDArray[np.str_], classes: Sequence[str]) -> Answers:
    """Judge the probabilities of several episodes.

    Args:
        episodes: of each, after its own examples.
        truths: class of each sample, (n,).
        classes: slugs, one for each column; every one has samples.

    Returns:
        The figures, mean over the episodes.
    """
    stopped, named = [], []
    for chances in episodes:
        said = np.array(classes)[chances.argmax(axis=1)]
        stopped.append([(said[truths == slug] != NORMAL).mean() for slug in classes])
        named.append([(said[truths == slug] == slug).mean() for slug in classes])
    found = dict(zip(classes, np.mean(stopped, axis=0).tolist(), strict=True))
    alarms = found.pop(NORMAL, None)
    return Answers(
        specificity=None if alarms is None else 1.0 - alarms,
        found={} if alarms is None else found,
        named=dict(zip(classes, np.mean(named, axis=0).tolist(), strict=True)),
        separation=float(np.mean([macro_auroc(chances, truths, classes) for chances in episodes])),
    )


def gain(
    fused: Sequence[Chances],
    singles: Sequence[Sequence[Chances]],
    truths: NDArray[np.str_],
    classes: Sequence[str],
    things: NDArray[np.generic],
) -> Gain:
    """Compare both modalities with the better one, after the same examples.

    Samples of one thing are alike, so whole things are drawn: drawn by sample, an interval is too narrow.

    Args:
        fused: probabilities of each episode, with both modalities.
        singles: the same with one modality, for each of them.
        truths: class of each sample, (n,); of two classes at least.
        classes: slugs, one for each column.
        things: which thing each sample shows, (n,).

    Returns:
        The difference and its interval.
    """
    views = (fused, *singles)
    scores = np.array(
        [
            [np.mean([macro_auroc(chances[rows], truths[rows], classes) for chances in view]) for view in views]
            for rows in [np.arange(len(truths)), *_drawn(truths, things)]
        ]
    )
    best = int(scores[0, 1:].argmax())
    differences = scores[:, 0] - scores[:, 1 + best]
    low, high = np.quantile(differences[1:], [0.025, 0.975])
    return Gain(best, float(differences[0]), float(low), float(high))


def worth(gained: Gain, views: Sequence[Sequence[str]]) -> dict[str, object]:
    """Give what is printed of a gain; `views` are both modalities, then each alone."""
    figures = gained.difference, gained.low, gained.high
    return {"fused_minus": views[1 + gained.single][0], "macro_auroc": [round(value, 4) for value in figures]}


def _drawn(truths: NDArray[np.str_], things: NDArray[np.generic]) -> list[NDArray[np.intp]]:
    """Give the rows of each bootstrap draw; one that has a single class says nothing and is drawn again."""
    if len(np.unique(truths)) < 2:
        raise ValueError("samples of one class cannot be told apart")
    rng = np.random.default_rng(0)
    rows_of = [np.flatnonzero(things == thing) for thing in np.unique(things)]
    draws: list[NDArray[np.intp]] = []
    while len(draws) < BOOTSTRAP:
        rows = np.concatenate([rows_of[i] for i in rng.integers(0, len(rows_of), len(rows_of))])
        if len(np.unique(truths[rows])) > 1:
            draws.append(rows)
    return draws
