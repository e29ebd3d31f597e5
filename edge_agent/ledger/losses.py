"""Which triggers have lost their answer and wait to be declared: ranges, so that a long failure takes no memory."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.ledger.items import Misses


class Losses:
    """A set of trigger numbers for each series, cause and recipe. Not thread-safe."""

    def __init__(self) -> None:
        self._ranges: dict[tuple[str, str, str], list[list[int]]] = {}

    def __len__(self) -> int:
        return sum(last - first + 1 for ranges in self._ranges.values() for first, last in ranges)

    def add(self, missed: Misses) -> None:
        """Remember a range; one that continues the last one makes it longer."""
        ranges = self._ranges.setdefault((missed.series, missed.cause, missed.recipe), [])
        if ranges and ranges[-1][1] + 1 == missed.first:
            ranges[-1][1] = missed.last
        else:
            ranges.append([missed.first, missed.last])

    def head(self, most: int) -> list[Misses]:
        """Give the first ranges, the last of them cut so that they have at most `most` numbers."""
        taken: list[Misses] = []
        for (series, cause, recipe), ranges in self._ranges.items():
            for first, last in ranges:
                if most <= 0:
                    return taken
                last_taken = min(last, first + most - 1)
                taken.append(Misses(series, first, last_taken, cause, recipe))
                most -= last_taken - first + 1
        return taken

    def settle(self, declared: Sequence[Misses]) -> None:
        """Forget what `head` gave; nothing was added in between."""
        for missed in declared:
            key = (missed.series, missed.cause, missed.recipe)
            ranges = self._ranges[key]
            if missed.last == ranges[0][1]:
                ranges.pop(0)
            else:
                ranges[0][0] = missed.last + 1
            if not ranges:
                del self._ranges[key]

    def take(self) -> list[Misses]:
        """Give everything and forget it."""
        everything = self.head(len(self))
        self._ranges.clear()
        return everything
