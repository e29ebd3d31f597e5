"""The outputs of a simulated microcontroller: pulses at ticks, and a safe level when nobody holds a lease.

Pure; the rules are those of docs/wire.md.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from firmware_bridge.codes import RejectResult
from firmware_bridge.messages import Cancel, Config, Message, Reject, RejectAck, RejectDone

WAITING: Final = 16
REMEMBERED: Final = 64


@dataclass(frozen=True)
class Change:
    """An output changed its level.

    Attributes:
        ticks: when [ticks].
        output: which.
        level: 0 or 1.
    """

    ticks: int
    output: int
    level: int


@dataclass
class _Remembered:
    result: RejectResult
    fired_ticks: int | None = None


class Outputs:
    """Drives levels and answers commands.

    Args:
        count: outputs that there are.
        tick_hz: of the counter [1/s].
    """

    def __init__(self, count: int, tick_hz: int) -> None:
        self._count = count
        self._tick_hz = tick_hz
        self._active = self._safe = 0
        self._levels = [0] * count
        self._waiting: dict[int, Reject] = {}
        self._ends: dict[int, int] = {}
        self._remembered: OrderedDict[int, _Remembered] = OrderedDict()
        self._lease_end: int | None = None
        self.changes: list[Change] = []
        self.lapsed = False

    @property
    def armed(self) -> bool:
        """Whether a lease holds."""
        return self._lease_end is not None

    @property
    def waiting(self) -> int:
        """Pulses that have not begun."""
        return len(self._waiting)

    def configure(self, config: Config, ticks: int) -> list[Message]:
        """Take the levels over, and go to the safe ones; give the answers to what waited."""
        self._active, self._safe = config.active_levels, config.safe_levels
        self.lapsed = False
        return self.disarm(ticks)

    def forget(self, ticks: int) -> None:
        """Begin anew for another session of the host."""
        self.disarm(ticks)
        self._remembered.clear()
        self.lapsed = False

    def disarm(self, ticks: int) -> list[Message]:
        """Go to the safe levels; give the answers to what waited."""
        self._lease_end = None
        answers: list[Message] = []
        for cmd_id in self._waiting:
            self._remembered[cmd_id] = _Remembered(RejectResult.SAFE)
            answers.append(RejectAck(cmd_id, RejectResult.SAFE))
        self._waiting.clear()
        self._ends.clear()
        for output in range(self._count):
            self._set(output, self._safe >> output & 1, ticks)
        return answers

    def arm(self, lease_ticks: int, ticks: int) -> None:
        """Begin a lease: the outputs come to rest."""
        self._lease_end = ticks + lease_ticks
        self.lapsed = False
        for output in range(self._count):
            if output not in self._ends:
                self._set(output, self._rest(output), ticks)

    def extend(self, lease_ticks: int, ticks: int) -> bool:
        """Extend the lease; False when none holds."""
        if self._lease_end is None:
            return False
        self._lease_end = max(self._lease_end, ticks + lease_ticks)
        return True

    def reject(self, command: Reject, ticks: int) -> Iterator[Message]:
        """Answer a command."""
        known = self._remembered.get(command.cmd_id)
        if known is not None:
            accepted = known.result is RejectResult.ACCEPTED
            yield RejectAck(command.cmd_id, RejectResult.DUP if accepted else known.result)
            if known.fired_ticks is not None:
                yield RejectDone(command.cmd_id, known.fired_ticks)
            return
        result = self._result(command, ticks)
        self._remember(command.cmd_id, result)
        if result is RejectResult.ACCEPTED:
            self._waiting[command.cmd_id] = command
        yield RejectAck(command.cmd_id, result)

    def cancel(self, command: Cancel) -> RejectAck:
        """Take a command back."""
        if self._waiting.pop(command.cmd_id, None) is None:
            return RejectAck(command.cmd_id, RejectResult.UNKNOWN)
        self._remembered[command.cmd_id] = _Remembered(RejectResult.CANCELLED)
        return RejectAck(command.cmd_id, RejectResult.CANCELLED)

    def next_ticks(self) -> float:
        """Give when `step` has something to do [ticks]; infinite when nothing is due."""
        due: list[float] = [command.fire_ticks for command in self._waiting.values()]
        due += self._ends.values()
        due += [] if self._lease_end is None else [self._lease_end]
        return min(due, default=math.inf)

    def step(self, ticks: int) -> Iterator[Message]:
        """Do what is due: end pulses, begin pulses, or go to the safe levels."""
        if self._lease_end is not None and ticks >= self._lease_end:
            self.lapsed = True
            yield from self.disarm(ticks)
        for command in sorted(self._waiting.values(), key=lambda c: c.fire_ticks):
            if ticks >= command.fire_ticks:
                yield self._fire(command, ticks)
        for output, end in list(self._ends.items()):  # last, so that a pulse that follows another leaves no gap
            if ticks >= end:
                del self._ends[output]
                self._set(output, self._rest(output), end)

    def _result(self, command: Reject, ticks: int) -> RejectResult:
        if not self.armed:
            return RejectResult.SAFE
        if command.output >= self._count:
            return RejectResult.BAD_OUTPUT
        if command.fire_ticks <= ticks:
            return RejectResult.LATE
        return RejectResult.FULL if len(self._waiting) >= WAITING else RejectResult.ACCEPTED

    def _remember(self, cmd_id: int, result: RejectResult) -> None:
        self._remembered[cmd_id] = _Remembered(result)
        if len(self._remembered) > REMEMBERED:
            oldest = next(known for known in self._remembered if known not in self._waiting)
            del self._remembered[oldest]

    def _fire(self, command: Reject, ticks: int) -> RejectDone:
        del self._waiting[command.cmd_id]
        if command.cmd_id in self._remembered:
            self._remembered[command.cmd_id].fired_ticks = ticks
        end = ticks + command.pulse_us * self._tick_hz // 1_000_000
        self._ends[command.output] = max(end, self._ends.get(command.output, 0))
        self._set(command.output, self._active >> command.output & 1, ticks)
        return RejectDone(command.cmd_id, ticks)

    def _rest(self, output: int) -> int:
        return 1 - (self._active >> output & 1)

    def _set(self, output: int, level: int, ticks: int) -> None:
        if self._levels[output] != level:
            self._levels[output] = level
            self.changes.append(Change(ticks, output, level))
