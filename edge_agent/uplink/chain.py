"""How far a chain of numbered facts reaches without a hole, when they become certain in any order. Pure."""

from __future__ import annotations


class Chain:
    """Links `prev` to `seq`, joined where they meet.

    Attributes:
        upto: everything up to this number is certain.

    Args:
        upto: what is certain from the start.
    """

    def __init__(self, upto: int) -> None:
        self.upto = upto
        self._ahead: list[tuple[int, int]] = []

    def add(self, prev: int, seq: int) -> None:
        """Hear that everything after `prev` up to `seq` is certain."""
        ranges: list[tuple[int, int]] = []
        for first, last in sorted([*self._ahead, (prev, seq)]):
            if ranges and first <= ranges[-1][1]:
                ranges[-1] = ranges[-1][0], max(ranges[-1][1], last)
            else:
                ranges.append((first, last))
        if ranges[0][0] <= self.upto:
            self.upto = max(self.upto, ranges.pop(0)[1])
        self._ahead = ranges
