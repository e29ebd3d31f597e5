"""How fast packets are decoded, with the C extension of cobs and without, and how soon after damage they are again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from unittest import mock

import numpy as np
from cobs.cobs import _cobs_py

from firmware_bridge.layout import encode_message
from firmware_bridge.messages import Block
from firmware_bridge.packet import DELIMITER, PacketDecoder, encode_packet

BLOCKS: Final = 104
"""A second of the full rate."""
PIECE_BYTES: Final = 4096
"""What a terminal gives at a time at most."""
DAMAGES: Final = (
    "one bit",
    "one byte less",
    "one byte more",
    "half gone",
    "all gone",
    "its end gone",
    "40 random bytes",
)
TRIES: Final = 200


@dataclass(frozen=True)
class DecodeFigures:
    """What the decoder does.

    Attributes:
        c_ns_per_byte: with the C extension of cobs [ns].
        python_ns_per_byte: without it [ns].
        lost: for each kind of damage the most packets that one case of it cost.
    """

    c_ns_per_byte: float
    python_ns_per_byte: float
    lost: dict[str, int]


def stream() -> list[bytes]:
    """Give a second of blocks of a sensor at rest: half of every other byte is zero, which is the most to stuff."""
    chance = np.random.default_rng(1)
    return [
        encode_packet(encode_message(Block(i, 256 * i, 9600 * i, 0, 0, 2500, _noise(chance)), i)) for i in range(BLOCKS)
    ]


def _noise(chance: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    return chance.normal(0.0, 50.0, (256, 3)).astype(np.int16)


def decode_ns_per_byte(cpu_s: Callable[[], float], repeats: int) -> float:
    """Measure the decoder.

    Args:
        cpu_s: tells the processor time of this thread [s].
        repeats: seconds of blocks to decode; the fastest counts.

    Returns:
        Time for a byte on the wire [ns].
    """
    data = b"".join(stream())
    best_s = float("inf")
    for _ in range(repeats):
        decoder, begun_s, found = PacketDecoder(), cpu_s(), 0
        for at in range(0, len(data), PIECE_BYTES):
            found += len(decoder.feed(data[at : at + PIECE_BYTES]))
        best_s = min(best_s, cpu_s() - begun_s)
        assert found == BLOCKS
    return 1e9 * best_s / len(data)


def packets_lost(damage: str, tries: int = TRIES) -> int:
    """Give the most packets that one case of damage cost, of so many tries."""
    chance, packets = random.Random(1), stream()[:5]
    worst = 0
    for _ in range(tries):
        damaged = [*packets[:2], _damaged(damage, packets[2], chance), *packets[3:]]
        worst = max(worst, len(packets) - len(PacketDecoder().feed(b"".join(damaged))))
    return worst


def measure(cpu_s: Callable[[], float]) -> DecodeFigures:
    """Measure everything; takes about a second.

    Args:
        cpu_s: tells the processor time of this thread [s].

    Returns:
        The figures.
    """
    fast = decode_ns_per_byte(cpu_s, 20)
    with mock.patch("firmware_bridge.packet.cobs", _cobs_py):
        slow = decode_ns_per_byte(cpu_s, 5)
    return DecodeFigures(fast, slow, {damage: packets_lost(damage) for damage in DAMAGES})


def _damaged(damage: str, packet: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(packet) - 1)
    before, behind = packet[:at], packet[at:]
    return {
        "one bit": before + bytes([behind[0] ^ 1 << chance.randrange(8)]) + behind[1:],
        "one byte less": before + behind[1:],
        "one byte more": before + bytes([chance.randrange(256)]) + behind,
        "half gone": packet[: len(packet) // 2],
        "all gone": b"",
        "its end gone": packet.removesuffix(DELIMITER),
        "40 random bytes": before + chance.randbytes(40) + behind,
    }[damage]


def report(figures: DecodeFigures) -> str:
    """Give the figures for people."""
    costs = ", ".join(f"{damage} {lost}" for damage, lost in figures.lost.items())
    return (
        f"decoder: {figures.c_ns_per_byte:.1f} ns a byte, {figures.python_ns_per_byte:.0f} without the C extension of "
        f"cobs\npackets that damage costs at most: {costs}"
    )
