"""Who waits for one answer: each once, and only so many, so that asking again costs no memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from edge_agent.journal.response import Response

T = TypeVar("T")

MOST: Final = 8
"""Who waits for one answer at once; a console asks from one place, and again after a restart from another."""


class Askers(Generic[T]):
    """Those who wait for one answer, at most `MOST`; one more is refused."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, T] = {}

    def add(self, who: Hashable, asker: T) -> T | None:
        """Let somebody wait.

        Args:
            who: equal for those who would hear the same at the same place.
            asker: the newest of them, who waits instead of the one before.

        Returns:
            Who waits no longer: the one before, or `asker` where all places are taken; None where nobody.
        """
        before = self._waiting.get(who)
        if before is None and len(self._waiting) >= MOST:
            return asker
        self._waiting[who] = asker
        return before

    def all(self) -> tuple[T, ...]:
        """Give them, first come first."""
        return tuple(self._waiting.values())


class Asker:
    """Who asks for something that may change something.

    Attributes:
        who: equal for who would hear the same at the same place.
        tell: hears what is on record, and how far it is; with the result or the error that the station has just made.
        refuse: hears why nothing is done, which is not on record.

    Args:
        who: as above.
        tell: as above.
        refuse: as above; None for `tell`.
        stored: called once, when the request is safe, or needs not be.
    """

    def __init__(
        self,
        who: Hashable,
        tell: Callable[[Response, object], None],
        refuse: Callable[[Response], None] | None = None,
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        self.who = who
        self.tell = tell
        self.refuse = refuse or (lambda response: tell(response, None))
        self._stored: Callable[[], None] | None = stored

    def safe(self) -> None:
        """Say that the request is safe; again does nothing."""
        stored, self._stored = self._stored, None
        if stored is not None:
            stored()
