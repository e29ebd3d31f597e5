"""Follows every pulse that was asked for until its fate is known; asks again where an answer got lost.

Pure. The microcontroller takes a `cmd_id` once, so asking again is safe; what never gets an answer is said to be so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from firmware_bridge.messages import Reject, RejectAck, RejectDone, RejectResult

ANSWER_S: Final = 0.100
"""An answer that has not come so long after it was due was lost [s]: more than all repetitions of the question take."""
ASKED: Final = 3
"""How often the same command is said before its fate is called unknown."""


class Fate(StrEnum):
    """What became of a pulse."""

    DONE = "done"  #: it began, at the tick that is told
    LATE = "late"  #: its tick was past
    FULL = "full"  #: too many waited
    SAFE = "safe"  #: the outputs were at their safe level
    CANCELLED = "cancelled"  #: it was taken back
    BAD_OUTPUT = "bad_output"  #: there is no such output
    VOID = "void"  #: the link broke or the microcontroller started anew before it was due
    UNKNOWN = "unknown"  #: nobody answered


REFUSALS: Final[dict[int, Fate]] = {
    RejectResult.LATE: Fate.LATE,
    RejectResult.FULL: Fate.FULL,
    RejectResult.SAFE: Fate.SAFE,
    RejectResult.CANCELLED: Fate.CANCELLED,
    RejectResult.BAD_OUTPUT: Fate.BAD_OUTPUT,
}


@dataclass(frozen=True)
class RejectReport:
    """What became of one pulse, once.

    Attributes:
        part_seq: the part.
        output: which output.
        fate: what became of it.
        fire_ticks: when it was asked for [ticks].
        actual_ticks: when it began [ticks]; None unless it is done.
    """

    part_seq: int
    output: int
    fate: Fate
    fire_ticks: int
    actual_ticks: int | None = None


@dataclass
class _Asked:
    command: Reject
    due_s: float
    """Host monotonic time by which the pulse has begun [s]."""
    answer_by_s: float
    asked: int = 1


class RejectBook:
    """The pulses that were asked for and whose fate is open.

    Args:
        send: sends a message; False when it cannot be taken.
    """

    def __init__(self, send: Callable[[Reject, float], bool]) -> None:
        self._send = send
        self._open: dict[int, _Asked] = {}
        self._last_id = 0
        self.asked_again = 0  #: commands said again because no answer came

    @property
    def waiting(self) -> int:
        """Pulses whose fate is open."""
        return len(self._open)

    def ask(
        self, part_seq: int, fire_ticks: int, pulse_us: int, output: int, now: float, due_s: float
    ) -> RejectReport | None:
        """Ask for a pulse.

        Args:
            part_seq: the part.
            fire_ticks: when [ticks].
            pulse_us: how long [us].
            output: which output.
            now: host monotonic time [s].
            due_s: host monotonic time of `fire_ticks` [s].

        Returns:
            None, and the report comes later; or the report, when it cannot even be asked for.
        """
        self._last_id = self._last_id % 0xFFFF_FFFF + 1
        command = Reject(self._last_id, part_seq & 0xFFFF_FFFF, fire_ticks, pulse_us, output)
        if not self._send(command, now):
            return RejectReport(part_seq, output, Fate.FULL, fire_ticks)
        self._open[command.cmd_id] = _Asked(command, due_s, now + ANSWER_S)
        return None

    def answered(self, answer: RejectAck, now: float) -> Iterator[RejectReport]:
        """Hear an answer; give the report when it decides the fate of a pulse."""
        asked = self._open.get(answer.cmd_id)
        if asked is None or answer.result == RejectResult.UNKNOWN:
            return
        if answer.result in (RejectResult.ACCEPTED, RejectResult.DUP):
            asked.answer_by_s = max(now, asked.due_s) + ANSWER_S
            return
        yield self._close(answer.cmd_id, REFUSALS.get(answer.result, Fate.UNKNOWN))

    def done(self, answer: RejectDone) -> Iterator[RejectReport]:
        """Hear that a pulse has begun."""
        if answer.cmd_id in self._open:
            yield self._close(answer.cmd_id, Fate.DONE, answer.actual_ticks)

    def step(self, now: float) -> list[RejectReport]:
        """Ask again where an answer is overdue; give the reports of those that were asked for often enough."""
        return [report for cmd_id in list(self._open) if (report := self._press(cmd_id, now)) is not None]

    def next_wake_s(self) -> float:
        """Host monotonic time when an answer is overdue [s]; infinite when none is awaited."""
        return min((asked.answer_by_s for asked in self._open.values()), default=math.inf)

    def void(self) -> Iterator[RejectReport]:
        """Give up all that is open, because the microcontroller has forgotten it."""
        for cmd_id in list(self._open):
            yield self._close(cmd_id, Fate.VOID)

    def _press(self, cmd_id: int, now: float) -> RejectReport | None:
        asked = self._open[cmd_id]
        if now < asked.answer_by_s:
            return None
        if asked.asked == ASKED or not self._send(asked.command, now):
            return self._close(cmd_id, Fate.UNKNOWN)
        asked.asked += 1
        asked.answer_by_s = now + ANSWER_S
        self.asked_again += 1
        return None

    def _close(self, cmd_id: int, fate: Fate, actual_ticks: int | None = None) -> RejectReport:
        command = self._open.pop(cmd_id).command
        return RejectReport(command.part_seq, command.output, fate, command.fire_ticks, actual_ticks)
