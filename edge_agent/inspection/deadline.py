"""When a part must be decided, so that the disk can have it, and when the output is told, whatever the disk does.

Both come before the part's deadline by what they take on a busy machine, and never by more than a share of the time
that is left when the part should be complete: of a line that leaves 20 ms, most is for judging (decision 40).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

DISK_S: Final = 0.030
"""An undecided part becomes UNSURE late so long before its deadline that it can still be committed first [s]."""

DISK_SHARE: Final = 1 / 3
"""The same, as a share of the time that is left when the part should be complete, where that is less."""

OUTPUT_S: Final = 0.015
"""The output is told so long before the deadline even when the disk has not answered [s]."""

OUTPUT_SHARE: Final = 1 / 4
"""The same, as a share."""

OUTPUT_LEAST_S: Final = 0.005
"""The same, however little is left: a part that would be told late is UNSURE and told in time instead [s]."""


@dataclass(frozen=True)
class Deadline:
    """What a part has to keep to; all of it host monotonic [s].

    Attributes:
        at_s: the output must have heard of the part.
        decide_s: the part must have an answer.
        act_s: the output is told, whether or not the disk has the part.
    """

    at_s: float
    decide_s: float
    act_s: float

    @classmethod
    def of(cls, at_s: float, complete_s: float) -> Self:
        """Give what a part has to keep to.

        Args:
            at_s: its deadline [s, host monotonic].
            complete_s: when it should be complete [s, host monotonic].

        Returns:
            The moments, in the order decide, act, deadline.
        """
        left_s = max(at_s - complete_s, 0.0)
        output_s = max(min(OUTPUT_S, OUTPUT_SHARE * left_s), OUTPUT_LEAST_S)
        disk_s = max(min(DISK_S, DISK_SHARE * left_s), output_s)
        return cls(at_s, at_s - disk_s, at_s - output_s)
