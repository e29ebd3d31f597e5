"""Forgetting is measured on the same question, and the bytes at the end do not depend on the order."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Self

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.evaluate.incremental import Course, course, increments
from edge_agent.evaluate.pictures import Encoded
from edge_agent.evaluate.prepared import Prepared
from edge_agent.evaluate.shots import accuracies
from edge_agent.testing.clock import ManualClock
from models import Knowledge
from models.embedding import assemble, dequantise, quantise
from models.head import Head, Prior
from models.manifest import Block

D, CLASSES, SHOTS, TESTS = 6, 5, 3, 40
BLOCKS = (Block("image", 0, D, 1.0, "a"),)
PRIOR = Prior(np.diag([0.05, 0.02, 0.05, 0.02, 0.05, 0.02]), 4.0)
NOTHING = Knowledge.empty("steel", "0" * 64, BLOCKS)
ORDER = (3, 0, 4, 1, 2)


def embedded(values: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.stack([quantise(assemble(BLOCKS, {"image": value})) for value in values])


def episode(seed: int = 9, tests: int = TESTS) -> Encoded:
    """Classes that overlap and have spreads of their own, so that each moves the covariance they share."""
    rng = np.random.default_rng(seed)
    shots, asked = [], []
    for _ in range(CLASSES):
        centre, spread = 1.0 + 0.5 * rng.normal(size=D), rng.uniform(0.1, 0.9, D)
        shots.append(tuple(embedded(centre + spread * rng.normal(size=(2, D))) for _ in range(SHOTS)))
        asked.append(embedded(centre + spread * rng.normal(size=(tests, D))))
    return Encoded(tuple(shots), tuple(asked))


def head_of(data: Encoded, classes: tuple[int, ...]) -> Head:
    knowledge = NOTHING
    for i in classes:
        for sample in data.shots[i]:
            knowledge = knowledge.learn(f"c{i:03d}", sample)
    return knowledge.kinds(PRIOR, normal="")


def recall(head: Head, data: Encoded, i: int, among: tuple[int, ...]) -> float:
    """Of the pictures of class `i`, how many are nearer to it than to any other of `among`; one picture at a time."""
    right = 0
    for row in data.tests[i]:
        logits = dict(zip(head.classes, head.logits(dequantise(row)), strict=True))
        right += max(among, key=lambda j: logits[f"c{j:03d}"]) == i
    return right / len(data.tests[i])


def at_arrival(data: Encoded, t: int) -> float:
    return recall(head_of(data, ORDER[: t + 1]), data, ORDER[t], ORDER[: t + 1])


def among_all(data: Encoded, t: int) -> float:
    return recall(head_of(data, ORDER), data, ORDER[t], ORDER)


def among_those_known_then(data: Encoded, t: int) -> float:
    return recall(head_of(data, ORDER), data, ORDER[t], ORDER[: t + 1])


def by_the_knowledge_of_then(data: Encoded, t: int) -> float:
    return at_arrival(data, t)


def lost(data: Encoded, at_the_end: Callable[[Encoded, int], float], first: int) -> float:
    return float(np.mean([at_arrival(data, t) - at_the_end(data, t) for t in range(first, CLASSES - 1)]))


def test_the_drop_is_minus_the_backward_transfer() -> None:
    data = episode()

    assert course(data, ORDER, NOTHING, PRIOR, kinds=True).drop == pytest.approx(lost(data, among_all, 0))


def test_the_drop_at_the_same_question_asks_the_knowledge_of_the_end_among_the_classes_of_then() -> None:
    data = episode()

    assert course(data, ORDER, NOTHING, PRIOR, kinds=True).drop_same_question == pytest.approx(
        lost(data, among_those_known_then, 1)
    )


@pytest.mark.parametrize(
    ("wrong", "first"),
    [(among_all, 1), (by_the_knowledge_of_then, 1), (among_those_known_then, 0)],
    ids=["another question at the end", "0 whatever happens", "a class that was alone counts"],
)
def test_the_same_question_has_teeth(wrong: Callable[[Encoded, int], float], first: int) -> None:
    data = episode()

    assert abs(course(data, ORDER, NOTHING, PRIOR, kinds=True).drop_same_question - lost(data, wrong, first)) > 1e-3


def test_lost_and_gained_answers_are_what_the_drop_is_made_of() -> None:
    made = course(episode(), ORDER, NOTHING, PRIOR, kinds=True)

    assert made.asked == (CLASSES - 2) * TESTS
    assert made.lost + made.gained > 0
    assert (made.lost - made.gained) / made.asked == pytest.approx(made.drop_same_question)


def test_after_each_arrival_the_classes_known_by_then_are_asked_about_and_no_other() -> None:
    made = course(episode(), ORDER, NOTHING, PRIOR, kinds=True)

    for t in range(CLASSES):
        known = sorted(ORDER[: t + 1])
        assert made.counts[t].sum() == made.counts[t][np.ix_(known, known)].sum() == (t + 1) * TESTS
    assert made.counts[0][ORDER[0], ORDER[0]] == TESTS


def test_where_a_class_is_that_of_good_parts_the_classifier_that_knows_them_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    kinds, head = Knowledge.kinds, Knowledge.head
    monkeypatch.setattr(Knowledge, "kinds", lambda *what, **how: asked.append("kinds") or kinds(*what, **how))
    monkeypatch.setattr(Knowledge, "head", lambda *what, **how: asked.append("head") or head(*what, **how))
    pictures = SimpleNamespace(bundle=SimpleNamespace(normal="good"))

    for names in ({"pit": ["a"], "stain": ["b"]}, {"good": ["a"], "stain": ["b"]}):
        ready = Prepared(None, pictures, names, (), ManualClock(), 0.0)  # type: ignore[arg-type]
        course(episode(), ORDER, NOTHING, PRIOR, kinds=ready.kinds)
    assert asked == CLASSES * ["kinds"] + CLASSES * ["head"]


class InOrder(Knowledge):
    """Forgets: what comes later weighs more."""

    def learn(self, slug: str, rows: NDArray[np.int16]) -> Self:
        have = sum(sums.samples for sums in self.groups.values())
        return super().learn(slug, (rows * (1 - 0.5 ** (1 + have))).astype(np.int16))


def test_the_bytes_are_those_of_teaching_all_at_once_in_another_order() -> None:
    assert course(episode(), ORDER, NOTHING, PRIOR, kinds=True).identical


def test_knowledge_that_depends_on_the_order_is_caught() -> None:
    forgetful = InOrder.empty("steel", "0" * 64, BLOCKS)

    assert not course(episode(), ORDER, forgetful, PRIOR, kinds=True).identical


def courses() -> list[Course]:
    return [course(episode(seed), ORDER, NOTHING, PRIOR, kinds=True) for seed in range(4)]


def test_one_episode_with_other_bytes_is_enough_to_say_so() -> None:
    forgetful = course(episode(), ORDER, InOrder.empty("steel", "0" * 64, BLOCKS), PRIOR, kinds=True)

    assert increments("abcde", courses()).identical_bytes
    assert not increments("abcde", [*courses(), forgetful]).identical_bytes


def test_at_the_end_the_figures_are_those_of_teaching_everything() -> None:
    figures = increments("abcde", courses())
    plain = accuracies("abcde", np.stack([one.counts[-1] for one in courses()]))

    assert figures.balanced_accuracy == figures.arrivals[-1].balanced_accuracy == plain.balanced_accuracy
    assert figures.accuracy == figures.arrivals[-1].accuracy
    assert (figures.recall, figures.confusion) == (plain.recall, plain.confusion)
    assert [arrival.classes for arrival in figures.arrivals] == [1, 2, 3, 4, 5]
    assert figures.arrivals[0].accuracy.low == 1.0
    assert figures.forgetting.asked == sum(one.asked for one in courses())


def test_a_class_that_neighbours_leave_nothing_of_says_nothing() -> None:
    data = episode()
    gone = Encoded(data.shots, tuple(rows[: 0 if i == ORDER[1] else None] for i, rows in enumerate(data.tests)))
    made = course(gone, ORDER, NOTHING, PRIOR, kinds=True)

    assert made.asked == (CLASSES - 3) * TESTS
    assert made.drop_same_question == pytest.approx(
        np.mean([at_arrival(data, t) - among_those_known_then(data, t) for t in (2, 3)])
    )
    with pytest.raises(BadData, match="no picture of a is left"):
        increments("abcde", [made])
    assert math.isfinite(increments("abcde", [made, course(data, ORDER, NOTHING, PRIOR, kinds=True)]).recall["a"].mean)
