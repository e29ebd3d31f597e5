"""Follows every pulse that was asked for until its fate is known; asks again where an answer got lost.

Pure. The microcontroller takes a `cmd_id` once, so asking again is safe; what never gets an answer is said to be so. A
pulse that the microcontroller will not begin because its outputs are at their safe level, or because the wire broke, is
*stranded*: it is asked for anew, under another `cmd_id`, when the outputs are armed before its tick. What is open when
they are armed is said again as it was: the answer that it had become safe may be what got lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from firmware_bridge.codes import RejectResult
from firmware_bridge.messages import Reject, RejectAck, RejectDone

ANSWER_S: Final = 0.100
"""An answer that has not come so long after it was due was lost [s]: more than all repetitions of the question take."""
ASKED: Final = 3
"""How often the same command is said before its fate is called unknown."""
STRANDED: Final = 16
"""Pulses that may be stranded: as many as may wait in a microcontroller; one more is refused."""


class Fate(StrEnum):
    """What became of a pulse."""

    DONE = "done"  #: it began, at the tick that is told
    LATE = "late"  #: its tick was past
    FULL = "full"  #: too many waited, there or here
    SAFE = "safe"  #: the outputs were at their safe level at its tick
    CANCELLED = "cancelled"  #: it was taken back
    BAD_OUTPUT = "bad_output"  #: there is no such output
    DOWN = "down"  #: the wire was down at its tick, or broke before its fate was told
    REBOOTED = "rebooted"  #: the microcontroller started anew between the edge and its tick
    BUSY = "busy"  #: too many waited for the thread of the wire
    FORGOTTEN = "forgotten"  #: the tick of its edge is not known any more
    UNKNOWN = "unknown"  #: nobody answered


REFUSALS: Final[dict[int, Fate]] = {
    RejectResult.LATE: Fate.LATE,
    RejectResult.FULL: Fate.FULL,
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
    arming: int
    """How often the outputs had been armed when it was asked for."""
    asked: int = 1
    before: Fate | None = None
    """Its fate had it not been asked for anew."""


@dataclass(frozen=True)
class _Stranded:
    command: Reject
    due_s: float
    fate: Fate


class RejectBook:
    """The pulses that were asked for and whose fate is open.

    Args:
        send: sends a message; False when it cannot be taken.
    """

    def __init__(self, send: Callable[[Reject, float], bool]) -> None:
        self._send = send
        self._open: dict[int, _Asked] = {}
        self._stranded: list[_Stranded] = []
        self._last_id = 0
        self._armings = 0
        self.asked_again = 0  #: commands said again because no answer came
        self.asked_anew = 0  #: pulses that were stranded and asked for under another number

    @property
    def waiting(self) -> int:
        """Pulses whose fate is open."""
        return len(self._open) + len(self._stranded)

    @property
    def awaited(self) -> int:
        """Those of them for which the microcontroller owes an answer."""
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
        return self._ask(Reject(0, part_seq & 0xFFFF_FFFF, fire_ticks, pulse_us, output), due_s, now, None)

    def strand(
        self, part_seq: int, fire_ticks: int, pulse_us: int, output: int, now: float, due_s: float
    ) -> RejectReport | None:
        """Take a pulse that nobody can be asked for now, because the wire is down.

        Args:
            part_seq: the part.
            fire_ticks: when [ticks].
            pulse_us: how long [us].
            output: which output.
            now: host monotonic time [s].
            due_s: host monotonic time of `fire_ticks` [s].

        Returns:
            None, and the report comes later; or the report, when its tick is past or too many wait.
        """
        return self._strand(Reject(0, part_seq & 0xFFFF_FFFF, fire_ticks, pulse_us, output), due_s, Fate.DOWN, now)

    def answered(self, answer: RejectAck, now: float) -> Iterator[RejectReport]:
        """Hear an answer; give the report when it decides the fate of a pulse."""
        asked = self._open.get(answer.cmd_id)
        if asked is None or answer.result == RejectResult.UNKNOWN:
            return
        if answer.result in (RejectResult.ACCEPTED, RejectResult.DUP):
            asked.answer_by_s = max(now, asked.due_s) + ANSWER_S
            return
        if answer.result == RejectResult.SAFE:
            del self._open[answer.cmd_id]
            yield from self._unarmed(asked, now)
            return
        fate = REFUSALS.get(answer.result, Fate.UNKNOWN)
        yield self._close(answer.cmd_id, asked.before or fate if fate is Fate.LATE else fate)

    def done(self, answer: RejectDone) -> Iterator[RejectReport]:
        """Hear that a pulse has begun."""
        if answer.cmd_id in self._open:
            yield self._close(answer.cmd_id, Fate.DONE, answer.actual_ticks)

    def armed(self, now: float) -> list[RejectReport]:
        """Right behind the ARM that was sent: ask anew for what is stranded, and say again what is open.

        Args:
            now: host monotonic time [s].

        Returns:
            The reports of what is too late, or cannot be asked for.
        """
        self._armings += 1
        opened = list(self._open.values())
        stranded, self._stranded = self._stranded, []
        reports = [report for one in stranded if (report := self._anew(one, now)) is not None]
        for asked in opened:
            self._send(asked.command, now)
            asked.asked, asked.answer_by_s = 1, now + ANSWER_S
        return reports

    def step(self, now: float) -> list[RejectReport]:
        """Ask again where an answer is overdue; give the reports of what was asked for often enough, or stranded."""
        reports = [report for cmd_id in list(self._open) if (report := self._press(cmd_id, now)) is not None]
        over = [one for one in self._stranded if one.due_s <= now]
        self._stranded = [one for one in self._stranded if one.due_s > now]
        return reports + [_report(one.command, one.fate) for one in over]

    def next_wake_s(self) -> float:
        """Host monotonic time when an answer is overdue, or a tick past [s]; infinite when none is awaited."""
        answers = min((asked.answer_by_s for asked in self._open.values()), default=math.inf)
        return min(answers, min((one.due_s for one in self._stranded), default=math.inf))

    def broken(self, now: float) -> list[RejectReport]:
        """Strand what is open, because the wire broke; give the reports of what was due."""
        opened, self._open = self._open, {}
        lost = [self._strand(asked.command, asked.due_s, Fate.DOWN, now) for asked in opened.values()]
        return [report for report in lost if report is not None] + self.step(now)

    def rebooted(self) -> Iterator[RejectReport]:
        """Give up all that is open, because the microcontroller has forgotten it and counts anew."""
        for report in self.abandoned():
            yield replace(report, fate=Fate.REBOOTED)

    def abandoned(self) -> Iterator[RejectReport]:
        """Give up all that is open, because nobody will ask for it any more."""
        for cmd_id in list(self._open):
            yield self._close(cmd_id, Fate.DOWN)
        stranded, self._stranded = self._stranded, []
        for one in stranded:
            yield _report(one.command, one.fate)

    def _ask(self, command: Reject, due_s: float, now: float, before: Fate | None) -> RejectReport | None:
        self._last_id = self._last_id % 0xFFFF_FFFF + 1
        command = replace(command, cmd_id=self._last_id)
        if not self._send(command, now):
            return _report(command, Fate.FULL)
        self._open[command.cmd_id] = _Asked(command, due_s, now + ANSWER_S, self._armings, before=before)
        return None

    def _strand(self, command: Reject, due_s: float, fate: Fate, now: float) -> RejectReport | None:
        if due_s <= now:
            return _report(command, fate)
        if len(self._stranded) >= STRANDED:
            return _report(command, Fate.FULL)
        self._stranded.append(_Stranded(command, due_s, fate))
        return None

    def _unarmed(self, asked: _Asked, now: float) -> Iterator[RejectReport]:
        """Go on after SAFE: wait for the next ARM, or ask anew when one went out since; the two had crossed."""
        one = _Stranded(asked.command, asked.due_s, Fate.SAFE)
        crossed = asked.arming < self._armings
        report = self._anew(one, now) if crossed else self._strand(one.command, one.due_s, one.fate, now)
        if report is not None:
            yield report

    def _anew(self, one: _Stranded, now: float) -> RejectReport | None:
        if one.due_s <= now:
            return _report(one.command, one.fate)
        self.asked_anew += 1
        return self._ask(one.command, one.due_s, now, one.fate)

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
        return _report(self._open.pop(cmd_id).command, fate, actual_ticks)


def _report(command: Reject, fate: Fate, actual_ticks: int | None = None) -> RejectReport:
    return RejectReport(command.part_seq, command.output, fate, command.fire_ticks, actual_ticks)
