"""Packets are cut by a pure object that is fed bytes: no port, no clock, no thread.

A packet on the wire is `COBS(header | payload | CRC-32 of both, little endian)` and one zero byte. Framing is that of
Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7 (2), 1999; the CRC is the
one of IEEE 802.3. After damage the next zero byte resynchronises, so damage costs the packet it hit and no other, and
two when it took the zero byte between them.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from cobs import cobs

VERSION: Final = 1
"""Of this layout; the first byte of every packet."""
HEADER: Final = struct.Struct("<BBBBHH")
"""Version, type, flags, reserved (0), sequence number, length of the payload [bytes]."""
CRC_BYTES: Final = 4
MAX_PACKET: Final = 2048
"""Header, payload and CRC of the longest packet [bytes]: a block of 333 samples, and what a small buffer can hold."""
MAX_PAYLOAD: Final = MAX_PACKET - HEADER.size - CRC_BYTES
MAX_ENCODED: Final = MAX_PACKET + MAX_PACKET // 254 + 1
"""The longest packet after byte stuffing, without the zero byte [bytes]."""
DELIMITER: Final = b"\0"
RELIABLE: Final = 0x01
"""Flag: this packet is acknowledged, repeated until it is, and delivered in order."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One checked packet.

    Attributes:
        type: what the payload is (`messages.Type`).
        reliable: it belongs to the class that is acknowledged; each class has its own sequence.
        seq: its number in the sender's sequence, modulo 65,536.
        payload: at most `MAX_PAYLOAD` bytes.
    """

    type: int
    reliable: bool
    seq: int
    payload: bytes


def encode_packet(packet: Packet) -> bytes:
    """Give the bytes of a packet as they go over the wire, its zero byte included.

    Args:
        packet: what to encode.

    Returns:
        At most `MAX_ENCODED` + 1 bytes, the last of them zero and no other.

    Raises:
        ValueError: the payload is too long, or a number does not fit its field.
    """
    if len(packet.payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload has at most {MAX_PAYLOAD} bytes, not {len(packet.payload)}")
    flags = RELIABLE if packet.reliable else 0
    try:
        header = HEADER.pack(VERSION, packet.type, flags, 0, packet.seq, len(packet.payload))
    except struct.error as error:
        raise ValueError(f"type {packet.type} or seq {packet.seq} does not fit: {error}") from None
    body = header + packet.payload
    return bytes(cobs.encode(body + zlib.crc32(body).to_bytes(CRC_BYTES, "little"))) + DELIMITER


@dataclass
class PacketDecoder:
    """Cuts a byte stream into checked packets.

    Bytes may arrive in any pieces. Damage costs the packet it hit, never the next one.
    """

    corrupt: int = 0  #: packets dropped because of a bad code, length or checksum
    oversize: int = 0  #: runs of more than `MAX_ENCODED` bytes without a zero byte
    foreign: int = 0  #: whole packets of another version of the protocol
    foreign_version: int = 0  #: the version of the last of them
    _held: bytes = b""

    def feed(self, data: bytes) -> list[Packet]:
        """Take the next bytes of the stream; give the packets that they complete, oldest first."""
        *pieces, rest = (self._held + data).split(DELIMITER)
        self._held = rest[: MAX_ENCODED + 1]  # the one byte too many keeps it oversize
        return [packet for piece in pieces if piece and (packet := self._checked(piece)) is not None]

    def forget(self) -> None:
        """Let go of the packet that has begun, because its rest will not come; the counters go on."""
        self._held = b""

    def _checked(self, piece: bytes) -> Packet | None:
        if len(piece) > MAX_ENCODED:
            self.oversize += 1
            return None
        try:
            body = cobs.decode(piece)
        except cobs.DecodeError:
            self.corrupt += 1
            return None
        if (
            not HEADER.size + CRC_BYTES <= len(body) <= MAX_PACKET
            or zlib.crc32(body[:-CRC_BYTES]).to_bytes(CRC_BYTES, "little") != body[-CRC_BYTES:]
        ):
            self.corrupt += 1
            return None
        version, kind, flags, _, seq, length = HEADER.unpack_from(body)
        if version != VERSION:
            self.foreign += 1
            self.foreign_version = version
            return None
        payload = body[HEADER.size : -CRC_BYTES]
        if len(payload) != length:
            self.corrupt += 1
            return None
        return Packet(kind, bool(flags & RELIABLE), seq, payload)
