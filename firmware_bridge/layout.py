"""The one table of messages: which number each has, and how its fields lie in a payload.

Integers are little endian and stand in the order of the record's fields, without padding. A block of samples and a log
line end in a part of variable length. The documents and the C firmware are checked against this table.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from firmware_bridge.codes import AXES, Type
from firmware_bridge.errors import BadPacket
from firmware_bridge.messages import (
    Ack,
    Arm,
    Block,
    Cancel,
    Config,
    ConfigAck,
    Edge,
    Heartbeat,
    Hello,
    Log,
    Message,
    Nak,
    Ping,
    Pong,
    Reject,
    RejectAck,
    RejectDone,
    Status,
)
from firmware_bridge.packet import MAX_PAYLOAD, Packet

MAX_LOG_BYTES: Final = 200
WORD_BYTES: Final = 16
"""Of the text in a HELLO."""


@dataclass(frozen=True)
class Layout:
    """How a message lies in a payload.

    Attributes:
        type: its number.
        fixed: its fields, without a tail.
        reliable: it is acknowledged and repeated.
        tail: the last field, of variable length: "samples", "text" or "".
    """

    type: Type
    fixed: struct.Struct
    reliable: bool = False
    tail: str = ""


LAYOUTS: Final[dict[type[Message], Layout]] = {
    Hello: Layout(Type.HELLO, struct.Struct("<BIQI16sIIBBH")),
    Config: Layout(Type.CONFIG, struct.Struct("<IIHHIBBBB"), reliable=True),
    ConfigAck: Layout(Type.CONFIG_ACK, struct.Struct("<BIIH")),
    Ping: Layout(Type.PING, struct.Struct("<Q")),
    Pong: Layout(Type.PONG, struct.Struct("<QQQ")),
    Arm: Layout(Type.ARM, struct.Struct("<"), reliable=True),
    Heartbeat: Layout(Type.HEARTBEAT, struct.Struct("<H")),
    Reject: Layout(Type.REJECT, struct.Struct("<IIQIB"), reliable=True),
    RejectAck: Layout(Type.REJECT_ACK, struct.Struct("<IB")),
    RejectDone: Layout(Type.REJECT_DONE, struct.Struct("<IQ")),
    Cancel: Layout(Type.CANCEL, struct.Struct("<I"), reliable=True),
    Block: Layout(Type.BLOCK, struct.Struct("<IQQIBhH"), tail="samples"),
    Edge: Layout(Type.EDGE, struct.Struct("<IQBBB")),
    Status: Layout(Type.STATUS, struct.Struct("<QIIIIIIHBB")),
    Log: Layout(Type.LOG, struct.Struct("<B"), tail="text"),
    Ack: Layout(Type.ACK, struct.Struct("<H")),
    Nak: Layout(Type.NAK, struct.Struct("<H")),
}
BY_TYPE: Final[dict[int, type[Message]]] = {layout.type: kind for kind, layout in LAYOUTS.items()}


def encode_message(message: Message, seq: int) -> Packet:
    """Put a message into a packet.

    Args:
        message: what to say.
        seq: its number in the sequence of its class.

    Returns:
        The packet, reliable where the message is.

    Raises:
        ValueError: a value does not fit its field.
    """
    layout = LAYOUTS[type(message)]
    try:
        payload = _payload(message, layout)
    except (struct.error, UnicodeEncodeError) as error:
        raise ValueError(f"{message} does not fit its packet: {error}") from None
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"{layout.type.name} has {len(payload)} bytes, at most {MAX_PAYLOAD} fit")
    return Packet(layout.type, layout.reliable, seq, payload)


def decode_message(packet: Packet) -> Message:
    """Read the message in a packet.

    Args:
        packet: whole and checked.

    Returns:
        The message; a number that is not known to this program stays a number.

    Raises:
        BadPacket: its type is unknown, or its payload is not laid out as that type is.
    """
    kind = BY_TYPE.get(packet.type)
    if kind is None:
        raise BadPacket(f"there is no message of type {packet.type}")
    layout = LAYOUTS[kind]
    fixed, payload = layout.fixed, packet.payload
    if len(payload) < fixed.size or (not layout.tail and len(payload) != fixed.size):
        raise BadPacket(f"{layout.type.name} of {len(payload)} bytes, {fixed.size} expected")
    if packet.reliable != layout.reliable:
        raise BadPacket(f"{layout.type.name} came in the wrong class")
    values, tail = fixed.unpack_from(payload), payload[fixed.size :]
    if kind is Block:
        return _block(values, tail)
    if kind is Log:
        return Log(values[0], tail[:MAX_LOG_BYTES].decode(errors="replace"))
    make: Callable[..., Message] = kind
    return make(*(v.rstrip(b"\0").decode("ascii", "replace") if isinstance(v, bytes) else v for v in values))


def _payload(message: Message, layout: Layout) -> bytes:
    match message:
        case Block():
            values = [getattr(message, f.name) for f in dataclasses.fields(message)[:-1]]
            samples = np.ascontiguousarray(message.samples, "<i2")
            if samples.ndim != 2 or samples.shape[1] != AXES:
                raise ValueError(f"samples must be (n, {AXES}), got {samples.shape}")
            return layout.fixed.pack(*values, len(samples)) + samples.tobytes()
        case Log():
            return layout.fixed.pack(message.level) + message.text.encode()[:MAX_LOG_BYTES]
        case _:
            values = [getattr(message, f.name) for f in dataclasses.fields(message)]
            return layout.fixed.pack(*(_word(v) if isinstance(v, str) else v for v in values))


def _word(text: str) -> bytes:
    """Encode a short text; `struct` would cut it without a word."""
    data = text.encode("ascii")
    if len(data) > WORD_BYTES:
        raise ValueError(f"{text!r} has {len(data)} bytes, at most {WORD_BYTES} fit")
    return data


def _block(values: tuple[Any, ...], tail: bytes) -> Block:
    *fields, n = values
    make: Callable[..., Block] = Block
    if n == 0 or len(tail) != n * AXES * 2:
        raise BadPacket(f"BLOCK of {n} samples with {len(tail)} bytes")
    return make(*fields, np.frombuffer(tail, "<i2").reshape(n, AXES))
