"""The one table of messages: each goes through a packet unchanged, and docs/wire.md has the same fields and numbers."""

import dataclasses
import re
import struct
from enum import IntEnum

import numpy as np
import pytest
from documents import document, rows, section

from firmware_bridge import messages
from firmware_bridge.codes import MAX_BLOCK_SAMPLES, BlockFlag, ConfigResult, RejectResult, StatusFlag, Type
from firmware_bridge.errors import BadPacket
from firmware_bridge.layout import BY_TYPE, LAYOUTS, Layout, decode_message, encode_message
from firmware_bridge.messages import Block, Edge, Hello, Log, Message
from firmware_bridge.packet import HEADER, MAX_ENCODED, MAX_PACKET, MAX_PAYLOAD, VERSION, Packet, encode_packet

WIRE_MD = document("wire.md")
CODES = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64", "h": "i16", "16s": "char[16]"}
TAILS = {"samples": "n u16, samples i16[n][3]", "text": "text", "": ""}


def codes(layout: Layout) -> list[str]:
    return [CODES[code] for code in re.findall(r"\d*[A-Za-z]", layout.fixed.format)]


def fields_of(kind: type[Message], layout: Layout) -> str:
    names = [field.name for field in dataclasses.fields(kind)]
    fixed = codes(layout)
    if layout.tail:
        names.pop()
    if layout.tail == "samples":
        fixed.pop()  # the count of samples is in the packet, not in the record
    told = [f"{name} {code}" for name, code in zip(names, fixed, strict=True)]
    return ", ".join(told + ([TAILS[layout.tail]] if layout.tail else []))


def documented() -> dict[int, list[str]]:
    return {int(row[0]): row[1:] for row in rows(section(WIRE_MD, "Messages"))}


def example(kind: type[Message], largest: bool) -> Message:
    layout = LAYOUTS[kind]
    if kind is Block:
        samples = np.arange(12, dtype=np.int16).reshape(4, 3) - 6
        return Block(2**32 - 1, 2**64 - 1, 2**64 - 1, 2**32 - 1, 255, -32_768, samples)
    if kind is Log:
        return Log(2, "überdreht: 3 µs")
    top = {"B": 2**8 - 1, "H": 2**16 - 1, "I": 2**32 - 1, "Q": 2**64 - 1}
    values = [
        ("simulated-1234-X" if largest else "") if code == "16s" else (top[code] if largest else 0)
        for code in re.findall(r"\d*[A-Za-z]", layout.fixed.format)
    ]
    return kind(*values)


@pytest.mark.parametrize("largest", [False, True], ids=["smallest", "largest"])
@pytest.mark.parametrize("kind", LAYOUTS, ids=lambda kind: kind.__name__)
def test_every_message_goes_through_a_packet_unchanged(kind: type[Message], largest: bool) -> None:
    message = example(kind, largest)

    packet = encode_message(message, 65_535)
    back = decode_message(packet)

    for field in dataclasses.fields(kind):
        assert np.array_equal(getattr(back, field.name), getattr(message, field.name)), field.name
    assert (packet.type, packet.reliable) == (LAYOUTS[kind].type, LAYOUTS[kind].reliable)


def test_every_type_has_one_layout_and_every_layout_one_type() -> None:
    assert sorted(BY_TYPE) == sorted(Type)
    assert len(LAYOUTS) == len(Type)


@pytest.mark.parametrize("kind", LAYOUTS, ids=lambda kind: kind.__name__)
def test_the_document_has_each_field_of_each_message_in_its_order_with_its_type(kind: type[Message]) -> None:
    layout = LAYOUTS[kind]

    name, _, fields = documented()[layout.type]

    assert name == layout.type.name
    assert fields == fields_of(kind, layout)


def test_the_document_has_no_message_that_is_gone() -> None:
    assert set(documented()) == set(BY_TYPE)


def test_a_document_with_two_fields_exchanged_would_be_found_out() -> None:
    exchanged = dataclasses.replace(LAYOUTS[Edge], fixed=struct.Struct("<QIBBB"))

    assert documented()[Type.EDGE][2] != fields_of(Edge, exchanged)


def test_the_document_names_the_reliable_messages() -> None:
    told = re.search(r"\*\*Reliable\*\*.*?: ([A-Z, _]+)\.", WIRE_MD)

    assert told is not None
    assert set(told[1].split(", ")) == {layout.type.name for layout in LAYOUTS.values() if layout.reliable}


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("CONFIG_ACK.result", ConfigResult),
        ("REJECT_ACK.result", RejectResult),
        ("BLOCK.flags", BlockFlag),
        ("STATUS.flags", StatusFlag),
    ],
)
def test_the_document_has_each_word_of_each_number(field: str, words: type[IntEnum]) -> None:
    told = re.search(rf"`{re.escape(field)}`: (.*?)\.", WIRE_MD)

    assert told is not None
    assert told[1] == ", ".join(f"{word.value} {word.name}" for word in words)


def test_the_document_has_the_limits_of_a_packet() -> None:
    text = section(WIRE_MD, "Packets")

    assert f"version u8 = {VERSION}" in text
    assert f"at most {MAX_PACKET:,} bytes" in text
    assert f"{MAX_ENCODED + 1:,} with its zero byte" in text
    assert f"a block of 1 to {MAX_BLOCK_SAMPLES} samples" in WIRE_MD


def test_the_longest_packet_is_as_long_as_is_said_and_the_longest_block_fits_it() -> None:
    longest = encode_packet(Packet(255, True, 65_535, b"\xff" * MAX_PAYLOAD))
    block = encode_message(Block(0, 0, 0, 0, 0, 0, np.full((MAX_BLOCK_SAMPLES, 3), -1, np.int16)), 0)

    assert len(longest) == MAX_ENCODED + 1
    assert HEADER.size + len(block.payload) + 4 <= MAX_PACKET


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, 0, 0, sensor="a name of 17 chars"),
        Hello(1, 0, 0, sensor="größer"),
        Hello(256, 0, 0),
        Edge(-1, 0, 0, 0, 0),
        Block(0, 0, 0, 0, 0, 0, np.zeros((4, 2), np.int16)),
        Block(0, 0, 0, 0, 0, 0, np.zeros((400, 3), np.int16)),
    ],
    ids=["word too long", "word not ascii", "u8 too large", "negative", "two axes", "block too long"],
)
def test_a_value_that_does_not_fit_is_refused_and_never_cut(message: Message) -> None:
    with pytest.raises(ValueError):
        encode_message(message, 0)


@pytest.mark.parametrize(
    "packet",
    [
        Packet(99, False, 0, b""),
        Packet(Type.EDGE, False, 0, bytes(14)),
        Packet(Type.EDGE, False, 0, bytes(16)),
        Packet(Type.EDGE, True, 0, bytes(15)),
        Packet(Type.REJECT, False, 0, bytes(21)),
        Packet(Type.LOG, False, 0, b""),
        Packet(Type.BLOCK, False, 0, bytes(29)),
        Packet(Type.BLOCK, False, 0, bytes(27) + b"\x02\x00" + bytes(11)),
    ],
    ids=[
        "no such type",
        "short",
        "long",
        "wrong class",
        "unreliable reject",
        "no level",
        "no samples",
        "half a sample",
    ],
)
def test_a_payload_that_is_not_laid_out_as_its_type_is_a_bad_packet(packet: Packet) -> None:
    with pytest.raises(BadPacket):
        decode_message(packet)


def test_a_number_without_a_word_stays_a_number() -> None:
    ack = decode_message(Packet(Type.REJECT_ACK, False, 0, b"\1\0\0\0\xc8"))

    assert ack == messages.RejectAck(1, 200)


def test_a_log_line_that_is_no_text_is_heard_all_the_same() -> None:
    assert decode_message(Packet(Type.LOG, False, 0, b"\1ab\xff")) == Log(1, "ab�")
    assert len(decode_message(Packet(Type.LOG, False, 0, b"\1" + b"x" * 2000)).text) == 200
