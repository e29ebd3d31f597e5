"""Which numbers of a chain are known, as spans without a hole. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from edge_agent.errors import BadData

MAX_SPANS: Final = 4096
"""Spans of one chain; a station tells in order, so that more holes than outages come from no station of ours."""


class Span(NamedTuple):
    """Numbers without a hole.

    Attributes:
        first: the lowest.
        last: the highest.
    """

    first: int
    last: int


class Ranges:
    """A set of whole numbers from 1 on; spans that touch are one.

    Args:
        spans: what is in it from the beginning, in any order.
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for span in spans:
            self.add(span)

    @property
    def spans(self) -> tuple[Span, ...]:
        """What is in it, in order."""
        return tuple(map(Span, self._firsts, self._lasts))

    def __contains__(self, number: int) -> bool:
        """Say whether a number is in it."""
        at = bisect_left(self._lasts, number)
        return at < len(self._lasts) and self._firsts[at] <= number

    @property
    def upto(self) -> int:
        """Every number from 1 to this one is in it; 0 where 1 is not."""
        return self._lasts[0] if self._firsts and self._firsts[0] == 1 else 0

    @property
    def highest(self) -> int:
        """The highest number in it; 0 where there is none."""
        return self._lasts[-1] if self._lasts else 0

    def holes(self) -> tuple[Span, ...]:
        """Give what is missing below the highest number, in order."""
        return self.missing(self.highest)

    def missing(self, upto: int) -> tuple[Span, ...]:
        """Give what is missing of the numbers from 1 to this one, in order."""
        ends = zip([0, *self._lasts], [*self._firsts, upto + 1], strict=True)
        return tuple(Span(last + 1, min(first - 1, upto)) for last, first in ends if last < min(first - 1, upto))

    def add(self, span: Span) -> None:
        """Put a span in.

        Args:
            span: it may overlap anything.

        Raises:
            BadData: it is no span, or the set would have too many.
        """
        first, last = span
        if not 1 <= first <= last:
            raise BadData(f"no span of numbers: {first} to {last}")
        begin = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        if begin < end:
            first, last = min(first, self._firsts[begin]), max(last, self._lasts[end - 1])
        elif len(self._firsts) >= MAX_SPANS:
            raise BadData(f"more than {MAX_SPANS} holes in one chain")
        self._firsts[begin:end] = [first]
        self._lasts[begin:end] = [last]
