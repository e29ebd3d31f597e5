"""One end of the wire: a window, acknowledgements, three repetitions, and numbers that wrap."""

import pytest

from firmware_bridge.layout import encode_message
from firmware_bridge.link import ACK_S, MASK, REPEATS, WAITING, WINDOW, Link
from firmware_bridge.messages import Ack, Cancel, Heartbeat, Hello, Message, Nak, Ping, Status
from firmware_bridge.packet import DELIMITER, Packet, PacketDecoder, encode_packet

T = 1000.0


def sent(link: Link) -> list[Packet]:
    """The packets that a link has written since it was asked last."""
    return PacketDecoder().feed(link.take_output())


def told(message: Message, seq: int = 0) -> bytes:
    return encode_packet(encode_message(message, seq))


def numbers(link: Link) -> list[int]:
    return [packet.seq for packet in sent(link) if packet.reliable]


def sending(n: int, kind: type[Link] = Link) -> Link:
    link = kind()
    for i in range(n):
        assert link.send(Cancel(i), T)
    return link


def test_eight_packets_fly_and_the_ninth_waits_for_an_acknowledgement() -> None:
    link = sending(9)
    assert numbers(link) == list(range(WINDOW)) == list(range(8))

    link.receive(told(Ack(1)), T)

    assert numbers(link) == [8]
    assert link.unacknowledged == 8


def test_one_more_than_sixteen_waiting_is_refused_and_counted() -> None:
    link = sending(WINDOW + WAITING)

    assert not link.send(Cancel(99), T)
    assert link.counts.refused == 1
    assert link.send(Heartbeat(500), T)
    assert WAITING == 16


def test_what_is_not_acknowledged_within_20_ms_is_sent_again_with_all_behind_it() -> None:
    link = sending(3)
    sent(link)

    assert link.next_wake_s() == T + 0.020
    link.step(T + 0.0199)
    assert numbers(link) == []
    link.step(T + 0.020)
    assert numbers(link) == [0, 1, 2]


def test_after_three_repetitions_the_link_is_down_and_only_a_reset_helps() -> None:
    link = sending(1)
    for i in range(1, REPEATS + 2):
        assert not link.down
        link.step(T + i * ACK_S)

    assert link.down
    assert len(numbers(link)) == 1 + 3
    assert link.next_wake_s() == float("inf")

    link.reset()

    assert not link.down
    assert link.send(Cancel(1), T)
    assert numbers(link) == [0]


def test_progress_gives_the_rest_three_repetitions_of_its_own() -> None:
    link = sending(2)
    for i in (1, 2, 3):
        link.step(T + i * ACK_S)
    link.receive(told(Ack(1)), T + 3 * ACK_S)
    link.step(T + 4 * ACK_S)

    assert not link.down


def assert_one_nak_repeats_once(kind: type[Link]) -> None:
    link = sending(8, kind)
    sent(link)
    for i in range(7):  # number 0 got lost, and each of the seven behind it says so
        link.receive(told(Nak(0), i), T + 0.001)

    assert numbers(link) == list(range(8))


def test_a_gap_is_repeated_at_once_and_once_however_many_packets_tell_of_it() -> None:
    assert_one_nak_repeats_once(Link)


def test_a_link_that_repeats_for_every_nak_would_be_found_out() -> None:
    class Eager(Link):
        def _close_gap(self, missing: int, now: float) -> None:
            self._repeat(now)

    with pytest.raises(AssertionError):
        assert_one_nak_repeats_once(Eager)


def test_an_end_that_says_nothing_but_nak_takes_the_link_down() -> None:
    link = sending(2)
    now = T
    for i in range(200):
        now += 0.001
        link.receive(told(Nak(0), i), now)
        link.step(now)

    assert link.down


@pytest.mark.parametrize("expected", [9, 4, 65_535, 30_000])
def test_an_acknowledgement_outside_the_window_says_nothing(expected: int) -> None:
    link = sending(3)
    sent(link)

    link.receive(told(Ack(expected)) + told(Nak(expected), 1), T)

    assert link.unacknowledged == 3
    assert numbers(link) == []


def test_the_number_after_65535_is_0_and_the_window_goes_over_it() -> None:
    one, other = Link(), Link()
    heard = []
    for i in range(MASK + 20):
        assert one.send(Cancel(i), T)
        heard += other.receive(one.take_output(), T)
        one.receive(other.take_output(), T)

    assert heard == [Cancel(i) for i in range(MASK + 20)]
    assert one.unacknowledged == 0
    assert one.counts.retried == other.counts.lost == other.counts.stale == 0


def test_a_packet_that_comes_again_is_acknowledged_again_and_not_delivered() -> None:
    link, data = Link(), told(Cancel(7), 0)

    assert link.receive(data + data, T) == [Cancel(7)]
    assert [packet.type for packet in sent(link)] == [16, 16]
    assert link.counts.repeated == 1


def test_a_packet_ahead_of_its_turn_is_answered_with_nak_and_not_delivered() -> None:
    link = Link()

    assert link.receive(told(Cancel(7), 1), T) == []
    assert [(packet.type, packet.payload) for packet in sent(link)] == [(17, b"\0\0")]
    assert link.counts.out_of_order == 1


def test_an_end_that_accepts_nothing_neither_acknowledges_nor_delivers() -> None:
    link = Link()
    link.accepting = False

    assert link.receive(told(Cancel(7), 0), T) == []
    assert link.take_output() == b""


def test_a_jump_of_the_counted_numbers_says_how_many_were_lost() -> None:
    link = Link()
    for seq in (65_534, 65_535, 2, 1, 3):
        link.receive(told(Ping(1), seq), T)

    assert link.counts.lost == 2
    assert link.counts.stale == 1


def assert_restart_loses_nothing(kind: type[Link]) -> None:
    link = kind()
    link.receive(told(Ping(1), 40_000), T)
    link.receive(told(Hello(1, 0, 8), 0) + told(Ping(1), 1), T)

    assert (link.counts.lost, link.counts.stale) == (0, 0)


def test_a_microcontroller_that_starts_anew_has_lost_nothing_by_counting_anew() -> None:
    assert_restart_loses_nothing(Link)


def test_a_link_that_takes_a_restart_for_a_gap_would_be_found_out() -> None:
    class Gullible(Link):
        def receive(self, data: bytes, now: float) -> list[Message]:
            for packet in self.decoder.feed(data):
                self._count(packet)
            return []

    with pytest.raises(AssertionError):
        assert_restart_loses_nothing(Gullible)


def test_a_packet_that_is_no_message_is_counted_and_harms_nothing() -> None:
    link = Link()

    heard = link.receive(encode_packet(Packet(200, False, 0, b"?")) + told(Ping(5), 1), T)

    assert heard == [Ping(5)]
    assert link.counts.unusable == 1


def test_a_value_that_does_not_fit_is_refused_when_it_is_said() -> None:
    link = Link()

    with pytest.raises(ValueError):
        link.send(Cancel(-1), T)

    assert link.unacknowledged == 0


def test_a_link_on_another_cable_goes_on_with_no_packet_of_the_old_one() -> None:
    link = Link()
    status = told(Status(1, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    link.receive(status[: len(status) // 2], T)

    link.open()

    assert link.take_output() == DELIMITER
    assert len(link.receive(status, T)) == 1
    assert link.decoder.corrupt == 0
