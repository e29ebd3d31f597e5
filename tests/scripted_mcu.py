"""A session whose microcontroller says what the test wants, and nothing by itself. No wire, no waiting."""

from __future__ import annotations

import itertools
from dataclasses import replace

from firmware_bridge.codes import ConfigResult, StatusFlag
from firmware_bridge.handshake import State
from firmware_bridge.heard import Heard
from firmware_bridge.link import Link
from firmware_bridge.messages import Config, ConfigAck, Edge, Hello, Message, Ping, Pong, Status
from firmware_bridge.session import Session

CONFIG = Config(1000, 16_000, 64, 500, 500, 0, 1, 0b01, 0b01)
HELLO = Hello(1, 0x0001_0000, 7, 1_000_000, "SCRIPT", 16_000, 26_667, 2, 2)
STATUS = Status(0, 0, 0, 0, 0, 0, 0, 0, 0, StatusFlag.CONFIGURED)
T0 = 100.0


class Scripted:
    """A session and the words of its microcontroller.

    Args:
        hello: who the microcontroller is.
    """

    def __init__(self, hello: Hello = HELLO) -> None:
        self.hello = hello
        self.now = T0
        self.heard: list[Heard] = []
        ids = itertools.count(1)
        self.session = Session(CONFIG, lambda: next(ids))
        self.link = Link()
        self.session.open(self.now)

    def say(self, *messages: Message) -> None:
        """Let the microcontroller say something, in one piece."""
        for message in messages:
            self.link.send(message, self.now)
        self.feed(self.link.take_output())

    def feed(self, data: bytes) -> None:
        """Let bytes come."""
        self.heard += self.session.receive(data, self.now)

    def hear(self) -> list[Message]:
        """Give what the session has said; acknowledge it."""
        messages = self.link.receive(self.session.take_output(), self.now)
        if any(isinstance(message, Hello) for message in messages):
            self.link.reset()
        self.feed(self.link.take_output())
        return messages

    def step(self, seconds: float = 0.0) -> None:
        """Let time pass, in one leap [s]."""
        self.now += seconds
        self.heard += self.session.step(self.now)

    def ticks(self) -> int:
        """Give the counter now."""
        return round((self.now - T0) * 1e6)

    def edge(self, number: int) -> None:
        """Let a part come now."""
        self.say(Edge(number, self.ticks(), 0, 1, 0))

    def status(self, edges: int = 0, flags: int = StatusFlag.CONFIGURED) -> Status:
        """Give a status of now."""
        return replace(STATUS, ticks=self.ticks(), edges=edges, flags=flags)

    def reach(self, state: State, edges: int = 0) -> None:
        """Lead the session on until it is in a state."""
        for _ in range(100):
            if self.session.state is state:
                return
            self.step(0.020 if self.session.state is State.SYNCING else 0.0)
            for message in self.hear():
                match message:
                    case Hello():
                        self.say(self.hello, self.status(edges))
                    case Config():
                        self.say(ConfigAck(ConfigResult.OK, message.rate_hz, message.range_mg, message.block_samples))
                    case Ping():
                        self.say(Pong(message.host_ns, self.ticks(), self.ticks()))
                if self.session.state is state:
                    return
        raise AssertionError(f"{state} was not reached, only {self.session.state}")
