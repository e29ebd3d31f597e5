"""A state of what was learned, and what a start finds of them; values that the store gives."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.errors import StateDamaged
from edge_agent.learning.crossing import Crossing
from edge_agent.learning.learned import Learned
from edge_agent.learning.slots import Change


@dataclass(frozen=True, eq=False)
class State:
    """One state of what was learned.

    Attributes:
        learned: what is known in it.
        change: what made it; None where that is not known.
    """

    learned: Learned
    change: Change | None = None


@dataclass(frozen=True, eq=False)
class Stored:
    """What a start finds.

    Attributes:
        active: what is judged by: nothing is known, on a first start.
        candidate: what was proposed and not yet promoted.
        damage: what was found damaged on the way.
        crossing: how `active` is to become so on the disk too, where the bundle is another one now.
    """

    active: State
    candidate: State | None
    damage: tuple[StateDamaged, ...]
    crossing: Crossing | None = None
