"""Says how far a training run is: a bar on a terminal, lines elsewhere. It decides nothing and counts no losses.

It has the workshop's clock, because only what a person waits for needs one: no result depends on it.
"""

from __future__ import annotations

import time  # noqa: TID251 (how long a person has waited is no input of any result)
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Item = TypeVar("Item")

LINE_EVERY_S: Final = 5.0
"""Without a terminal, the longest silence between batches [s]."""


class Pace:
    """Says when something is due again; the first time is after one period.

    Args:
        period_s: how often [s].
        clock: monotonic [s].
    """

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._next_s = clock() + period_s

    def due(self) -> bool:
        """Say whether a period has passed since it was last due."""
        if self._clock() < self._next_s:
            return False
        self._next_s = self._clock() + self._period_s
        return True


class Report:
    """Where a run tells how far it is.

    Args:
        bar: the bar; it only moves on a terminal.
        epochs: of the run.
        batches: of an epoch.
        pace: of the lines between epochs, without a terminal.
    """

    def __init__(self, bar: Progress, epochs: int, batches: int, pace: Pace) -> None:
        self._bar = bar
        self._epochs = epochs
        self._batches = batches
        self._pace = pace
        self._row = bar.add_task("", total=epochs * batches)

    def say(self, text: str) -> None:
        """Print a line."""
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def batch(self, epoch: int, number: int, loss: float) -> None:
        """Tell that batch `number` of an epoch is done; both count from 1."""
        text = f"epoch {epoch}/{self._epochs} loss {loss:.4g}"
        self._bar.update(self._row, completed=(epoch - 1) * self._batches + number, description=text)
        self._now_and_then(f"epoch {epoch}/{self._epochs}: batch {number}/{self._batches}, loss {loss:.4g}")

    def evaluating(self, epoch: int) -> None:
        """Tell that the batches are done and the task is being measured."""
        self._bar.update(self._row, description=f"epoch {epoch}/{self._epochs} evaluating")
        self._now_and_then(f"epoch {epoch}/{self._epochs}: evaluating")

    def _now_and_then(self, text: str) -> None:
        if self._bar.disable and self._pace.due():
            self.say(text)


@contextmanager
def reporting(epochs: int, batches: int, *, silent: bool, console: Console | None = None) -> Iterator[Report]:
    """Report on the error stream for as long as the context lasts.

    Args:
        epochs: of the run.
        batches: of an epoch.
        silent: say nothing at all.
        console: where to; the error stream unless given.

    Yields:
        Where to tell.
    """
    console = console or Console(stderr=True, quiet=silent)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=silent or not console.is_terminal) as bar:
        yield Report(bar, epochs, batches, Pace(LINE_EVERY_S))


def tracked(items: Iterable[Item], total: int, what: str) -> Iterator[Item]:
    """Give items one by one and report on the error stream how many are done.

    Args:
        items: to go through.
        total: how many there are.
        what: is done with them.

    Yields:
        The items.
    """
    console, pace = Console(stderr=True), Pace(LINE_EVERY_S)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        row = bar.add_task(what, total=total)
        for number, item in enumerate(items, start=1):
            yield item
            bar.update(row, completed=number)
            if bar.disable and pace.due():
                console.print(f"{what}: {number} of {total}", markup=False, highlight=False, soft_wrap=True)
