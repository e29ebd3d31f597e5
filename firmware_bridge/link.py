"""One end of the wire: numbers messages, repeats the reliable ones until they are acknowledged, counts the others.

Pure: bytes and time in, messages and bytes out. Both ends are the same object; only the host has reliable messages to
send. The window and the acknowledgements are go-back-N (Tanenbaum, "Computer Networks", section 3.4.2).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from firmware_bridge.errors import BadPacket
from firmware_bridge.layout import LAYOUTS, decode_message, encode_message
from firmware_bridge.messages import Ack, Hello, Message, Nak
from firmware_bridge.packet import DELIMITER, Packet, PacketDecoder, encode_packet

WINDOW: Final = 8
"""Reliable packets that may be unacknowledged: what a small microcontroller can be asked to take in one go."""
WAITING: Final = 16
"""Reliable messages that may wait for the window; one more is refused."""
ACK_S: Final = 0.020
"""A packet that is not acknowledged so long after it was sent is sent again [s]."""
REPEATS: Final = 3
"""Repetitions without an answer after which the link is down."""
HALF: Final = 0x8000
MASK: Final = 0xFFFF


@dataclass
class LinkCounts:
    """What happened on one end of the wire, apart from damage, which the decoder counts."""

    sent: int = 0  #: packets, repetitions included
    received: int = 0  #: whole packets
    lost: int = 0  #: counted packets of the other end that never came
    stale: int = 0  #: counted packets that came twice or out of order
    repeated: int = 0  #: reliable packets that came again
    out_of_order: int = 0  #: reliable packets that came ahead of their turn
    retried: int = 0  #: reliable packets sent again
    refused: int = 0  #: reliable messages that could not be queued
    unusable: int = 0  #: whole packets that are no message


@dataclass
class _InFlight:
    seq: int
    data: bytes
    sent_s: float


class Link:
    """Carries messages both ways over bytes that may be lost, damaged, doubled or cut anywhere."""

    def __init__(self) -> None:
        self.decoder = PacketDecoder()
        self.counts = LinkCounts()
        self.accepting = True  #: whether reliable packets are taken; others are neither acknowledged nor delivered
        self._counted_seq = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew: the next reliable packet of either end has number 0; what waits is forgotten, counters go on."""
        self._output = bytearray()
        self._reliable_seq = self._expected = 0
        self._peer_seq: int | None = None
        self._waiting: deque[Message] = deque()
        self._flying: deque[_InFlight] = deque()
        self._repeats = 0
        self._gap: int | None = None
        self.down = False  #: a reliable packet was repeated in vain; only `reset` helps

    def open(self) -> None:
        """Begin on another cable: `reset`, and neither end goes on with a packet that was cut off."""
        self.reset()
        self.decoder.forget()
        self._output += DELIMITER

    @property
    def unacknowledged(self) -> int:
        """Reliable messages that the other end has not taken yet."""
        return len(self._flying) + len(self._waiting)

    def send(self, message: Message, now: float) -> bool:
        """Say something.

        Args:
            message: what to say.
            now: host monotonic time [s].

        Returns:
            False when it is reliable and no more can wait.

        Raises:
            ValueError: a value does not fit its field.
        """
        if not LAYOUTS[type(message)].reliable:
            self._write(encode_packet(encode_message(message, self._counted_seq)))
            self._counted_seq = (self._counted_seq + 1) & MASK
            return True
        if len(self._waiting) >= WAITING:
            self.counts.refused += 1
            return False
        encode_message(message, 0)  # refused here, not when its turn comes
        self._waiting.append(message)
        self._fill_window(now)
        return True

    def receive(self, data: bytes, now: float) -> list[Message]:
        """Take the next bytes; give the messages that they complete, each reliable one once, oldest first.

        Args:
            data: what came over the wire, in any pieces.
            now: host monotonic time [s].

        Returns:
            The messages; those of the link itself, ACK and NAK, are not among them.
        """
        messages: list[Message] = []
        for packet in self.decoder.feed(data):
            self.counts.received += 1
            try:
                message = decode_message(packet)
            except BadPacket:
                self.counts.unusable += 1
                if packet.reliable:
                    self._accept(packet, now)  # asked for again, it would be no better
                continue
            if packet.reliable:
                if self._accept(packet, now):
                    messages.append(message)
                continue
            if isinstance(message, Hello):
                self._peer_seq = None  # a microcontroller that has started anew begins to count anew
            self._count(packet)
            match message:
                case Ack(expected):
                    self._acknowledged(expected, now)
                case Nak(expected):
                    self._acknowledged(expected, now)
                    self._close_gap(expected, now)
                case _:
                    messages.append(message)
        return messages

    def step(self, now: float) -> None:
        """Repeat what was not acknowledged in time."""
        if now < self.next_wake_s():
            return
        if self._repeats == REPEATS:
            self.down = True
            return
        self._repeats += 1
        self._repeat(now)

    def next_wake_s(self) -> float:
        """Give when `step` has something to do [s]; infinite when nothing is due."""
        return math.inf if self.down or not self._flying else self._flying[0].sent_s + ACK_S

    def take_output(self) -> bytes:
        """Give the bytes that are to be written, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def _write(self, data: bytes) -> None:
        self._output += data
        self.counts.sent += 1

    def _fill_window(self, now: float) -> None:
        while self._waiting and len(self._flying) < WINDOW:
            data = encode_packet(encode_message(self._waiting.popleft(), self._reliable_seq))
            self._flying.append(_InFlight(self._reliable_seq, data, now))
            self._reliable_seq = (self._reliable_seq + 1) & MASK
            self._write(data)

    def _acknowledged(self, expected: int, now: float) -> None:
        """Let go of what the other end has; a number outside the window says nothing."""
        taken = (expected - self._flying[0].seq) & MASK if self._flying else 0
        if 0 < taken <= len(self._flying):
            for _ in range(taken):
                self._flying.popleft()
            self._repeats = 0
            self._gap = None
            self._fill_window(now)

    def _close_gap(self, missing: int, now: float) -> None:
        """Repeat from the packet that is missing, once: each packet behind it says so, and the answers cross.

        Should that come to harm as well, time runs out for it as for every other.
        """
        if self._flying and missing == self._flying[0].seq and missing != self._gap:
            self._gap = missing
            self._repeat(now)

    def _repeat(self, now: float) -> None:
        for packet in self._flying:
            packet.sent_s = now
            self._write(packet.data)
            self.counts.retried += 1

    def _accept(self, packet: Packet, now: float) -> bool:
        if not self.accepting:
            return False
        ahead = (packet.seq - self._expected) & MASK
        if ahead == 0:
            self._expected = (self._expected + 1) & MASK
            self.send(Ack(self._expected), now)
            return True
        if ahead < HALF:
            self.counts.out_of_order += 1
            self.send(Nak(self._expected), now)
        else:
            self.counts.repeated += 1
            self.send(Ack(self._expected), now)
        return False

    def _count(self, packet: Packet) -> None:
        ahead = 0 if self._peer_seq is None else (packet.seq - self._peer_seq) & MASK
        if ahead >= HALF:
            self.counts.stale += 1
            return
        self.counts.lost += ahead
        self._peer_seq = (packet.seq + 1) & MASK
