"""Few-shot episodes: all classes are taught a few examples each, then asked about what cannot show the same thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from edge_agent.errors import BadData
from edge_agent.evaluate.conditions import Conditions
from edge_agent.evaluate.figures import Floats, Interval, interval, ratio
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.pictures import Encoded, Rows
from edge_agent.evaluate.prepared import prepared
from models import Knowledge
from models.embedding import dequantise
from models.episodes import draw_episodes
from models.head import Head, Prior

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Accuracies:
    """How often the answers were right.

    Attributes:
        accuracy: share of the tested pictures that got their own class.
        balanced_accuracy: mean over the classes of `recall`.
        recall: by class.
        confusion: pictures by class and by the class they got, over all episodes.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    recall: dict[str, Interval]
    confusion: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Evaluation(Conditions, Accuracies):
    """The figures, and what they hold for."""


def evaluate(options: EvaluateOptions, progress: Progress) -> Evaluation:
    """Evaluate a bundle on a folder.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        The figures.

    Raises:
        BadData: fewer than two classes have enough usable pictures.
        ConfigError: the bundle is refused.
    """
    with prepared(options, progress) as ready:
        pictures, names = ready.pictures, ready.names
        task = progress.add_task("episodes", total=options.episodes)
        nothing, prior = pictures.nothing, pictures.bundle.prior()
        counts = []
        for episode in draw_episodes(names, options.shots, options.episodes, options.seed):
            encoded = pictures.encoded(episode)
            head = solved(taught(nothing, encoded, range(len(names))), prior, kinds=ready.kinds)
            counts.append(confusion(head, encoded.tests, range(len(names))))
            progress.advance(task)
    figures = accuracies(sorted(names), np.stack(counts))
    return Evaluation(**vars(figures), **vars(ready.conditions(int(np.sum(counts)))))


def slug_of(i: int) -> str:
    """Give the slug under which class `i` is taught; folders may have names that are none."""
    return f"c{i:03d}"


def taught(knowledge: Knowledge, encoded: Encoded, classes: Iterable[int]) -> Knowledge:
    """Give `knowledge` with the shots of some classes."""
    for i in classes:
        for sample in encoded.shots[i]:
            knowledge = knowledge.learn(slug_of(i), sample)
    return knowledge


def solved(knowledge: Knowledge, prior: Prior, *, kinds: bool) -> Head:
    """Solve the classifier of pictures: what tells `kinds` of defects apart, or what knows good parts as well."""
    solve = knowledge.kinds if kinds else knowledge.head
    return solve(prior, ["image"], normal="")


def given(head: Head, rows: Rows, among: Sequence[int]) -> NDArray[np.intp]:
    """Give for each embedding the most probable of some classes, shape (n,)."""
    columns = [head.classes.index(slug_of(i)) for i in among]
    answers: NDArray[np.intp] = np.asarray(among)[np.argmax(head.logits(dequantise(rows))[:, columns], axis=1)]
    return answers


def confusion(head: Head, tests: Sequence[Rows], among: Sequence[int]) -> Counts:
    """Ask about the pictures of some classes; shape (classes, classes), true class by given class."""
    counts = np.zeros((len(tests), len(tests)), dtype=np.int64)
    for i in among:
        counts[i] = np.bincount(given(head, tests[i], among), minlength=len(tests))
    return counts


def recalls(counts: Counts) -> Floats:
    """Give the recall by class; NaN where nothing was asked.

    Args:
        counts: shape (episodes, classes, classes), true class by given class.

    Returns:
        Shape (episodes, classes).
    """
    return ratio(np.diagonal(counts, axis1=1, axis2=2), counts.sum(axis=2))


def over_episodes(counts: Counts) -> tuple[Interval, Interval]:
    """Give accuracy and balanced accuracy of `counts` as `recalls` takes them."""
    recall = recalls(counts)
    accuracy = ratio(np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2)))
    return interval(accuracy), interval(ratio(np.nansum(recall, axis=1), (~np.isnan(recall)).sum(axis=1)))


def accuracies(classes: Sequence[str], counts: Counts) -> Accuracies:
    """Give the figures of some episodes.

    Args:
        classes: their names, sorted.
        counts: shape (episodes, classes, classes), true class by given class.

    Returns:
        The figures.

    Raises:
        BadData: of a class nothing was asked in any episode.
    """
    tested = counts.sum(axis=(0, 2))
    if not tested.all():
        empty = ", ".join(slug for slug, count in zip(classes, tested, strict=True) if not count)
        raise BadData(f"no picture of {empty} is left to test on: all are neighbours of examples", hint="add pictures")
    recall = recalls(counts)
    accuracy, balanced_accuracy = over_episodes(counts)
    return Accuracies(
        accuracy=accuracy,
        balanced_accuracy=balanced_accuracy,
        recall={slug: interval(recall[:, i]) for i, slug in enumerate(classes)},
        confusion={
            slug: {other: int(counts[:, i, j].sum()) for j, other in enumerate(classes)}
            for i, slug in enumerate(classes)
        },
    )
