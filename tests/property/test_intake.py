"""What a broker sends is cut the same way however it is split, paced, and never held beyond its bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import Unavailable
from edge_agent.uplink.intake import Intake
from edge_agent.uplink.pace import TokenBucket

LARGEST = 64
ENDLESS = 10**9


def length(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + length(len(body)) + body


def message(qos: int, payload: bytes, identifier: int = 7) -> bytes:
    return packet(0x30 | qos << 1, b"\0\1t" + (identifier.to_bytes(2, "big") if qos else b"") + payload)


def drained(intake: Intake) -> bytes:
    out = b""
    while intake.ready:
        out += intake.take(5)
    return out


def intake(burst: int = ENDLESS, per_s: float = 1.0) -> Intake:
    return Intake(TokenBucket(per_s, burst), LARGEST)


small = st.binary(max_size=30)
messages = st.builds(message, st.sampled_from([0, 1]), small)
answers = st.builds(packet, st.sampled_from([0x20, 0x40, 0x90, 0xB0, 0xD0, 0xE0]), small)


def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    return [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@st.composite
def split(draw: st.DrawFn, packets: st.SearchStrategy[list[bytes]]) -> tuple[list[bytes], list[bytes]]:
    drawn = draw(packets)
    return drawn, pieces(draw, b"".join(drawn))


@given(split(st.lists(st.one_of(messages, answers), max_size=20)))
def test_however_it_is_split_the_same_packets_come_out(case: tuple[list[bytes], list[bytes]]) -> None:
    packets, chunks = case
    taken_in = intake()
    for chunk in chunks:
        taken_in.feed(chunk, 0.0)

    assert drained(taken_in) == b"".join(packets)
    assert taken_in.passed == len(packets)


@given(split(st.lists(st.one_of(messages, answers), max_size=30)), st.integers(1, 5))
def test_nothing_vanishes_uncounted_and_only_qos_0_vanishes(case: tuple[list[bytes], list[bytes]], burst: int) -> None:
    packets, chunks = case
    taken_in = intake(burst)
    for chunk in chunks:
        taken_in.feed(chunk, 0.0)
    now = 0.0
    while taken_in.waits:
        now += taken_in.wait_s(now)
        taken_in.feed(b"", now)
    kept = drained(taken_in)

    assert taken_in.passed + taken_in.dropped == len(packets)
    for one in packets:
        if one[0] & 0xF6 != 0x30:
            assert one in kept


@given(
    split(
        st.lists(st.one_of(messages, st.builds(message, st.sampled_from([0, 1]), st.binary(min_size=70, max_size=500))))
    )
)
def test_what_is_too_large_is_skipped_and_told_and_the_rest_is_whole(case: tuple[list[bytes], list[bytes]]) -> None:
    packets, chunks = case
    taken_in = intake()
    for chunk in chunks:
        taken_in.feed(chunk, 0.0)
    large = [one for one in packets if len(one) > LARGEST]

    assert drained(taken_in) == b"".join(one for one in packets if len(one) <= LARGEST)
    assert taken_in.oversize == len(large)
    assert taken_in.refused() == [7 for one in large if one[0] & 0x06]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_noise_is_refused_or_waited_for_and_never_held_beyond_the_bound(chunks: list[bytes]) -> None:
    taken_in = intake()
    for chunk in chunks:
        try:
            taken_in.feed(chunk, 0.0)
        except Unavailable:
            return
        drained(taken_in)
        assert len(taken_in._raw) <= LARGEST + 200


def test_an_answer_passes_while_a_flood_is_held_off() -> None:
    taken_in = intake(burst=1)
    ping = packet(0xD0, b"")
    taken_in.feed(message(0, b"flood") * 1000 + ping, 0.0)

    assert drained(taken_in) == message(0, b"flood") + ping
    assert (taken_in.dropped, taken_in.waits) == (999, False)


def test_a_request_waits_for_its_turn_and_keeps_its_place() -> None:
    taken_in = intake(burst=1, per_s=10.0)
    taken_in.feed(message(1, b"a") + message(1, b"b") + packet(0xD0, b""), 0.0)

    assert (drained(taken_in), taken_in.waits) == (message(1, b"a"), True)
    taken_in.feed(b"", 0.0 + taken_in.wait_s(0.0))
    assert drained(taken_in) == message(1, b"b") + packet(0xD0, b"")


def test_a_message_of_256_megabytes_is_not_held_while_it_comes() -> None:
    taken_in = intake()
    taken_in.feed(b"\x32" + b"\xff\xff\xff\x7f" + b"\0\1t\0\7", 0.0)
    for _ in range(10):
        taken_in.feed(bytes(65_536), 0.0)

    assert taken_in.refused() == [7]
    assert len(taken_in._raw) == 0


@pytest.mark.parametrize("noise", [b"\x30\xff\xff\xff\xff\x01", b"\xe0\xff\x7f"])
def test_what_is_no_packet_of_mqtt_is_refused(noise: bytes) -> None:
    with pytest.raises(Unavailable, match="not MQTT|no message"):
        intake().feed(noise, 0.0)
