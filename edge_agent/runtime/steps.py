"""Long work in parts: a generator that stops wherever others may come in between, and gives its result at the end.

Pure; who goes on with it, where, and by which clock, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeVar

from edge_agent.runtime.clock import Clock

T = TypeVar("T")

PART_S: Final = 0.1
"""How long a part lasts before it lets others in, and then to the end of the step that it is at [s].

Each part waits for all that is in the queue, and a step may take a millisecond.
"""

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


def unless(refusal: Callable[[], Exception | None], steps: Steps[T]) -> Steps[T]:
    """Go on with work until somebody wants it no more, which is asked before each step.

    Args:
        refusal: says why it is not wanted any more; None while it is.
        steps: the work, which is closed then.

    Returns:
        The same work, which raises what `refusal` gives instead of a step.
    """
    return _unless(refusal, steps)


def _unless(refusal: Callable[[], Exception | None], steps: Steps[T]) -> Steps[T]:
    with closing(steps):
        while True:
            if (error := refusal()) is not None:
                raise error
            try:
                done = next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            yield done


def in_parts(steps: Steps[T], clock: Clock) -> Callable[[], T | Paused]:
    """Give what does the next part, steps of `PART_S` by `clock`, whenever it is called.

    Args:
        steps: the work.
        clock: tells the time.

    Returns:
        What does a part: the last one gives the result, those before it `Paused` with what was last known to be done.
    """

    def next_part() -> T | Paused:
        until = clock.now() + PART_S
        done: Done = None
        while True:
            try:
                done = next(steps) or done
            except StopIteration as end:
                result: T = end.value
                return result
            if clock.now() >= until:
                return Paused(done)

    return next_part
