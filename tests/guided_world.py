"""A bundle without files whose pictures have four regions, and stations of it that are taught and made to forget."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from learned_values import details

from edge_agent.learning import guiding
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.raw import keeping
from edge_agent.learning.slots import Change
from edge_agent.learning.store import KnowledgeStore
from edge_agent.records import Embedding, Modality
from edge_agent.runtime.disk import Disk
from edge_agent.runtime.steps import finished
from models.bundle import Bundle
from models.embedding import quantise
from models.guide import GuidedBundle
from models.head import Prior
from models.manifest import Block

BLOCKS = (Block("image", 0, 2, 0.5, "a"), Block("vibration", 2, 4, 0.5, "b"))
CHANGE = Change("teach", "good", ("x",), "ann", 1e9)


class TinyBundle(Bundle):
    """A bundle without files, whose pictures have four regions."""

    @property
    def grid(self) -> tuple[int, int] | None:
        return (2, 2)

    def prior(self) -> Prior:
        return Prior(np.eye(4) * 0.01, 12.0)


MANIFEST = SimpleNamespace(
    blocks=BLOCKS,
    embedding=4,
    name="tiny",
    version="1",
    parts=(1,),
    judging=(1,),
    label_policy=SimpleNamespace(normal="good"),
)
BUNDLE = TinyBundle(Path(), MANIFEST, "0" * 64)


def store(disk: Disk, *, guided: bool = True) -> KnowledgeStore:
    """Open what a station has learned."""
    return KnowledgeStore(disk, "r", BUNDLE, guided=guided)


def known(disk: Disk, *, guided: bool = True) -> Learned:
    """What a station would judge by, were it started now."""
    return store(disk, guided=guided).load().active.learned


def embedding(seed: int) -> Embedding:
    """Of one encoded variant."""
    z = np.abs(np.random.default_rng(seed).normal(size=4)) + 0.2
    z[:2] *= 0.5**0.5 / np.linalg.norm(z[:2])
    z[2:] *= 0.5**0.5 / np.linalg.norm(z[2:])
    return Embedding(quantise(z), frozenset(Modality), details=details(seed))


def taught(
    disk: Disk,
    label: str,
    seeds: range,
    *,
    guided: bool = True,
    without: Collection[int] = (),
    golden: bool = False,
    held_out: Collection[int] = (),
) -> Learned:
    """What is known with one more lesson, as the station gives it; written nowhere but for what is kept beside it.

    What is left `without` changes nothing about what the others are for: of good parts those of `held_out` are.
    """
    opened = store(disk, guided=guided)
    learned = opened.load().active.learned
    space = guiding.space_of(BUNDLE, learned.guiding)
    examples = [Example(f"{label} {i}", samples=np.full((9, 3), i, np.float32), rate_hz=1e3) for i in seeds]
    lesson = Lesson(
        label,
        examples,
        learned,
        "good",
        SimpleNamespace(),
        golden=golden,
        space=space if isinstance(space, GuidedBundle) else None,
        tokens=guided,
    )
    variants = 1 if golden or label == "good" else 8
    while lesson.next_variant() is not None:
        lesson.take(embedding(1000 * seeds[lesson.done // variants] + lesson.done % variants))
    kept = [one for one, i in zip(lesson.exemplars(learned, "ann", 1e9), seeds, strict=True) if i not in without]
    if not kept:
        return learned
    if label == "good" and not golden:
        ring = {f"good {i}" for i in held_out}
        roles = [Role.RING if one.exemplar.source in ring else Role.FIT for one in kept]
        kept = [one._replace(exemplar=replace(one.exemplar, role=role)) for one, role in zip(kept, roles, strict=True)]
    return finished(opened.completing(learned.with_exemplars(label, finished(keeping(opened.blobs, kept, learned)))))


def teach(
    disk: Disk,
    label: str,
    seeds: range,
    *,
    guided: bool = True,
    without: Collection[int] = (),
    golden: bool = False,
    held_out: Collection[int] = (),
) -> None:
    """Teach one more lesson, and judge by it."""
    learned = taught(disk, label, seeds, without=without, guided=guided, golden=golden, held_out=held_out)
    store(disk, guided=guided).save(learned, CHANGE)


def forget(disk: Disk, seeds: Collection[int], label: str = "good") -> None:
    """Forget what was taught of these."""
    opened = store(disk)
    learned = opened.load().active.learned
    ids = [e.id for e in learned.exemplars if e.source in {f"{label} {i}" for i in seeds}]
    opened.save(finished(opened.completing(learned.without(ids))), CHANGE)


def everything(learned: Learned) -> object:
    """All the bytes that a station judges and learns on by."""
    return (
        learned.knowledge.to_bytes(),
        [chunk.to_bytes() for chunk in learned.lessons],
        None if learned.guiding is None else learned.guiding.to_bytes(),
        None if learned.good is None else learned.good.to_bytes(),
    )
