"""Bytes nobody would send: neither end dies, grows or loses more than the packet that was hit."""

from __future__ import annotations

import functools
import random
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcu_bench import CONFIG, MS, Bench, only
from mcu_drivers import (
    CORE,
    CORRUPT,
    FIRMWARE,
    OVERSIZE,
    SANITIZED,
    compile_c,
    decoded_c,
    shared_folder,
    sim_program,
    start_c,
)

from firmware_bridge.errors import BadPacket
from firmware_bridge.layout import decode_message, encode_message
from firmware_bridge.messages import (
    Arm,
    Cancel,
    Heartbeat,
    Hello,
    Message,
    Ping,
    Pong,
    Reject,
)
from firmware_bridge.packet import MAX_ENCODED, Packet, PacketDecoder, encode_packet

RAW, PASS, STEP, EDGE, ROOM, FRAMED = range(6)
"""The steps of an input of `fuzz_decoder.c`."""

packets = st.builds(
    Packet,
    type=st.integers(0, 255),
    reliable=st.booleans(),
    seq=st.integers(0, 65_535),
    payload=st.binary(max_size=300) | st.integers(0, 2036).map(lambda n: b"\x07" * n),
)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


@functools.cache
def replay_program(workshop: Path) -> Path:
    sources = [FIRMWARE / name for name in (*CORE, "fuzz_decoder.c")]
    return compile_c(workshop / "replay", sources, *SANITIZED, "-DEB_REPLAY")


def replay(workshop: Path, inputs: list[bytes], folder: Path) -> None:
    for index, data in enumerate(inputs):
        (folder / f"{index:04}").write_bytes(data)
    program = replay_program(workshop)
    paths = sorted(map(str, folder.iterdir()))
    done = subprocess.run([program, *paths], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(inputs)} inputs held\n"


def test_random_bytes_do_the_firmware_no_harm(workshop: Path, tmp_path: Path) -> None:
    seed = random.Random(1)
    replay(workshop, [seed.randbytes(seed.randrange(3000)) for _ in range(300)], tmp_path)


def framed(message: Message) -> bytes:
    """Give a step that delivers a message, rightly framed and numbered."""
    packet = encode_message(message, 0)
    return bytes([FRAMED + 6 * packet.type, 1 + len(packet.payload), packet.reliable]) + packet.payload


def likely_steps(seed: random.Random) -> bytes:
    """Give steps of a busy board, of which some bytes are wrong."""
    now, steps = 0, [framed(Hello(1, 0, 7)), framed(CONFIG), framed(Arm())]
    for _ in range(seed.randrange(400)):
        ticks = seed.randrange(30)
        now += ticks**3
        reject = Reject(
            seed.randrange(40), 1, now + seed.randrange(-10, 30_000), seed.randrange(60_000), seed.randrange(5)
        )
        others = (Heartbeat(300), Arm(), Ping(1), Cancel(reject.cmd_id), CONFIG, Hello(1, 0, seed.randrange(2)))
        steps += [
            bytes([PASS, ticks]),
            framed(seed.choice((reject, reject, *others))) if seed.random() < 0.98 else framed(others[5]),
            bytes([seed.choice((STEP, STEP, EDGE, ROOM)), seed.randrange(256)]),
        ]
    data = bytearray(b"".join(steps))
    for _ in range(seed.choice((0, 1, 5))):
        data[seed.randrange(len(data))] = seed.randrange(256)
    return bytes(data)


def test_likely_and_damaged_messages_do_the_firmware_no_harm(workshop: Path, tmp_path: Path) -> None:
    seed = random.Random(2)
    replay(workshop, [likely_steps(seed) for _ in range(150)], tmp_path)


def test_the_replay_has_teeth(workshop: Path, tmp_path: Path) -> None:
    """A ring that does not wrap must be seen."""
    text = (FIRMWARE / "transmit.c").read_text()
    guard = "(transmit->first + transmit->used++) % EB_MESSAGE_BYTES"
    assert text.count(guard) == 1
    (tmp_path / "transmit.c").write_text(text.replace(guard, "transmit->first + transmit->used++"))
    sources = [FIRMWARE / name for name in (*CORE, "fuzz_decoder.c") if name != "transmit.c"]
    program = compile_c(
        tmp_path / "replay", [*sources, tmp_path / "transmit.c"], *SANITIZED, "-DEB_REPLAY", "-I", str(FIRMWARE)
    )
    greeting = framed(Hello(1, 0, 7)) * 40
    (tmp_path / "input").write_bytes(greeting)

    done = subprocess.run([program, tmp_path / "input"], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode != 0
    assert "index 1024 out of bounds" in done.stderr


def test_after_any_noise_the_firmware_answers(workshop: Path) -> None:
    bench = Bench(start_c(workshop))
    bench.ready()

    @settings(max_examples=40)
    @given(noise=st.lists(st.binary(max_size=600), max_size=5))
    def answers(noise: list[bytes]) -> None:
        for piece in noise:
            bench.mcu.feed(piece)
        bench.mcu.feed(b"\0")
        assert only(bench.say(Ping(len(noise))), Pong).host_ns == len(noise)

    try:
        answers()
    finally:
        bench.mcu.close()


def test_any_messages_of_a_host_leave_the_firmware_answering(workshop: Path) -> None:
    bench = Bench(start_c(workshop))
    number = st.integers(0, 2**32 - 1)
    small = st.integers(0, 255)
    ticks = st.integers(-(10**6), 10**6).map(lambda t: bench.now + t) | st.integers(0, 2**64 - 1)
    messages = st.one_of(
        st.builds(Hello, st.just(1), st.just(0), st.integers(0, 3)),
        st.just(CONFIG),
        st.just(Arm()),
        st.builds(Heartbeat, st.integers(0, 65_535)),
        st.builds(Reject, st.integers(0, 30), number, ticks, number, st.integers(0, 5)),
        st.builds(Cancel, st.integers(0, 30)),
        st.builds(Ping, number),
        st.builds(Packet, small, st.booleans(), st.integers(0, 65_535), st.binary(max_size=50)),
    )

    @settings(max_examples=40)
    @given(talk=st.lists(st.tuples(messages, st.integers(0, 300 * MS)), max_size=40))
    def answers(talk: list[tuple[Message | Packet, int]]) -> None:
        bench.ready()
        for message, wait in talk:
            bench.mcu.feed(encode_packet(message) if isinstance(message, Packet) else bench.wire(message))
            bench.mcu.advance(wait)
        bench.hear()
        bench.greet(session=99)
        assert only(bench.say(Ping(5)), Pong).host_ns == 5
        assert bench.losses == 0

    try:
        answers()
    finally:
        bench.mcu.close()


def damage(data: bytes, wounds: list[tuple[int, int, int]]) -> bytes:
    """Overwrite, insert or remove bytes: (how, where, which byte)."""
    damaged = bytearray(data)
    for how, where, byte in wounds:
        at = where % (len(damaged) + 1)
        damaged[at : at + (how != 1)] = b"" if how == 2 else bytes([byte])
    return bytes(damaged)


def damaged_streams(seed: random.Random, count: int) -> list[bytes]:
    """Give streams of a few packets with a few wounds; some packets are as long as can be, or stuffed at every turn."""
    streams = []
    for _ in range(count):
        lengths = [seed.choice((0, 8, 253, 254, 255, seed.randrange(600), 2036)) for _ in range(seed.randrange(5))]
        payloads = [seed.choice((bytes(n), b"\x07" * n, seed.randbytes(n))) for n in lengths]
        data = b"".join(
            encode_packet(Packet(seed.randrange(256), seed.random() < 0.5, seed.randrange(65_536), payload))
            for payload in payloads
        )
        wounds = [
            (seed.randrange(3), seed.randrange(len(data) + 1), seed.choice((0, 1, 255, seed.randrange(256))))
            for _ in range(seed.randrange(4))
        ]
        streams.append(damage(data, wounds))
    return streams


def test_both_ends_cut_damaged_streams_alike(workshop: Path) -> None:
    stream = b"\0".join(damaged_streams(random.Random(3), 500)) + b"\0"
    decoder = PacketDecoder()
    got = decoder.feed(stream)

    found = decoded_c(sim_program(workshop), stream)

    assert [one for one in found if isinstance(one, Packet)] == got
    verdicts = Counter(one for one in found if isinstance(one, int))
    assert verdicts == {CORRUPT: decoder.corrupt, OVERSIZE: decoder.oversize}
    assert min(verdicts.values()) > 0


# The station's end


@given(pieces=st.lists(st.binary(max_size=3000), max_size=5))
def test_the_decoder_never_raises_never_grows_and_resynchronises(pieces: list[bytes]) -> None:
    decoder = PacketDecoder()
    for piece in pieces:
        for packet in decoder.feed(piece):
            with_message(packet)
        assert len(decoder._held) <= MAX_ENCODED + 1
    decoder.feed(b"\0")

    good = Packet(4, False, 1, bytes(8))
    assert decoder.feed(encode_packet(good)) == [good]


def with_message(packet: Packet) -> None:
    """Read the message too: the only error it may raise is the one that says to drop the packet."""
    try:
        decode_message(packet)
    except BadPacket:
        return


@given(packet=packets)
def test_a_whole_packet_with_any_payload_is_a_message_or_dropped(packet: Packet) -> None:
    with_message(packet)


@given(data=st.binary(max_size=600), cuts=st.lists(st.integers(0, 600), max_size=8))
def test_where_reads_end_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    whole, split = PacketDecoder(), PacketDecoder()
    stream = encode_packet(Packet(4, False, 1, data)) + data + b"\0" + encode_packet(Packet(5, True, 2, data))
    edges = [0, *sorted(cuts), len(stream)]

    got = [packet for a, b in zip(edges, edges[1:], strict=False) for packet in split.feed(stream[a:b])]

    assert got == whole.feed(stream)
    assert (split.corrupt, split.oversize) == (whole.corrupt, whole.oversize)


Decode = Callable[[bytes], list[Packet]]


def check_damage_costs_one_packet(decode: Decode, sent: list[Packet], hit: int, at: int, byte: int) -> None:
    wires = [encode_packet(packet) for packet in sent]
    hit %= len(sent)
    wire = bytearray(wires[hit])
    at %= len(wire) - 1  # its zero byte stays
    if wire[at] == byte:
        return
    wire[at] = byte
    wires[hit] = bytes(wire)

    assert decode(b"".join(wires)) == sent[:hit] + sent[hit + 1 :]


@given(st.lists(packets, min_size=1, max_size=4), st.integers(0, 9), st.integers(0, 9999), st.integers(0, 255))
def test_damage_costs_the_packet_it_hit_and_no_other(sent: list[Packet], hit: int, at: int, byte: int) -> None:
    check_damage_costs_one_packet(PacketDecoder().feed, sent, hit, at, byte)


def test_a_decoder_that_does_not_check_is_noticed() -> None:
    class Trusting(PacketDecoder):
        def _checked(self, piece: bytes) -> Packet | None:
            return super()._checked(piece) or Packet(0, False, 0, piece)

    with pytest.raises(AssertionError):
        check_damage_costs_one_packet(Trusting().feed, [Packet(4, False, 1, bytes(8))], 0, 3, 77)
