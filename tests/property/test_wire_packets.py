"""Packets over a stream that may be cut and damaged anywhere: whole ones come through, and damage costs one at most."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firmware_bridge.packet import DELIMITER, MAX_ENCODED, MAX_PAYLOAD, Packet, PacketDecoder, encode_packet

packets = st.builds(
    Packet,
    st.integers(0, 255),
    st.booleans(),
    st.integers(0, 65_535),
    st.binary(max_size=300) | st.binary(max_size=MAX_PAYLOAD),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@given(st.lists(packets, max_size=5), st.lists(st.integers(0, 10**6), max_size=8))
def test_packets_come_through_any_split(sent: list[Packet], cuts: list[int]) -> None:
    decoder = PacketDecoder()

    heard = [p for piece in pieces(b"".join(map(encode_packet, sent)), cuts) for p in decoder.feed(piece)]

    assert heard == sent
    assert decoder.corrupt == decoder.oversize == decoder.foreign == 0


@given(packets)
def test_one_byte_at_a_time_is_a_split_too(packet: Packet) -> None:
    decoder = PacketDecoder()

    assert [p for byte in encode_packet(packet) for p in decoder.feed(bytes([byte]))] == [packet]


@given(packets)
def test_a_packet_has_one_zero_byte_its_last(packet: Packet) -> None:
    data = encode_packet(packet)

    assert data.index(0) == len(data) - 1
    assert len(data) <= MAX_ENCODED + 1


def assert_survives(decoder: PacketDecoder, noise: list[bytes], packet: Packet) -> None:
    for piece in noise:
        decoder.feed(piece)
        assert len(decoder._held) <= MAX_ENCODED + 1

    assert decoder.feed(DELIMITER + encode_packet(packet))[-1:] == [packet]


@given(st.lists(st.binary(max_size=3000), max_size=5), packets)
def test_noise_never_raises_never_grows_and_the_next_whole_packet_is_heard(noise: list[bytes], packet: Packet) -> None:
    assert_survives(PacketDecoder(), noise, packet)


def test_a_decoder_that_keeps_what_never_ends_would_be_found_out() -> None:
    class Hoarding(PacketDecoder):
        def feed(self, data: bytes) -> list[Packet]:
            *found, rest = (self._held + data).split(DELIMITER)
            self._held = rest
            return [p for piece in found if piece and (p := self._checked(piece)) is not None]

    with pytest.raises(AssertionError):
        assert_survives(Hoarding(), [b"\xff" * 3000] * 3, Packet(1, False, 0, b""))


def heard_after(damage: str, sent: list[Packet], which: int, where: int) -> list[Packet]:
    """Damage one packet of a stream and give what is heard."""
    datas = [encode_packet(packet) for packet in sent]
    data = datas[which]
    where %= len(data)
    match damage:
        case "flip":
            datas[which] = data[:where] + bytes([data[where] ^ 1 << where % 8]) + data[where + 1 :]
        case "cut":
            datas[which] = data[:where]
        case "lose":
            datas[which] = b""
        case "insert":
            datas[which] = data[:where] + b"\x55" + data[where:]
    return PacketDecoder().feed(b"".join(datas))


@given(
    st.sampled_from(["flip", "cut", "lose", "insert"]),
    st.lists(packets, min_size=3, max_size=5, unique_by=lambda p: p.seq),
    st.integers(0, 10**6),
)
def test_damage_costs_the_packet_it_hit_and_at_most_the_one_whose_end_it_took(
    damage: str, sent: list[Packet], where: int
) -> None:
    heard = heard_after(damage, sent, 1, where)

    untouched = [sent[0], *sent[3:]]
    assert [p for p in heard if p in untouched] == untouched
    assert all(p in sent for p in heard)


@given(st.lists(packets, min_size=3, max_size=3, unique_by=lambda p: p.seq), st.integers(0, 10**6))
@example([Packet(1, False, i, b"abc") for i in range(3)], 5)
def test_damage_that_leaves_the_zero_byte_costs_exactly_one_packet(sent: list[Packet], where: int) -> None:
    data = encode_packet(sent[1])
    at = where % (len(data) - 1)
    changed = data[at] ^ 0x80 or 0x01  # any other byte than zero

    stream = encode_packet(sent[0]) + data[:at] + bytes([changed]) + data[at + 1 :] + encode_packet(sent[2])
    decoder = PacketDecoder()

    assert decoder.feed(stream) == [sent[0], sent[2]]
    assert decoder.corrupt == 1
