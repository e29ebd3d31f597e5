"""A microcontroller for the tests of hosts: it says what a test wants, acknowledges what it is told to, and decodes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np
from host_drivers import CONFIG, START_US, Event, Host, StartHost

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
    Ping,
    Pong,
    Reject,
    RejectAck,
    Status,
)
from firmware_bridge.packet import PacketDecoder, encode_packet

M = TypeVar("M", bound=Message)

MS: Final = 1000
SECOND: Final = 1_000_000
BOARD: Final = Hello(1, 0x0001_0000, 7, 1_000_000, "scripted", 16_000, 26_667, 2, 2)
ARMED: Final = StatusFlag.CONFIGURED | StatusFlag.ARMED


class Rig:
    """One host and the board that a test plays.

    Attributes:
        host: the host.
        hello: who the board is.
        said: reliable packets that came, as (number, message), repetitions included.
    """

    def __init__(self, start: StartHost) -> None:
        self.host: Host = start()
        self.hello = BOARD
        self.expected = 0
        self.said: list[tuple[int, Message]] = []
        self._seq = 0
        self._decoder = PacketDecoder()
        self._events: deque[Event] = deque()

    @property
    def ticks(self) -> int:
        """The board's counter now."""
        return self.host.now - START_US + 2**33

    def open(self) -> None:
        """Begin a session, and let the host say what it says at once."""
        self.host.open()
        self.host.advance(0)

    def say(self, *messages: Message) -> None:
        """Let the board say something, in one piece."""
        self.host.feed(b"".join(self.wire(message) for message in messages))

    def wire(self, message: Message) -> bytes:
        """Give the bytes of a message with the next number."""
        data = encode_packet(encode_message(message, self._seq))
        self._seq = (self._seq + 1) & 0xFFFF
        return data

    def hear(self) -> list[Message]:
        """Give what the host has said since the last call; nothing is acknowledged."""
        messages = []
        for packet in self._decoder.feed(self.host.take()):
            message = decode_message(packet)
            messages.append(message)
            if packet.reliable:
                assert LAYOUTS[type(message)].reliable
                self.said.append((packet.seq, message))
        return messages

    def hear_of(self, kind: type[M]) -> list[M]:
        """Give what the host has said of one kind since the last call."""
        return [message for message in self.hear() if isinstance(message, kind)]

    def take(self) -> list[Message]:
        """Give what the host has said, and acknowledge all of it that is reliable."""
        messages = self.hear()
        reliable = [seq for seq, _ in self.said]
        if reliable:
            self.expected = (reliable[-1] + 1) & 0xFFFF
            self.say(Ack(self.expected))
        return messages

    def events(self, kind: str = "") -> list[Event]:
        """Give what the host has told since the last call, of one kind or of all."""
        events = self.host.heard()
        return [event for event in events if kind in ("", event[0])]

    def wait(self, us: int) -> None:
        """Let time pass, and acknowledge and answer pings and heartbeats meanwhile."""
        until = self.host.now + us
        while self.host.now < until:
            self.host.advance(min(5 * MS, until - self.host.now))
            self.answer()

    def answer(self) -> list[Message]:
        """Acknowledge what was said and answer its pings; give the rest."""
        messages = self.take()
        for message in messages:
            if isinstance(message, Ping):
                self.say(Pong(message.host_ns, self.ticks, self.ticks))
        return [message for message in messages if not isinstance(message, Ping)]

    def status(self, edges: int = 0, flags: int = StatusFlag.CONFIGURED) -> Status:
        """Give a status of now."""
        return Status(self.ticks, edges, 0, 0, 0, 0, 0, 0, 0, flags)

    def greeted(self, edges: int = 0) -> None:
        """Answer the greeting; what comes next is CONFIG."""
        self.open()
        assert self.hear_of(Hello)
        self.said.clear()
        self.say(self.hello, self.status(edges))

    def configured(self, edges: int = 0) -> None:
        """Answer the greeting and the configuration; what comes next are pings."""
        self.greeted(edges)
        assert [message for message in self.take() if isinstance(message, Config)] == [CONFIG]
        self.say(ConfigAck(ConfigResult.OK, CONFIG.rate_hz, CONFIG.range_mg, CONFIG.block_samples))

    def up(self, edges: int = 0) -> None:
        """Lead a session on until it is up."""
        self.configured(edges)
        self.sync()

    def sync(self) -> None:
        """Answer pings until the session is up."""
        for _ in range(100):
            self.answer()
            events = self.events()
            self.host.advance(5 * MS)
            if any(event[0] == "up" for event in events):
                self.up_event = next(event for event in events if event[0] == "up")
                return
        raise AssertionError("the host has not come up")

    def reboot(self, boot_id: int) -> None:
        """Let the board start anew: it says HELLO unasked, and numbers from 0."""
        self._seq = 0
        self.hello = replace(self.hello, boot_id=boot_id)
        self.say(self.hello)

    def edge(self, number: int) -> int:
        """Let a part come now; give its tick."""
        self.say(Edge(number, self.ticks, 0, 1, 0))
        return self.ticks

    def block(self, seq: int, first: int, dropped: int = 0, n: int = 4) -> None:
        """Say a block whose samples are 1, 2, 3, …."""
        samples = np.arange(1, 3 * n + 1, dtype=np.int16).reshape(n, 3)
        self.say(Block(seq, first, self.ticks, dropped, 0, 2150, samples))

    def asked(self, edge: int = 1, after_us: int = 300 * MS, **more: Any) -> Reject:
        """Have the host ask for a pulse; give what it said, acknowledged."""
        self.host.reject(edge, after_us, **more)
        (reject,) = (message for message in self.take() if isinstance(message, Reject))
        return reject

    def accepted(self, edge: int = 1, after_us: int = 300 * MS) -> Reject:
        """The same, and the board will do it."""
        reject = self.asked(edge, after_us)
        self.say(RejectAck(reject.cmd_id, RejectResult.ACCEPTED))
        return reject

    def arm(self) -> list[Message]:
        """Let whoever decides be alive; give what the host says behind ARM, acknowledged, and be armed."""
        self.host.alive(True)
        for _ in range(130):  # a quarter of a lease at most
            messages = [message for message in self.take() if LAYOUTS[type(message)].reliable]
            if messages:
                assert isinstance(messages[0], Arm)
                self.say(self.status(flags=ARMED))
                return messages[1:]
            self.host.advance(MS)
        raise AssertionError("the host does not arm")
