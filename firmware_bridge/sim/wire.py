"""A wire that can be bad: delays, loses, damages, doubles and swaps what goes over it, as a script and a seed say.

Pure: bytes and time in, bytes out when they are due. One object is one direction.
"""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, replace
from typing import Final

from firmware_bridge.packet import DELIMITER, MAX_ENCODED

BITS_PER_BYTE: Final = 10
"""On a UART: a start bit, eight bits, a stop bit."""


@dataclass(frozen=True)
class Faults:
    """How bad a wire is. Shares are of packets.

    Attributes:
        delay_s: shortest delay [s].
        jitter_s: more than that, uniformly, at most [s].
        spike_share: share that is held up by `spike_s` more.
        spike_s: a hold-up [s].
        lost_share: share that never arrives.
        flipped_share: share with one bit changed.
        doubled_share: share that arrives twice.
        swapped_share: share that arrives after the one behind it.
        cut_share: share of which only the first half arrives.
        noise_share: share that is followed by random bytes.
        baud: of a UART, at which one byte waits for the other [bit/s]; 0 for a wire that carries everything at once.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    spike_share: float = 0.0
    spike_s: float = 0.0
    lost_share: float = 0.0
    flipped_share: float = 0.0
    doubled_share: float = 0.0
    swapped_share: float = 0.0
    cut_share: float = 0.0
    noise_share: float = 0.0
    baud: int = 0


CLEAN: Final = Faults()
QUIET_USB: Final = Faults(delay_s=0.00015, jitter_s=0.00025)
"""A full-speed USB device on an idle host: polled about every quarter of a millisecond."""
NOISY_USB: Final = Faults(delay_s=0.0001, jitter_s=0.001, spike_share=0.05, spike_s=0.008)
"""The same on a busy host: polled every millisecond, and one in twenty waits for the scheduler."""
BAD_CABLE: Final = replace(
    NOISY_USB,
    lost_share=0.002,
    flipped_share=0.002,
    doubled_share=0.001,
    swapped_share=0.001,
    cut_share=0.001,
    noise_share=0.001,
)
"""Worse than any plant would run with: about one packet in a hundred comes to harm."""


class Wire:
    """One direction of a wire.

    Args:
        faults: how bad it is; may be changed at any time.
        seed: of what happens.
    """

    def __init__(self, faults: Faults = CLEAN, seed: int = 0) -> None:
        self.faults = faults
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, bytes]] = []
        self._order = itertools.count()
        self._held: bytes | None = None
        self._rest = b""
        self._last_s = 0.0
        self.harmed = 0  #: packets that did not arrive as they were sent

    def send(self, data: bytes, now: float) -> None:
        """Put bytes on the wire.

        Args:
            data: whole packets, or pieces of them.
            now: when [s].
        """
        *packets, self._rest = (self._rest + data).split(DELIMITER)
        for packet in packets:
            self._carry(packet + DELIMITER, now)
        if len(self._rest) > MAX_ENCODED:  # no packet: what comes may be anything
            self._carry(self._rest, now)
            self._rest = b""

    def receive(self, now: float) -> bytes:
        """Take the bytes that have arrived by `now` [s]."""
        arrived = bytearray()
        while self._due and self._due[0][0] <= now:
            arrived += heapq.heappop(self._due)[2]
        return bytes(arrived)

    def next_s(self) -> float:
        """Give when the next bytes arrive [s]; infinite when none are on their way."""
        return self._due[0][0] if self._due else float("inf")

    def _carry(self, packet: bytes, now: float) -> None:
        faults, chance = self.faults, self._random.random
        if chance() < faults.lost_share:
            self.harmed += 1
            return
        if chance() < faults.flipped_share:
            at = self._random.randrange(len(packet))
            packet = packet[:at] + bytes([packet[at] ^ 1 << self._random.randrange(8)]) + packet[at + 1 :]
            self.harmed += 1
        if chance() < faults.cut_share:
            packet = packet[: len(packet) // 2]
            self.harmed += 1
        if chance() < faults.noise_share:
            packet += self._random.randbytes(self._random.randrange(1, 40))
            self.harmed += 1
        if self._held is None and chance() < faults.swapped_share:
            self._held = packet
            self.harmed += 1
            return
        copies = 2 if chance() < faults.doubled_share else 1
        for _ in range(copies):
            self._deliver(packet, now)
        if self._held is not None:
            held, self._held = self._held, None
            self._deliver(held, now)

    def _deliver(self, packet: bytes, now: float) -> None:
        faults = self.faults
        delay_s = faults.delay_s + self._random.random() * faults.jitter_s
        if self._random.random() < faults.spike_share:
            delay_s += faults.spike_s
        self._last_s = max(self._last_s, now + delay_s)  # a byte stream keeps its order
        if faults.baud:
            self._last_s += BITS_PER_BYTE * len(packet) / faults.baud
        heapq.heappush(self._due, (self._last_s, next(self._order), packet))
