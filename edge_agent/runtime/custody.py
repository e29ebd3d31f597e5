"""Who holds pictures and windows, and since when: what is never let go of is counted, and named by who had it last.

Nothing is given back by hand: an array counts until the last reference to it, and to every view of it, has gone. So
there is nothing to forget, nothing to give back twice, and nothing to use afterwards.
"""

from __future__ import annotations

import weakref
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

OLD_S: Final = 60.0
"""Parts are answered and their evidence is kept within seconds; for longer an example is held, or a leak [s]."""

LESSON: Final = "teaching"
"""The holder that may keep arrays for as long as it takes: until a lesson has its parts."""


@dataclass(frozen=True)
class CustodyStatus:
    """What is held, for people.

    Attributes:
        held: arrays that are alive.
        held_bytes: how large together [bytes].
        most: the most that ever were alive at once.
        given: how many there ever were.
        by: those that are alive, by who had them last.
        old: of these, those that have been alive for more than a minute.
    """

    held: int = 0
    held_bytes: int = 0
    most: int = 0
    given: int = 0
    by: dict[str, int] = field(default_factory=dict)
    old: dict[str, int] = field(default_factory=dict)


@dataclass(eq=False)
class _Held:
    array: weakref.ref[NDArray[Any]]
    size_bytes: int
    since_s: float
    holder: str


class Custody:
    """Keeps count of arrays by who has them. Safe from any thread, and takes no lock: an array may die anywhere.

    Args:
        old_s: from when on an array counts as old [s].
    """

    def __init__(self, old_s: float = OLD_S) -> None:
        self._old_s = old_s
        self._held: dict[int, _Held] = {}  # by the identity of the array that owns the memory
        self._most = self._given = 0

    def hand(self, array: NDArray[Any], holder: str, now: float) -> None:
        """Hear that somebody has an array, for the first time or from another one.

        Args:
            array: itself or a view of it.
            holder: who has it now.
            now: host monotonic time [s].
        """
        owner = _owner(array)
        key = id(owner)
        if (held := self._held.get(key)) is not None:
            held.holder = holder
            return
        gone = weakref.ref(owner, lambda _: self._held.pop(key, None))
        self._held[key] = _Held(gone, owner.nbytes, now, holder)
        self._given += 1
        self._most = max(self._most, len(self._held))

    def status(self, now: float) -> CustodyStatus:
        """Say what is held at `now` [s, host monotonic]."""
        held = list(self._held.values())
        old = [one for one in held if now - one.since_s > self._old_s]
        return CustodyStatus(
            len(held),
            sum(one.size_bytes for one in held),
            self._most,
            self._given,
            dict(Counter(one.holder for one in held)),
            dict(Counter(one.holder for one in old)),
        )


def _owner(array: NDArray[Any]) -> NDArray[Any]:
    """Give the array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
