"""A tiny bundle, exemplars of its four dimensions, and what tells two states of what was learned apart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.state import State
from edge_agent.learning.store import KnowledgeStore
from edge_agent.records import Details
from edge_agent.runtime.steps import finished
from models import Knowledge
from models.manifest import Block

BLOCKS = (Block("image", 0, 2, 0.5, "a"), Block("vibration", 2, 4, 0.5, "b"))
DIGEST = "0" * 64
EMPTY = Knowledge.empty("r", DIGEST, BLOCKS)
NOTHING = Learned(EMPTY, (), {}, EMPTY)

UTC = 1_764_000_000.0
"""2025-11-24 16:00 UTC."""


@dataclass
class SmallManifest:
    embedding: int = 4
    version: str = "1"


@dataclass
class SmallBundle:
    """As much of a bundle as a store of knowledge looks at."""

    digest: str = DIGEST
    name: str = "small"
    blocks: tuple[Block, ...] = BLOCKS
    normal: str = "good"
    grid: tuple[int, int] | None = (2, 2)
    manifest: SmallManifest = field(default_factory=SmallManifest)


def details(seed: int) -> Details:
    """What a good part looked and sounded like in detail, on a grid of 2 x 2."""
    drawn = np.random.default_rng(seed)
    return Details(drawn.normal(size=(4, 6)).astype(np.float32), drawn.normal(size=5).astype(np.float32))


def rows(seed: int, count: int = 2) -> NDArray[np.int16]:
    """Rows with both modalities, none of them zero."""
    drawn = np.random.default_rng(seed).integers(1, 8000, (count, 4))
    return drawn.astype(np.int16)


def exemplar(seed: int, label: str = "pit", role: Role = Role.FIT, **changes: object) -> Exemplar:
    """One kept example; the same seed gives the same one."""
    made = Exemplar(f"{seed:016x}", label, role, rows(seed), f"{label} {seed}.png", "ann", UTC)
    return replace(made, **changes)


def taught(*lessons: tuple[Exemplar, ...], start: Learned = NOTHING) -> Learned:
    """What is known after these lessons."""
    for lesson in lessons:
        start = start.with_exemplars(lesson[0].label, lesson)
    return start


def identity(learned: Learned) -> tuple[object, ...]:
    """All the bytes of it: equal exactly where nothing tells two states apart."""
    return (
        learned.knowledge.to_bytes(),
        learned.base.to_bytes(),
        tuple(lesson.to_bytes() for lesson in learned.lessons),
        dict(learned.names),
    )


def undone(store: KnowledgeStore) -> State:
    """Go back to the state before, as a recipe does in parts; give it."""
    state = finished(store.before())
    store.undo(state)
    return state
