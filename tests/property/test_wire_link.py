"""Two links over a wire that follows a script: each reliable message arrives once and in order, whatever it does."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.link import ACK_S, WAITING, WINDOW, Link
from firmware_bridge.messages import Ack, Cancel, Edge, Message, Nak
from firmware_bridge.packet import DELIMITER, Packet

WHOLE, LOST, DOUBLED, HELD, FLIPPED, CUT, NOISE = range(7)
scripts = st.lists(st.sampled_from([WHOLE, WHOLE, WHOLE, LOST, DOUBLED, HELD, FLIPPED, CUT, NOISE]), max_size=120)


class Way:
    """One direction: does to each packet what the script says, and nothing any more when it has ended."""

    def __init__(self, script: list[int]) -> None:
        self._script = deque(script)
        self._held = b""

    def carry(self, data: bytes) -> bytes:
        return b"".join(self._one(packet + DELIMITER) for packet in data.split(DELIMITER)[:-1])

    def _one(self, packet: bytes) -> bytes:
        held, self._held = self._held, b""
        fault = self._script.popleft() if self._script else WHOLE
        if fault == HELD:
            self._held = packet
            return held
        arrives = {
            WHOLE: packet + held,
            LOST: held,
            DOUBLED: packet + held + packet,
            FLIPPED: packet[:3] + bytes([packet[3] ^ 0x10]) + packet[4:] + held,
            CUT: packet[: len(packet) // 2] + held,
            NOISE: packet + b"\x03\xff\x00\x42" + held,
        }
        return arrives[fault]


def run(forth: list[int], back: list[int], n: int, kind: type[Link] = Link) -> tuple[list[Message], Link]:
    """Send `n` messages; give what arrives, and the sender."""
    sender, receiver = kind(), kind()
    there, here = Way(forth), Way(back)
    heard: list[Message] = []
    now, said = 0.0, 0
    for _ in range(2000):
        while said < n and sender.send(Cancel(said), now):
            said += 1
        heard += receiver.receive(there.carry(sender.take_output()), now)
        sender.receive(here.carry(receiver.take_output()), now)
        now += ACK_S / 4.0
        sender.step(now)
        assert sender.unacknowledged <= WINDOW + WAITING
        if sender.down or (said == n and not sender.unacknowledged):
            break
    else:
        raise AssertionError("the link neither got through nor gave up")
    return heard, sender


def assert_once_and_in_order(forth: list[int], back: list[int], n: int, kind: type[Link] = Link) -> None:
    heard, sender = run(forth, back, n, kind)

    assert heard == [Cancel(i) for i in range(len(heard))]
    assert sender.down or len(heard) == n


@given(scripts, scripts, st.integers(1, 60))
def test_each_reliable_message_arrives_once_and_in_order_or_the_link_says_it_is_down(
    forth: list[int], back: list[int], n: int
) -> None:
    assert_once_and_in_order(forth, back, n)


def test_a_link_that_delivers_whatever_comes_would_be_found_out() -> None:
    class Eager(Link):
        def _accept(self, packet: Packet, now: float) -> bool:
            super()._accept(packet, now)
            return True

    with pytest.raises(AssertionError):
        assert_once_and_in_order([DOUBLED], [], 3, Eager)


def test_a_link_that_forgets_to_repeat_would_be_found_out() -> None:
    class Lazy(Link):
        def _repeat(self, now: float) -> None:
            self._repeats = 0

        def _close_gap(self, missing: int, now: float) -> None:
            pass

    with pytest.raises(AssertionError):
        assert_once_and_in_order([LOST], [], 3, Lazy)


@given(st.lists(st.sampled_from([WHOLE, WHOLE, WHOLE, LOST, FLIPPED, CUT]), max_size=60))
def test_of_counted_messages_every_missing_one_is_known(script: list[int]) -> None:
    sender, receiver, way = Link(), Link(), Way(script)
    heard = []
    for i in range(70):
        sender.send(Edge(i, 0, 0, 1, 0), 0.0)
        heard += receiver.receive(way.carry(sender.take_output()), 0.0)

    first = heard[0].edge_seq
    assert len(heard) + receiver.counts.lost == 70 - first


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40), st.builds(Ack, st.integers(0, 65_535)), st.builds(Nak, st.integers(0, 65_535))
        )
    )
)
def test_an_end_that_says_anything_never_makes_the_link_grow_or_raise(script: list[bytes | Message]) -> None:
    link, other = Link(), Link()
    now = 0.0
    for one in script:
        now += 0.001
        link.send(Cancel(1), now)
        if isinstance(one, bytes):
            link.receive(one, now)
        else:
            other.send(one, now)
            link.receive(other.take_output(), now)
        link.step(now)

        assert link.unacknowledged <= WINDOW + WAITING
        assert len(link.take_output()) < 10_000
