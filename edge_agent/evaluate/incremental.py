"""Classes that come one after the other: how good the answers stay, and what was forgotten.

What is known is a sum, so nothing is forgotten by construction: at the end the knowledge has the very bytes that
teaching everything at once, in another order, gives. The answers may still change, for two reasons that are told apart:
more classes make the question harder; and the classes share one covariance and one centre, which every class moves.

Two drops are measured of each class, from its recall R(i, i) when it came as the i-th of T:

- *drop*: R(i, i) - R(T, i) on the same pictures, averaged over i = 1 .. T - 1. This is the backward transfer of
  Lopez-Paz and Ranzato (Gradient Episodic Memory, NeurIPS 2017, section 2) with the sign turned, so that forgetting
  is positive. It includes that more classes make the question harder; the first class was alone and has R(1, 1) = 1.
- *drop at the same question*: the same with the knowledge at the end asked among those classes only that were known
  when the class came; averaged over i = 2 .. T - 1, since among one class there is no question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rich.progress import Progress

from edge_agent.evaluate.conditions import Conditions
from edge_agent.evaluate.figures import Interval, interval, mean
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.pictures import Encoded
from edge_agent.evaluate.prepared import prepared
from edge_agent.evaluate.shots import (
    Accuracies,
    Counts,
    accuracies,
    confusion,
    given,
    over_episodes,
    recalls,
    slug_of,
    solved,
    taught,
)
from models import Knowledge
from models.episodes import draw_episodes
from models.head import Prior

ORDER: Final = 1
"""Names the draw of the order of arrival beside that of the examples, which has the same seed."""


@dataclass(frozen=True)
class Arrival:
    """After one class more: all classes known by then, asked about.

    Attributes:
        classes: known by then.
        accuracy: share of the tested pictures that got their own class.
        balanced_accuracy: mean over the classes of their recall.
    """

    classes: int
    accuracy: Interval
    balanced_accuracy: Interval


@dataclass(frozen=True)
class Forgetting:
    """What the classes lost from their arrival to the end.

    Attributes:
        drop: of the recall, among all classes known at the time (minus the backward transfer).
        drop_same_question: of the recall, among the classes known when the class came.
        lost: answers at the same question that were right and became wrong, over all episodes.
        gained: answers at the same question that were wrong and became right, over all episodes.
        asked: answers at the same question, over all episodes.
    """

    drop: Interval
    drop_same_question: Interval
    lost: int
    gained: int
    asked: int


@dataclass(frozen=True)
class Increments(Accuracies):
    """How good the answers are at the end, and how it came to that.

    Attributes:
        arrivals: after each class.
        forgetting: what the classes lost.
        identical_bytes: at the end of every episode the knowledge is that of teaching all at once in another order.
    """

    arrivals: tuple[Arrival, ...]
    forgetting: Forgetting
    identical_bytes: bool


@dataclass(frozen=True)
class IncrementalEvaluation(Conditions, Increments):
    """The figures, and what they hold for."""


@dataclass(frozen=True, eq=False)
class Course:
    """One episode.

    Attributes:
        counts: after each arrival, true class by given class, shape (T, classes, classes).
        drop: mean over all classes but the last.
        drop_same_question: mean over all classes but the first and the last.
        lost: answers at the same question that were right and became wrong.
        gained: answers at the same question that were wrong and became right.
        asked: answers at the same question.
        identical: teaching everything at once in another order gives the same bytes.
    """

    counts: Counts
    drop: float
    drop_same_question: float
    lost: int
    gained: int
    asked: int
    identical: bool


def evaluate_incremental(options: EvaluateOptions, progress: Progress) -> IncrementalEvaluation:
    """Evaluate a bundle on a folder whose classes come one after the other.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        The figures.

    Raises:
        BadData: fewer than three classes have enough usable pictures.
        ConfigError: the bundle is refused.
    """
    with prepared(options, progress) as ready:
        pictures, names = ready.pictures, ready.names
        task = progress.add_task("episodes", total=options.episodes)
        nothing, prior = pictures.nothing, pictures.bundle.prior()
        courses = []
        for number, episode in enumerate(draw_episodes(names, options.shots, options.episodes, options.seed)):
            order = np.random.default_rng((options.seed, number, ORDER)).permutation(len(names))
            courses.append(course(pictures.encoded(episode), order.tolist(), nothing, prior, kinds=ready.kinds))
            progress.advance(task)
    figures = increments(sorted(names), courses)
    tested = sum(int(one.counts[-1].sum()) for one in courses)
    return IncrementalEvaluation(**vars(figures), **vars(ready.conditions(tested)))


def course(encoded: Encoded, order: Sequence[int], nothing: Knowledge, prior: Prior, *, kinds: bool) -> Course:
    """Teach the classes one after the other, and ask after each.

    Args:
        encoded: embeddings of the examples and of what is asked about.
        order: the classes as they come.
        nothing: knowledge of nothing.
        prior: of the bundle.
        kinds: all classes are kinds of defects, none is that of good parts.

    Returns:
        What was right, and what was forgotten.
    """
    knowledge, counts, then = nothing, [], []
    known = [sorted(order[: at + 1]) for at in range(len(order))]
    for i, among in zip(order, known, strict=True):
        knowledge = taught(knowledge, encoded, [i])
        head = solved(knowledge, prior, kinds=kinds)
        counts.append(confusion(head, encoded.tests, among))
        then.append(given(head, encoded.tests[i], among) == i)
    now = [given(head, encoded.tests[i], among) == i for i, among in zip(order, known, strict=True)]
    recall = recalls(np.stack(counts))
    pairs = list(zip(then, now, strict=True))[1:-1]
    return Course(
        counts=np.stack(counts),
        drop=mean(recall[range(len(order)), order][:-1] - recall[-1, order][:-1]),
        drop_same_question=mean(np.array([mean(before) - mean(after) for before, after in pairs])),
        lost=sum(int((before & ~after).sum()) for before, after in pairs),
        gained=sum(int((~before & after).sum()) for before, after in pairs),
        asked=sum(map(len, then[1:-1])),
        identical=knowledge.to_bytes() == taught_backwards(encoded, order, nothing).to_bytes(),
    )


def taught_backwards(encoded: Encoded, order: Sequence[int], nothing: Knowledge) -> Knowledge:
    """Teach everything at once: the last example of the last class first."""
    for i in reversed(order):
        for sample in reversed(encoded.shots[i]):
            nothing = nothing.learn(slug_of(i), sample)
    return nothing


def increments(classes: Sequence[str], courses: Sequence[Course]) -> Increments:
    """Give the figures of some episodes; `classes` are the names, sorted."""
    counts = np.stack([one.counts for one in courses])
    return Increments(
        **vars(accuracies(classes, counts[:, -1])),
        arrivals=tuple(Arrival(t + 1, *over_episodes(counts[:, t])) for t in range(len(classes))),
        forgetting=Forgetting(
            drop=interval(np.array([one.drop for one in courses])),
            drop_same_question=interval(np.array([one.drop_same_question for one in courses])),
            lost=sum(one.lost for one in courses),
            gained=sum(one.gained for one in courses),
            asked=sum(one.asked for one in courses),
        ),
        identical_bytes=all(one.identical for one in courses),
    )
