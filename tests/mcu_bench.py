"""A host's end for the tests of microcontrollers: says messages, hears answers, and counts what it hears."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Final, TypeVar

import numpy as np
from mcu_drivers import BOARD, START_TICKS, TICK_HZ, Change, Driver, Start, sample_values

from firmware_bridge.codes import ConfigResult, RejectResult, StatusFlag
from firmware_bridge.layout import LAYOUTS, decode_message, encode_message
from firmware_bridge.messages import (
    Ack,
    Arm,
    Block,
    Config,
    ConfigAck,
    Edge,
    Hello,
    Message,
    Reject,
    RejectAck,
    RejectDone,
    Status,
)
from firmware_bridge.packet import PacketDecoder, encode_packet

M = TypeVar("M", bound=Message)

MS: Final = TICK_HZ // 1000
SECOND: Final = TICK_HZ
CONFIG: Final = Config(
    rate_hz=1000,
    range_mg=8000,
    block_samples=50,
    lease_ms=200,
    debounce_us=1000,
    trigger_input=0,
    trigger_rising=1,
    active_levels=0b0011,
    safe_levels=0b0100,
)
"""Outputs 0 and 1 pulse high, 2 and 3 low; 0 and 3 change between safe and rest as little and as much as can be."""
AT_REST: Final = 0b1100
LEASE: Final = CONFIG.lease_ms * MS
SESSION: Final = 0x1122334455667788


class Bench:
    """One board and the host that talks to it.

    Attributes:
        mcu: the board.
        reliable: the number of the next reliable packet.
        losses: numbers of counted packets that were jumped over.
    """

    def __init__(self, start: Start, *, boot_id: int = BOARD.boot_id, ticks: int = START_TICKS) -> None:
        self.mcu: Driver = start(boot_id=boot_id, ticks=ticks)
        self.reliable = 0
        self.losses = 0
        self._counted = 0
        self._expected: int | None = None
        self._decoder = PacketDecoder()

    @property
    def now(self) -> int:
        return self.mcu.now

    def wire(self, message: Message, seq: int | None = None) -> bytes:
        """Give a message as the next packet of its class, or as the packet with a number that is given."""
        if seq is None and LAYOUTS[type(message)].reliable:
            seq, self.reliable = self.reliable, (self.reliable + 1) % 65536
        elif seq is None:
            seq, self._counted = self._counted, (self._counted + 1) % 65536
        return encode_packet(encode_message(message, seq))

    def say(self, *messages: Message, seq: int | None = None) -> list[Message]:
        """Say messages; give what is heard at once."""
        self.mcu.feed(b"".join(self.wire(message, seq) for message in messages))
        return self.hear()

    def hear(self) -> list[Message]:
        """Give what has come since the last call."""
        packets = self._decoder.feed(self.mcu.take())
        assert (self._decoder.corrupt, self._decoder.oversize, self._decoder.foreign) == (0, 0, 0)
        for packet in packets:
            assert not packet.reliable
            if self._expected is not None:
                self.losses += (packet.seq - self._expected) % 65536
            self._expected = (packet.seq + 1) % 65536
        return [decode_message(packet) for packet in packets]

    def wait(self, ticks: int) -> list[Message]:
        """Let time pass; give what is heard."""
        self.mcu.advance(ticks)
        return self.hear()

    def greet(self, session: int = SESSION) -> Status:
        """Begin a session; give the status."""
        self.reliable = 0
        heard = self.say(Hello(proto=1, firmware=0, boot_id=session))
        return only(heard, Status)

    def configure(self, **changes: int) -> None:
        """Send `CONFIG` with changes, which must be accepted; what the outputs do is not looked at."""
        config = dataclasses.replace(CONFIG, **changes)
        ack = only(self.say(config), ConfigAck)
        assert ack == ConfigAck(ConfigResult.OK, config.rate_hz, config.range_mg, config.block_samples)
        self.mcu.outputs()

    def arm(self) -> None:
        """Begin a lease; what the outputs do is not looked at."""
        assert only(self.say(Arm()), Status).flags & StatusFlag.ARMED
        self.mcu.outputs()

    def ready(self, **changes: int) -> None:
        """Greet, configure, arm."""
        self.greet()
        self.configure(**changes)
        self.arm()

    def reject(self, cmd_id: int, in_ticks: int, pulse_us: int = 1000, output: int = 0) -> RejectResult:
        """Ask for a pulse; give the answer."""
        heard = self.say(Reject(cmd_id, cmd_id + 1000, self.now + in_ticks, pulse_us, output))
        ack = only(heard, RejectAck)
        assert ack.cmd_id == cmd_id
        return RejectResult(ack.result)

    def status(self) -> Status:
        """Ask how the board is, by a greeting that begins nothing."""
        return only(self.say(Hello(proto=1, firmware=0, boot_id=SESSION)), Status)

    def outputs(self) -> list[Change]:
        """Give the changes of the outputs since they were last looked at."""
        return self.mcu.outputs()


def every(heard: list[Message], kind: type[M]) -> list[M]:
    """Give all messages of a kind."""
    return [message for message in heard if isinstance(message, kind)]


def only(heard: list[Message], kind: type[M]) -> M:
    """Give the one message of a kind."""
    found = every(heard, kind)
    assert len(found) == 1, f"one {kind.__name__} expected: {heard}"
    return found[0]


def results(heard: list[Message]) -> dict[int, RejectResult]:
    """Give the answers to rejects by command; each command must be answered once."""
    acks = every(heard, RejectAck)
    assert max(Counter(ack.cmd_id for ack in acks).values(), default=1) == 1
    return {ack.cmd_id: RejectResult(ack.result) for ack in acks}


def done(heard: list[Message]) -> dict[int, int]:
    """Give when pulses began, by command [ticks]; each command must be told once."""
    told = every(heard, RejectDone)
    assert max(Counter(one.cmd_id for one in told).values(), default=1) == 1
    return {one.cmd_id: one.actual_ticks for one in told}


def edges(heard: list[Message]) -> list[int]:
    """Give the numbers of the edges in the order they were said."""
    return [edge.edge_seq for edge in every(heard, Edge)]


def expected(heard: list[Message]) -> int:
    """Give the number that the only ACK wants next."""
    return only(heard, Ack).expected


def check_account(blocks: list[Block]) -> None:
    """Every sample between the first and the last of these blocks was received or is counted as dropped."""
    first, last = blocks[0], blocks[-1]
    received = sum(len(block.samples) for block in blocks)
    dropped = sum(block.dropped_before for block in blocks[1:])
    assert received + dropped == last.first_sample + len(last.samples) - first.first_sample
    assert [block.block_seq for block in blocks] == list(range(first.block_seq, first.block_seq + len(blocks)))
    expected_first = first.first_sample
    for block in blocks:
        if block is not first:
            expected_first += block.dropped_before
        assert block.first_sample == expected_first
        expected_first += len(block.samples)


def check_values(blocks: list[Block]) -> None:
    """Every block holds the samples that its number says."""
    for block in blocks:
        np.testing.assert_array_equal(block.samples, sample_values(block.first_sample, len(block.samples)))
