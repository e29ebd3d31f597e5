"""Long work in parts: a generator that stops wherever others may come in between, and gives its result at the end.

Pure; who goes on with it, and where, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

Done = tuple[int, int] | None
"""How much of how much is done; None where that is not known."""

Steps = Generator[Done, None, T]
"""Each `yield` lets others in, and may say how much is done; what it returns is the result."""


@dataclass(frozen=True)
class Paused:
    """What a part gives that was not the last one.

    Attributes:
        done: how much of how much is done; None where that is not known.
    """

    done: Done = None


def finished(steps: Steps[T], progress: Callable[[int, int], None] = lambda done, total: None) -> T:
    """Go on to the end at once, and give the result.

    Args:
        steps: the work.
        progress: hears how much of how much is done, where that is known.

    Returns:
        What came of it.
    """
    while True:
        try:
            done = next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        if done is not None:
            progress(*done)


def in_parts(steps: Steps[T]) -> Callable[[], T | Paused]:
    """Give what does the next part whenever it is called: the last one gives the result, those before it `Paused`."""

    def next_part() -> T | Paused:
        try:
            return Paused(next(steps))
        except StopIteration as end:
            result: T = end.value
            return result

    return next_part
