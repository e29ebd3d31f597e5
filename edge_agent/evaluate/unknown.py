"""The open set: some classes are never taught, and their pictures are asked about among pictures of known ones.

The score of a picture is its squared Mahalanobis distance to the nearest known class: the larger, the less it is any
of them. Whether unknown pictures score higher than known ones is the AUROC, which needs no limit. A limit is set from
one half of the held-out known pictures, so that few of their kind exceed it, and tried on the other half and on the
unknown: never on what set it. The halves are runs of consecutive numbers, and what could show the same scene as a
picture of the first half is not asked about in the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.progress import Progress

from edge_agent.errors import BadData
from edge_agent.evaluate.conditions import Conditions
from edge_agent.evaluate.figures import Floats, Interval, auroc, conformal_limit, interval
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.pictures import Pictures, Rows
from edge_agent.evaluate.prepared import prepared
from edge_agent.evaluate.shots import taught
from edge_agent.proportion import Proportion, exact
from models.embedding import dequantise
from models.episodes import Episode, consecutive, draw_episodes
from models.head import Head

RATES: Final = (0.01, 0.05)
"""Shares of the known pictures that may be called unknown."""

HALVES: Final = 2
"""Names the draw of the halves beside that of the examples, which has the same seed."""


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one episode, each of shape (n,).

    Attributes:
        calibration: of the known pictures that set the limits.
        known: of the known pictures that the limits are tried on.
        unknown: by unknown class.
    """

    calibration: Floats
    known: Floats
    unknown: Mapping[str, Floats]


@dataclass(frozen=True)
class OpenSet:
    """How well a class is recognised as none of the known ones.

    Attributes:
        auroc: probability that a picture of it scores higher than a held-out picture of a known class.
        calibrated_on: known pictures that set the limits, in the episode with the fewest.
        recall_at_fpr: by the share of known pictures that may be called unknown: pictures of the class that were, over
            all episodes; None where too few known pictures are there to set such a limit.
        fpr: by the same shares: known pictures that were called unknown, over all episodes.
    """

    auroc: Interval
    calibrated_on: int
    recall_at_fpr: dict[str, Proportion | None]
    fpr: dict[str, Proportion | None]


@dataclass(frozen=True)
class OpenSets:
    """The figures.

    Attributes:
        unknown: by unknown class.
        in_turn: each was unknown while the others were known, and not all at the same time.
    """

    unknown: dict[str, OpenSet]
    in_turn: bool


@dataclass(frozen=True)
class UnknownEvaluation(Conditions, OpenSets):
    """The figures, and what they hold for."""


def evaluate_unknown(options: EvaluateOptions, progress: Progress) -> UnknownEvaluation:
    """Evaluate on a folder how a bundle tells classes that were never taught from known ones.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        The figures.

    Raises:
        BadData: an unknown class is not there, or too few pictures are.
        ConfigError: the bundle is refused.
    """
    with prepared(options, progress) as ready:
        pictures, names = ready.pictures, ready.names
        rounds = options.rounds(names)
        task = progress.add_task("episodes", total=options.episodes * len(rounds))
        found: dict[str, OpenSet] = {}
        tested = 0
        for unknown in rounds:
            known = {slug: of_class for slug, of_class in names.items() if slug not in unknown}
            asked = {slug: pictures.rows(slug, names[slug]) for slug in unknown}
            episodes = []
            for number, episode in enumerate(draw_episodes(known, options.shots, options.episodes, options.seed)):
                rng = np.random.default_rng((options.seed, number, HALVES))
                episodes.append(scores(pictures, episode, asked, rng))
                progress.advance(task)
            found |= open_sets(episodes)
            tested += sum(len(one.known) + sum(map(len, one.unknown.values())) for one in episodes)
    figures = OpenSets(dict(sorted(found.items())), options.each_in_turn)
    return UnknownEvaluation(**vars(figures), **vars(ready.conditions(tested)))


def scores(pictures: Pictures, episode: Episode, asked: Mapping[str, Rows], rng: np.random.Generator) -> Scores:
    """Teach the known classes of an episode and ask about everything.

    Args:
        pictures: embeds them.
        episode: of the known classes.
        asked: embeddings of the pictures of each unknown class, shape (n, d).
        rng: draws the halves.

    Returns:
        The scores.
    """
    knowledge = taught(pictures.nothing, pictures.encoded(episode), range(len(episode.shots)))
    head = knowledge.head(pictures.bundle.prior(), ["image"], normal="")
    split = {slug: halves(names, rng) for slug, names in episode.tests.items()}
    calibration, known = (
        np.concatenate([score(head, pictures.rows(slug, half[side])) for slug, half in split.items()])
        for side in (0, 1)
    )
    return Scores(calibration, known, {slug: score(head, rows) for slug, rows in asked.items()})


def score(head: Head, rows: Rows) -> Floats:
    """Give how far embeddings are from every class that the head knows, shape (n,)."""
    farness: Floats = head.distances(dequantise(rows)).min(axis=1)
    return farness


def halves(names: Sequence[str], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Cut the pictures of a class in two.

    Args:
        names: of the pictures.
        rng: says where the cut begins.

    Returns:
        Those that set a limit, one run of consecutive numbers where the last is followed by the first; and those of
        the others that are no neighbour of one.
    """
    return consecutive(names, int(rng.integers(len(names) + 1)), len(names) // 2)


def open_sets(episodes: Sequence[Scores]) -> dict[str, OpenSet]:
    """Give the figures of the unknown classes of some episodes.

    Args:
        episodes: their scores, all with the same unknown classes.

    Returns:
        The figures by class.

    Raises:
        BadData: no known picture is left to ask about.
    """
    if not sum(len(one.known) for one in episodes):
        raise BadData("no known picture is left to ask: all are neighbours of examples", hint="add pictures")
    limits = {str(rate): [conformal_limit(one.calibration, rate) for one in episodes] for rate in RATES}
    fpr = {rate: beyond([one.known for one in episodes], limit) for rate, limit in limits.items()}
    figures = {}
    for slug in episodes[0].unknown:
        unknown = [one.unknown[slug] for one in episodes]
        held_out = [np.concatenate([one.calibration, one.known]) for one in episodes]
        figures[slug] = OpenSet(
            auroc=interval(np.array([auroc(low, high) for low, high in zip(held_out, unknown, strict=True)])),
            calibrated_on=min(len(one.calibration) for one in episodes),
            recall_at_fpr={rate: beyond(unknown, limit) for rate, limit in limits.items()},
            fpr=fpr,
        )
    return figures


def beyond(scored: Sequence[Floats], limits: Sequence[float | None]) -> Proportion | None:
    """Count what is above its episode's limit; None where an episode could set none."""
    count = 0
    for one, limit in zip(scored, limits, strict=True):
        if limit is None:
            return None
        count += int((one > limit).sum())
    return exact(count, sum(map(len, scored)))
