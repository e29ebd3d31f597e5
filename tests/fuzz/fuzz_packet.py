"""The station's decoder under a fuzzer that looks for new paths: `make fuzz`. No test collects this file.

Held against it: no exception but the one that says to drop a packet, bounded memory, and a good packet is found after
whatever came before.
"""

from __future__ import annotations

import contextlib
import sys

import atheris

with atheris.instrument_imports(include=["firmware_bridge", "cobs"]):
    from firmware_bridge.errors import BadPacket
    from firmware_bridge.layout import decode_message
    from firmware_bridge.packet import HEADER, MAX_ENCODED, MAX_PAYLOAD, Packet, PacketDecoder, encode_packet

GOOD = Packet(4, False, 1, bytes(8))


def take(packet: Packet) -> None:
    with contextlib.suppress(BadPacket):
        decode_message(packet)


def one_input(data: bytes) -> None:
    decoder = PacketDecoder()
    for at in range(0, len(data), 100):
        for packet in decoder.feed(data[at : at + 100]):
            take(packet)
        assert len(decoder._held) <= MAX_ENCODED + 1
    decoder.feed(b"\0")
    assert decoder.feed(encode_packet(GOOD)) == [GOOD]
    if len(data) >= HEADER.size:  # a fuzzer does not guess a CRC: the message layer gets its input directly
        take(Packet(data[0], bool(data[1] & 1), 0, data[2 : 2 + MAX_PAYLOAD]))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
