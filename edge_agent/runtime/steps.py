"""Long work in parts: a generator that stops wherever others may come in between, and gives its result at the end.

Pure; who goes on with it, and where, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Each `yield` lets others in; what it returns is the result."""


class Paused:
    """What a part gives that was not the last one."""


def finished(steps: Steps[T]) -> T:
    """Go on to the end at once, and give the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def in_parts(steps: Steps[T]) -> Callable[[], T | Paused]:
    """Give what does the next part whenever it is called: the last one gives the result, those before it `Paused`."""

    def next_part() -> T | Paused:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        return Paused()

    return next_part
