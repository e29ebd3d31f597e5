"""Going on with another bundle: which state is judged by when a station is started with a bundle that is not its last.

Either what was carried over to it, or the newest state that it made itself. Pure; the store makes it so on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.errors import ConfigError
from edge_agent.learning.carried import Sealed
from edge_agent.learning.slots import RecipeSlots, Slot


@dataclass(frozen=True, eq=False)
class Crossing:
    """The way from one bundle to another.

    Attributes:
        slot: what is judged by from then on.
        before: what was judged by.
        sealed: what was carried over; None where an earlier state is gone back to.
        missing: changes made since that state, which are not in it.
    """

    slot: Slot
    before: Slot
    sealed: Sealed | None = None
    missing: int = 0


def check_carried(mine: RecipeSlots, sealed: Sealed, name: str) -> Crossing:
    """Give the way to what was carried over; raise `ConfigError` where knowledge has changed since.

    Args:
        mine: the states of the recipe.
        sealed: what was carried over.
        name: of the bundle it was carried over to.

    Returns:
        The way there.

    Raises:
        ConfigError: something else is known by now than what was carried over.
    """
    if sealed.origin != mine.active.contents:
        raise ConfigError(
            f"what is known has changed since it was carried over to {name}",
            hint=f"set [recipe] bundle back to {former(mine.active)} and run `edge-agent adopt {name}` again",
        )
    return Crossing(sealed.slot, mine.active, sealed)


def interrupted(mine: RecipeSlots, sealed: Sealed | None) -> Crossing | None:
    """Give the crossing that ended between the disk and the record, where what was carried over is active already."""
    if sealed is None or sealed.slot != mine.active:
        return None
    return Crossing(mine.active, mine.history[-1] if mine.history else Slot(), sealed)


def check_nothing_waits(mine: RecipeSlots) -> None:
    """Raise `ConfigError` while a candidate waits: it is of the bundle of before."""
    if mine.candidate is not None:
        raise ConfigError(
            "a change waits to be promoted that was taught with another bundle",
            hint=f"set [recipe] bundle back to {former(mine.candidate)}, then `edge-agent promote` or "
            "`edge-agent cancel` it",
        )


def back(mine: RecipeSlots, at: int) -> Crossing:
    """Give the way back to a state in the history.

    Args:
        mine: the states of the recipe.
        at: which state of the history.

    Returns:
        The way there.
    """
    since = (*mine.history[at + 1 :], mine.active)
    missing = sum(slot.change is None or slot.change.action != "adopt" for slot in since)
    return Crossing(mine.history[at], mine.active, None, missing)


def former(slot: Slot) -> str:
    """Name the bundle of a state as a configuration does."""
    return "the one of before" if slot.bundle is None else f'"{slot.bundle.name}"'
