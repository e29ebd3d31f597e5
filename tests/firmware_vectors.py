"""Packets of every message with their bytes, which both ends are checked against.

`python tests/firmware_vectors.py` writes `firmware_bridge/firmware/vectors.json` anew from the table in
`firmware_bridge/messages.py`; that belongs into the commit that changes the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import numpy as np

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # as a script it has no other way to the package

from firmware_bridge.layout import encode_message  # noqa: E402
from firmware_bridge.messages import (  # noqa: E402
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
from firmware_bridge.packet import encode_packet  # noqa: E402

PATH: Final = ROOT / "firmware_bridge" / "firmware" / "vectors.json"
U8, U16, U32, U64 = (2**bits - 1 for bits in (8, 16, 32, 64))

MESSAGES: Final[tuple[Message, ...]] = (
    Hello(1, 0, 0x1122334455667788),
    Hello(1, 0x010203, U64, 84_000_000, "IIS3DWB", 16_000, 26_667, 2, 4, 2048),
    Config(26_667, 8_000, 256, 500, 2_000, 0, 1, 0b0011, 0b0100),
    Config(U32, U32, U16, U16, U32, U8, U8, U8, U8),
    ConfigAck(0, 26_667, 8_000, 256),
    ConfigAck(6, 0, 0, 0),
    Ping(123_456_789_012_345),
    Ping(U64),
    Pong(123_456_789_012_345, 2**40, 2**40 + 17),
    Arm(),
    Heartbeat(500),
    Reject(7, 1007, 2**40 + 12_345, 20_000, 1),
    Reject(U32, U32, U64, U32, U8),
    RejectAck(7, 0),
    RejectAck(U32, 7),
    RejectDone(7, 2**40 + 12_346),
    Cancel(7),
    Block(0, 0, 2**40, 0, 0, 2150, np.zeros((1, 3), np.int16)),
    Block(3, 768, 2**40, 256, 1, -1250, (np.arange(768) * 85 - 32_640).astype(np.int16).reshape(256, 3)),
    Block(U32, U64, U64, U32, 7, -32_768, np.full((333, 3), -1, np.int16)),
    Edge(1, 2**40, 0, 1, 0),
    Edge(U32, U64, U8, 1, U8),
    Status(2**40, 5, 6, 7, 8, 9, 10, 11, 12, 7),
    Log(0, "sampling"),
    Log(2, "Ω" * 100),
    Ack(1),
    Nak(U16),
)


def vectors() -> list[dict[str, object]]:
    """Give each message as a packet: its number, what is in it, and its bytes on the wire."""
    found: list[dict[str, object]] = []
    for index, message in enumerate(MESSAGES):
        packet = encode_message(message, (index * 4369) % 65_536)
        found.append(
            {
                "message": type(message).__name__,
                "type": packet.type,
                "reliable": packet.reliable,
                "seq": packet.seq,
                "payload": packet.payload.hex(),
                "wire": encode_packet(packet).hex(),
            }
        )
    return found


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n")
