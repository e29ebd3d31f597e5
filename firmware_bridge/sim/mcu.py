"""The firmware in Python: what docs/wire.md says of the microcontroller, on a clock of its own.

Pure: bytes, levels and ticks in, bytes and changes of the outputs out. The wire it hangs on is somebody else's affair.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.link import Link
from firmware_bridge.messages import (
    MAX_BLOCK_SAMPLES,
    PROTOCOL,
    Arm,
    Block,
    BlockFlag,
    Cancel,
    Config,
    ConfigAck,
    ConfigResult,
    Heartbeat,
    Hello,
    Message,
    Ping,
    Pong,
    Reject,
    Status,
    StatusFlag,
)
from firmware_bridge.sim.outputs import Outputs
from firmware_bridge.sim.trigger import TriggerInput

STATUS_S: Final = 1.0
BUFFER_BYTES: Final = 8192
"""Bytes that may wait for the wire; a block that does not fit is dropped, and what is short has half of it more."""
LEASE_MS: Final = (50, 10_000)

ReadSensor = Callable[[int, int], NDArray[np.int16]]
"""Gives raw samples by the number of the first and how many, shape (n, 3)."""


def silent_sensor(first: int, n: int) -> NDArray[np.int16]:
    """A sensor that feels nothing."""
    return np.zeros((n, 3), np.int16)


class Mcu:
    """One microcontroller from its start on.

    Args:
        boot_id: of this start.
        sensor: gives the samples.
        tick_hz: of its counter [1/s].
        rate_hz: highest nominal sample rate [Hz].
        rate_error: by what share the sensor's true rate is above the nominal one.
        start_ticks: of its counter at this start [ticks].
    """

    def __init__(
        self,
        boot_id: int,
        sensor: ReadSensor = silent_sensor,
        tick_hz: int = 1_000_000,
        rate_hz: int = 26_667,
        rate_error: float = 0.0,
        start_ticks: int = 0,
    ) -> None:
        self.link = Link()
        self.link.accepting = False
        self.hello = Hello(PROTOCOL, 0x0001_0000, boot_id, tick_hz, "SIM-3AXIS", 16_000, rate_hz, 2, 2)
        self.outputs = Outputs(self.hello.outputs, tick_hz)
        self.trigger = TriggerInput(tick_hz)
        self._sensor = sensor
        self._tick_hz = tick_hz
        self._rate_error = rate_error
        self._ticks = start_ticks
        self._host_id: int | None = None
        self._config: Config | None = None
        self._sampling = False
        self._begun = 0
        self._next_sample = self._block_seq = 0
        self._dropped = self._dropped_before = 0
        self._status_due = 0
        self._fifo_high = 0
        self._waiting = bytearray()
        self._say(self.hello)

    @property
    def sampling_since(self) -> int:
        """When sample 0 was taken [ticks]."""
        return self._begun

    def receive(self, data: bytes, ticks: int) -> None:
        """Take bytes from the wire at a tick."""
        self.step(ticks)
        for message in self.link.receive(data, 0.0):
            self._obey(message)
        self._flush()

    def set_trigger(self, level: int, ticks: int) -> None:
        """Change the level of the trigger input at a tick."""
        self.step(ticks)
        self.trigger.set(level, ticks)

    def step(self, ticks: int) -> None:
        """Do all that is due up to a tick, at the tick at which it is due."""
        while (due := self.next_ticks()) <= ticks:
            self._ticks = max(self._ticks, int(due))
            self._do_due()
        self._ticks = max(self._ticks, ticks)

    def next_ticks(self) -> float:
        """Give when `step` has something to do [ticks]."""
        due = [self.outputs.next_ticks(), self.trigger.next_ticks() if self._config is not None else float("inf")]
        if self._sampling and self._config is not None:
            due.append(self._ticks_of(self._next_sample + self._config.block_samples))
        if self._host_id is not None:
            due.append(self._status_due)
        return min(due)

    def take_output(self, room: int | None = None) -> bytes:
        """Give bytes for the wire, once; at most `room` of them."""
        n = len(self._waiting) if room is None else min(room, len(self._waiting))
        output = bytes(self._waiting[:n])
        del self._waiting[:n]
        return output

    def _do_due(self) -> None:
        was_lapsed = self.outputs.lapsed
        for message in self.outputs.step(self._ticks):
            self._say(message)
        if self.outputs.lapsed and not was_lapsed:
            self._say_status()
        if self._config is not None:
            for edge in self.trigger.step(self._ticks):
                self._say(edge)
        self._sample()
        if self._host_id is not None and self._ticks >= self._status_due:
            self._say_status()

    def _obey(self, message: Message) -> None:
        match message:
            case Hello():
                if message.boot_id != self._host_id:
                    self._begin(message.boot_id)
                self._say(self.hello)
                self._say_status()
            case _ if self._host_id is None:
                pass
            case Config():
                self._configure(message)
            case Arm() if self._config is not None:
                self.outputs.arm(self._lease(self._config.lease_ms), self._ticks)
                self._say_status()
            case Heartbeat():
                if not self.outputs.extend(self._lease(message.lease_ms), self._ticks):
                    self._say_status()
            case Reject():
                for answer in self.outputs.reject(message, self._ticks):
                    self._say(answer)
            case Cancel():
                self._say(self.outputs.cancel(message))
            case Ping():
                self._say(Pong(message.host_ns, self._ticks, self._ticks))
            case _:
                pass

    def _begin(self, host_id: int) -> None:
        self.link.reset()
        self.link.accepting = True
        self._host_id = host_id
        self._sampling = False
        if self._config is not None:
            self.outputs.forget(self._ticks)

    def _configure(self, config: Config) -> None:
        result = self._verdict_on(config)
        if result is ConfigResult.OK:
            self._config = config
            self._sampling = True
            self._begun = self._ticks
            self._next_sample = self._block_seq = self._dropped = self._dropped_before = 0
            self.outputs.configure(config, self._ticks)
            self.trigger.configure(config)
        in_force = self._config or Config(0, 0, 0, 0, 0, 0, 0, 0, 0)
        self._say(ConfigAck(result, in_force.rate_hz, in_force.range_mg, in_force.block_samples))

    def _verdict_on(self, config: Config) -> ConfigResult:
        for bad, result in (
            (not 1 <= config.rate_hz <= self.hello.rate_hz, ConfigResult.BAD_RATE),
            (not 1 <= config.range_mg <= self.hello.full_scale_mg, ConfigResult.BAD_RANGE),
            (not 1 <= config.block_samples <= MAX_BLOCK_SAMPLES, ConfigResult.BAD_BLOCK),
            (config.trigger_input >= self.hello.inputs, ConfigResult.BAD_INPUT),
            ((config.active_levels | config.safe_levels) >> self.hello.outputs, ConfigResult.BAD_OUTPUT),
            (not LEASE_MS[0] <= config.lease_ms <= LEASE_MS[1], ConfigResult.BAD_LEASE),
        ):
            if bad:
                return result
        return ConfigResult.OK

    def _sample(self) -> None:
        config = self._config
        if not self._sampling or config is None:
            return
        n = config.block_samples
        while self._ticks_of(self._next_sample + n) <= self._ticks:
            if len(self._waiting) > BUFFER_BYTES - 8 * n:
                self._dropped += n
                self._dropped_before += n
            else:
                flags = BlockFlag.OVERRUN if self._dropped_before else 0
                samples = self._sensor(self._next_sample, n)
                if samples.min(initial=0) <= -32_768 or samples.max(initial=0) >= 32_767:
                    flags |= BlockFlag.SATURATED
                first_ticks = self._ticks_of(self._next_sample)
                dropped, self._dropped_before = self._dropped_before, 0
                self._say(Block(self._block_seq, self._next_sample, first_ticks, dropped, flags, 2500, samples))
                self._block_seq += 1
            self._next_sample += n

    def _ticks_of(self, sample: int) -> int:
        assert self._config is not None
        return self._begun + round(sample * self._tick_hz / (self._config.rate_hz * (1.0 + self._rate_error)))

    def _lease(self, lease_ms: int) -> int:
        return lease_ms * self._tick_hz // 1000

    def _say_status(self) -> None:
        decoder, counts = self.link.decoder, self.link.counts
        flags = StatusFlag.CONFIGURED if self._config is not None else 0
        flags |= StatusFlag.ARMED if self.outputs.armed else 0
        flags |= StatusFlag.LAPSED if self.outputs.lapsed else 0
        self._status_due = self._ticks + int(STATUS_S * self._tick_hz)
        self._say(
            Status(
                self._ticks,
                self.trigger.edges,
                self._block_seq,
                self._dropped,
                counts.received,
                decoder.corrupt + decoder.oversize,
                counts.out_of_order,
                self._fifo_high,
                self.outputs.waiting,
                flags,
            )
        )

    def _say(self, message: Message) -> None:
        self.link.send(message, 0.0)
        self._flush()

    def _flush(self) -> None:
        data = self.link.take_output()
        if len(self._waiting) + len(data) <= BUFFER_BYTES + BUFFER_BYTES // 2:
            self._waiting += data
