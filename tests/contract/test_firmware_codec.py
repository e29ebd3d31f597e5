"""Both ends cut and build the same bytes: the same vectors, numbers and limits; and the core stays small."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import firmware_vectors
import numpy as np
import pytest
from host_drivers import LIBRARY
from mcu_drivers import CORE, FIRMWARE, decoded_c, encoded_c, shared_folder, sim_program

from firmware_bridge import packet as framing
from firmware_bridge.codes import (
    MAX_BLOCK_SAMPLES,
    MAX_OUTPUTS,
    PROTOCOL,
    BlockFlag,
    ConfigResult,
    RejectResult,
    StatusFlag,
    Type,
)
from firmware_bridge.layout import BY_TYPE, LAYOUTS, MAX_LOG_BYTES, Layout, decode_message
from firmware_bridge.messages import Message
from firmware_bridge.packet import MAX_PAYLOAD, Packet, PacketDecoder, encode_packet

ALLOWED = {"memcpy", "memmove", "memset", "strlen"}
"""All that either end may ask of a C library."""


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sim_program(shared_folder(tmp_path_factory))


def stored() -> list[tuple[Packet, bytes]]:
    return [
        (Packet(v["type"], v["reliable"], v["seq"], bytes.fromhex(v["payload"])), bytes.fromhex(v["wire"]))
        for v in json.loads(firmware_vectors.PATH.read_text())
    ]


def test_the_vectors_are_those_of_the_table() -> None:
    assert json.loads(firmware_vectors.PATH.read_text()) == firmware_vectors.vectors(), (
        "the table and the vectors differ: run python tests/firmware_vectors.py, and change the firmware"
    )


def test_there_is_a_vector_of_every_message() -> None:
    assert {type(message) for message in firmware_vectors.MESSAGES} == set(LAYOUTS)


def test_a_changed_table_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    kind: type[Message] = BY_TYPE[Type.ACK]
    monkeypatch.setitem(LAYOUTS, kind, Layout(Type.ACK, LAYOUTS[BY_TYPE[Type.HEARTBEAT]].fixed, reliable=True))

    with pytest.raises(AssertionError):
        test_the_vectors_are_those_of_the_table()


def test_the_station_reads_and_writes_the_vectors() -> None:
    for packet, wire in stored():
        assert PacketDecoder().feed(wire) == [packet]
        assert encode_packet(packet) == wire
    for message, (packet, _) in zip(firmware_vectors.MESSAGES, stored(), strict=True):
        assert str(decode_message(packet)) == str(message)


def test_the_firmware_reads_and_writes_the_vectors(program: Path) -> None:
    packets = [packet for packet, _ in stored()]
    wires = [wire for _, wire in stored()]

    assert decoded_c(program, b"".join(wires)) == packets
    assert encoded_c(program, packets) == b"".join(wires)


def test_both_build_the_same_bytes_of_any_payload(program: Path) -> None:
    seed = random.Random(11)
    lengths = [*range(30), *range(235, 260), *range(490, 512), 1000, MAX_PAYLOAD - 1, MAX_PAYLOAD]
    contents = [bytes, lambda n: b"\xff" * n, seed.randbytes, lambda n: bytes(seed.choice(b"\0\1") for _ in range(n))]
    packets = [Packet(12, i % 2 == 1, i, content(n)) for i, n in enumerate(lengths) for content in contents]

    wire = encoded_c(program, packets)

    assert wire == b"".join(encode_packet(packet) for packet in packets)
    assert decoded_c(program, wire) == packets
    assert PacketDecoder().feed(wire) == packets


def define(text: str, name: str) -> int:
    found = re.search(rf"^#define {name} (0x[0-9A-F]+|\d+)u?\b", text, re.M)
    assert found, f"{name} is not in wire.h"
    return int(found[1], 0)


def test_the_numbers_of_the_header_are_those_of_the_table() -> None:
    text = (FIRMWARE / "wire.h").read_text()
    numbers = {name: int(value) for name, value in re.findall(r"^\s+EB_(\w+) = (\d+)", text, re.M)}

    for layout in LAYOUTS.values():
        assert numbers[layout.type.name] == layout.type
        bytes_of = "ACK" if layout.type is Type.NAK else layout.type.name
        assert define(text, f"EB_{bytes_of}_BYTES") == layout.fixed.size
    for result in ConfigResult:
        name = {"OK": "CONFIG_OK", "BAD_OUTPUT": "BAD_LEVELS"}.get(result.name, result.name)
        assert numbers[name] == result
    for answer in RejectResult:
        assert numbers[answer.name] == answer
    for flag in (*BlockFlag, *StatusFlag):
        prefix = "BLOCK" if isinstance(flag, BlockFlag) else "STATUS"
        assert define(text, f"EB_{prefix}_{flag.name}") == flag
    assert define(text, "EB_VERSION") == framing.VERSION
    assert define(text, "EB_PROTOCOL") == PROTOCOL
    assert define(text, "EB_HEADER_BYTES") == framing.HEADER.size
    assert define(text, "EB_CRC_BYTES") == framing.CRC_BYTES
    assert define(text, "EB_MAX_PACKET") == framing.MAX_PACKET
    assert define(text, "EB_MAX_BLOCK_SAMPLES") == MAX_BLOCK_SAMPLES
    assert define(text, "EB_MAX_LOG_BYTES") == MAX_LOG_BYTES
    assert define(text, "EB_MAX_OUTPUTS") == MAX_OUTPUTS


@dataclass(frozen=True)
class Built:
    """What `make size` says, and where it has put what it made."""

    folder: Path
    said: str


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    if shutil.which("make") is None or shutil.which("gcc") is None:
        pytest.skip("there is no make or no gcc (Debian: make gcc libc6-dev)")
    folder = tmp_path_factory.mktemp("make")
    done = subprocess.run(
        ["make", "-s", "-C", FIRMWARE, "size", f"OUT={folder}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Built(folder, done.stdout)


@pytest.mark.parametrize(
    ("end", "struct", "most_text", "most_ram"),
    [(0, "eb_bridge", 8 * 1024, 12 * 1024), (1, "eh_host", 10 * 1024, 8 * 1024)],
)
def test_either_end_is_small(
    built: Built, record_property: Callable[[str, object], None], end: int, struct: str, most_text: int, most_ram: int
) -> None:
    """At -Os on a 64-bit host; 32-bit microcontrollers need less."""
    text, data, bss = np.array(re.findall(r"^\s*(\d+)\s+(\d+)\s+(\d+).*TOTALS", built.said, re.M)[end], int)
    ram = int(re.findall(rf"struct {struct}: 0x([0-9a-f]+) bytes", built.said)[0], 16)
    record_property("flash_bytes", int(text))
    record_property("ram_bytes", ram)

    assert text <= most_text
    assert (data, bss) == (0, 0), "all state is in the struct that is given"
    assert ram <= most_ram


@pytest.mark.parametrize("sources", [CORE, LIBRARY], ids=["board", "host"])
def test_either_end_asks_nothing_of_a_library_but_memory_functions(built: Built, sources: tuple[str, ...]) -> None:
    names = subprocess.run(
        ["nm", "-u", *(built.folder / Path(name).with_suffix(".o") for name in sources)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    asked = set(re.findall(r"^\s+U (\w+)", names, re.M))

    assert {name for name in asked if not name.startswith(("eb_", "eh_"))} - {"_GLOBAL_OFFSET_TABLE_"} <= ALLOWED


def test_the_example_port_compiles(built: Built) -> None:
    assert (built.folder / "board_example.o").exists()
