"""The firmware in Python: what docs/wire.md says of the microcontroller, on a clock of its own.

Pure: bytes, levels and ticks in, bytes and changes of the outputs out. The wire it hangs on is somebody else's affair.
"""

from __future__ import annotations

from typing import Final

from firmware_bridge.codes import MAX_BLOCK_SAMPLES, PROTOCOL, ConfigResult, StatusFlag
from firmware_bridge.link import Link
from firmware_bridge.messages import (
    Arm,
    Block,
    Cancel,
    Config,
    ConfigAck,
    Heartbeat,
    Hello,
    Message,
    Ping,
    Pong,
    Reject,
    Status,
)
from firmware_bridge.packet import DELIMITER
from firmware_bridge.sim.outbox import Outbox
from firmware_bridge.sim.outputs import Outputs
from firmware_bridge.sim.sampler import ReadSensor, Sampler, silent_sensor
from firmware_bridge.sim.trigger import TriggerInput

STATUS_S: Final = 1.0
LEASE_MS: Final = (50, 10_000)


class Mcu:
    """One microcontroller from its start on.

    Args:
        boot_id: of this start.
        sensor: gives the samples.
        tick_hz: of its counter [1/s].
        rate_hz: highest nominal sample rate [Hz].
        rate_error: by what share the sensor's true rate is above the nominal one.
        start_ticks: of its counter at this start [ticks].
        outputs: that it has.
    """

    def __init__(
        self,
        boot_id: int,
        sensor: ReadSensor = silent_sensor,
        tick_hz: int = 1_000_000,
        rate_hz: int = 26_667,
        rate_error: float = 0.0,
        start_ticks: int = 0,
        outputs: int = 2,
    ) -> None:
        self.link = Link()
        self.link.accepting = False
        self.hello = Hello(PROTOCOL, 0x0001_0000, boot_id, tick_hz, "simulated", 16_000, rate_hz, 2, outputs)
        self.outputs = Outputs(self.hello.outputs, tick_hz)
        self.trigger = TriggerInput(tick_hz)
        self.sampler = Sampler(sensor, tick_hz, rate_error)
        self._tick_hz = tick_hz
        self._ticks = start_ticks
        self._host_id: int | None = None
        self._config: Config | None = None
        self._status_due = 0
        self._outbox = Outbox()
        self._say(self.hello)

    def receive(self, data: bytes, ticks: int) -> None:
        """Take bytes from the wire at a tick."""
        self.step(ticks)
        messages = self.link.receive(data, 0.0)
        for acknowledgement in self.link.take_output().split(DELIMITER)[:-1]:
            self._outbox.put(acknowledgement + DELIMITER)
        for message in messages:
            self._obey(message)

    def set_trigger(self, level: int, ticks: int, number: int = 0) -> None:
        """Change the level of an input at a tick."""
        self.step(ticks)
        self.trigger.set(level, ticks, number)

    def lose(self, samples: int) -> None:
        """Let the sensor lose its next samples."""
        block = self.sampler.lose(samples, self._ticks)
        if block is not None:
            self._say(block)

    def step(self, ticks: int) -> None:
        """Do all that is due up to a tick, at the tick at which it is due."""
        while (due := self.next_ticks()) <= ticks:
            self._ticks = max(self._ticks, int(due))
            self._do_due()
        self._ticks = max(self._ticks, ticks)

    def next_ticks(self) -> float:
        """Give when `step` has something to do [ticks]."""
        due = [self.outputs.next_ticks(), self.trigger.next_ticks(), self.sampler.next_ticks()]
        if self._host_id is not None:
            due.append(self._status_due)
        return min(due)

    def take_output(self, room: int | None = None) -> bytes:
        """Give bytes for the wire, once; at most `room` of them."""
        return self._outbox.take(room)

    def _do_due(self) -> None:
        was_lapsed = self.outputs.lapsed
        for message in self.outputs.step(self._ticks):
            self._say(message)
        if self.outputs.lapsed and not was_lapsed:
            self._say_status()
        for edge in self.trigger.step(self._ticks):
            self._say(edge)
        if self._ticks >= self.sampler.next_ticks():
            assert self._config is not None
            block = self.sampler.take(has_room=self._outbox.has_room(self._config.block_samples))
            if block is not None:
                self._say(block)
        if self._host_id is not None and self._ticks >= self._status_due:
            self._say_status()

    def _obey(self, message: Message) -> None:
        if isinstance(message, Hello):
            if message.boot_id != self._host_id:
                self._begin(message.boot_id)
            self._say(self.hello)
            self._say_status()
        elif self._host_id is not None:
            self._obey_host(message)

    def _obey_host(self, message: Message) -> None:
        match message:
            case Config():
                self._configure(message)
            case Arm():
                if self._config is not None and self.sampler.is_sampling:
                    self.outputs.arm(self._lease(self._config.lease_ms), self._ticks)
                self._say_status()
            case Heartbeat():
                if not self.outputs.extend(self._lease(min(message.lease_ms, LEASE_MS[1])), self._ticks):
                    self._say_status()
            case Reject():
                for answer in self.outputs.reject(message, self._ticks):
                    self._say(answer)
            case Cancel():
                self._say(self.outputs.cancel(message))
            case Ping():
                self._say(Pong(message.host_ns, self._ticks, self._ticks))

    def _begin(self, host_id: int) -> None:
        self.link.reset()
        self.link.accepting = True
        self._host_id = host_id
        self.sampler.stop()
        if self._config is not None:
            self.outputs.forget(self._ticks)

    def _configure(self, config: Config) -> None:
        result = self._verdict_on(config)
        if result is ConfigResult.OK:
            self._config = config
            self.sampler.start(config, self._ticks)
            for answer in self.outputs.configure(config, self._ticks):
                self._say(answer)
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

    def _lease(self, lease_ms: int) -> int:
        return lease_ms * self._tick_hz // 1000

    def _say_status(self) -> None:
        decoder, counts = self.link.decoder, self.link.counts
        flags = StatusFlag.CONFIGURED if self.sampler.is_sampling else 0
        flags |= StatusFlag.ARMED if self.outputs.armed else 0
        flags |= StatusFlag.LAPSED if self.outputs.lapsed else 0
        self._status_due = self._ticks + int(STATUS_S * self._tick_hz)
        self._say(
            Status(
                self._ticks,
                self.trigger.edges,
                self.sampler.blocks,
                self.sampler.dropped,
                counts.received,
                decoder.corrupt + decoder.oversize,
                counts.out_of_order,
                self._outbox.high,
                self.outputs.waiting,
                flags,
            )
        )

    def _say(self, message: Message) -> None:
        self.link.send(message, 0.0)
        self._outbox.put(self.link.take_output(), len(message.samples) if isinstance(message, Block) else 0)
