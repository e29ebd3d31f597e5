"""Every host end keeps every rule of docs/wire.md; one suite for all of them, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import pytest
from cobs import cobs
from host_drivers import CONFIG, HOSTS, StartHost
from host_rig import ARMED, BOARD, MS, SECOND, Rig
from mcu_drivers import shared_folder

from firmware_bridge.codes import ConfigResult, RejectResult, StatusFlag
from firmware_bridge.messages import (
    Ack,
    Arm,
    Config,
    ConfigAck,
    Edge,
    Heartbeat,
    Hello,
    Log,
    Nak,
    Ping,
    Pong,
    Reject,
    RejectAck,
    RejectDone,
)

LAPSED = StatusFlag.CONFIGURED | StatusFlag.LAPSED
ACCEPTED, LATE, DUP, FULL, SAFE, CANCELLED, UNKNOWN, BAD_OUTPUT = RejectResult


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


@pytest.fixture(params=sorted(HOSTS))
def rig(request: pytest.FixtureRequest, workshop: Path) -> Iterator[Rig]:
    start: StartHost = HOSTS[request.param](workshop)
    rig = Rig(start)
    yield rig
    rig.host.end()


# Greeting


def test_a_host_says_nothing_before_its_session_is_opened_nor_after_it_is_closed(rig: Rig) -> None:
    rig.host.alive(True)
    rig.host.advance(2 * SECOND)
    assert rig.host.take() == b""
    rig.up()
    rig.host.close()
    rig.host.take()
    rig.host.advance(2 * SECOND)

    assert rig.host.take() == b""


def test_a_session_begins_with_a_zero_byte(rig: Rig) -> None:
    rig.open()

    assert rig.host.take()[0] == 0


def test_a_greeting_is_repeated_four_times_a_second_with_the_same_number(rig: Rig) -> None:
    rig.open()
    rig.host.advance(2 * SECOND - MS)

    hellos = rig.hear()

    assert hellos == [Hello(1, 0, 1)] * 8
    rig.host.close()
    rig.open()
    assert rig.hear_of(Hello)[0].boot_id == 2


def test_what_was_said_before_the_greeting_is_no_answer(rig: Rig) -> None:
    rig.host.open()
    rig.say(BOARD, rig.status())
    assert [type(message) for message in rig.hear()] == [Hello]

    rig.say(rig.status())
    assert rig.hear_of(Config) == []


def test_what_comes_while_no_session_is_open_is_not_heard(rig: Rig) -> None:
    rig.open()
    rig.host.close()
    rig.hear()
    rig.say(BOARD, rig.status())
    rig.host.advance(SECOND)

    assert rig.hear() == []


def test_a_hello_of_a_start_is_no_answer_without_the_status_behind_it(rig: Rig) -> None:
    rig.open()
    rig.say(BOARD)
    assert rig.hear_of(Config) == []

    rig.say(BOARD, rig.status())
    assert rig.hear_of(Config) == [CONFIG]
    assert rig.said == [(0, CONFIG)]


def test_a_session_is_up_after_ten_pings_that_were_answered(rig: Rig) -> None:
    rig.configured(edges=41)
    answered = 0
    while not rig.events("up"):
        for ping in rig.hear_of(Ping):
            answered += 1
            rig.say(Pong(ping.host_ns, rig.ticks, rig.ticks))
        rig.host.advance(MS)
        assert answered <= 10

    assert answered == 10


def test_up_says_which_start_it_is_and_how_many_edges_there_were(rig: Rig) -> None:
    rig.up(edges=41)

    assert rig.up_event == ("up", BOARD.boot_id, 41)


def test_an_answer_that_comes_twice_or_that_nobody_asked_for_counts_once_or_not(rig: Rig) -> None:
    rig.configured()
    for _ in range(9):
        pings = rig.hear_of(Ping)
        assert len(pings) == 1
        ping = pings[0]
        pong = Pong(ping.host_ns, rig.ticks, rig.ticks)
        rig.say(pong, pong, Pong(2**63, 5, 5), Pong(ping.host_ns + 1, 5, 5))
        rig.host.advance(50 * MS)

    assert rig.events("up") == []


def test_a_host_pings_once_a_second_when_it_is_up(rig: Rig) -> None:
    rig.up()
    pings = 0
    for _ in range(1000):
        rig.host.advance(10 * MS)
        for ping in rig.hear_of(Ping):
            pings += 1
            rig.say(Pong(ping.host_ns, rig.ticks, rig.ticks))

    assert 5 <= pings <= 11


def test_another_protocol_is_refused(rig: Rig) -> None:
    rig.open()
    rig.say(replace(BOARD, proto=2))

    assert rig.events() == [("ended", "refused")]


def test_another_host_is_refused(rig: Rig) -> None:
    rig.open()
    rig.host.feed(rig.host.take())

    assert rig.events() == [("ended", "refused")]


def test_another_version_of_the_packets_is_refused_while_greeting(rig: Rig) -> None:
    rig.open()
    body = bytes([9, 1, 0, 0, 0, 0, 0, 0])
    rig.host.feed(framed(body))

    assert rig.events() == [("ended", "refused")]


def framed(body: bytes) -> bytes:
    """Give the bytes of any header and payload with a right CRC."""
    return bytes(cobs.encode(body + crc32(body).to_bytes(4, "little"))) + b"\0"


@pytest.mark.parametrize("result", [*list(ConfigResult)[1:], 99])
def test_a_configuration_that_is_refused_ends_the_session(rig: Rig, result: int) -> None:
    rig.greeted()
    rig.take()
    rig.say(ConfigAck(result, 0, 0, 0))

    assert rig.events() == [("ended", "refused")]


def patience(rig: Rig) -> list[int]:
    """Give how long each greeting goes on that nobody answers [ms]."""
    waited = []
    for _ in range(5):
        begun = rig.host.now
        rig.open()
        while not rig.events("ended"):
            rig.host.advance(250 * MS)
        waited.append((rig.host.now - begun) // MS)
        rig.host.take()
    return waited


def test_each_greeting_that_nobody_answers_goes_on_for_longer(rig: Rig) -> None:
    assert patience(rig) == [3000, 6000, 15_000, 60_000, 60_000]


def test_a_session_that_was_up_makes_the_next_greeting_short_again(rig: Rig) -> None:
    rig.open()
    rig.host.advance(3 * SECOND)
    rig.hear()
    rig.up()
    rig.host.close()
    rig.events()
    rig.open()
    rig.host.advance(3 * SECOND)

    assert rig.events() == [("ended", "fault")]


def test_a_board_that_takes_longer_than_the_greeting_to_start_comes_up_all_the_same(rig: Rig) -> None:
    """Opening the port is what resets it, and it takes 20 s."""
    sessions = 0
    while True:
        rig.open()
        sessions += 1
        ready_at = rig.host.now + 20 * SECOND
        while not (ended := rig.events("ended")) and rig.host.now < ready_at:
            rig.host.advance(100 * MS)
            rig.host.take()
        if not ended:
            break
    rig.host.advance(250 * MS)
    assert rig.hear_of(Hello)
    rig.say(BOARD, rig.status())

    assert sessions == 4
    assert rig.hear_of(Config)


@pytest.mark.parametrize("configured", [False, True])
def test_a_board_that_stops_half_way_is_given_up_after_three_seconds(rig: Rig, configured: bool) -> None:
    rig.configured() if configured else rig.greeted()
    rig.take()
    rig.host.advance(3 * SECOND - MS)
    assert rig.events() == []

    rig.host.advance(MS)

    assert rig.events() == [("ended", "fault")]


def test_a_board_that_says_nothing_is_given_up_after_two_and_a_half_seconds(rig: Rig) -> None:
    rig.up()
    rig.say(rig.status())
    rig.host.advance(2500 * MS - 1)
    assert rig.events() == []

    rig.host.advance(1)

    assert rig.events() == [("ended", "fault")]


# Packets


def test_reads_of_one_byte_and_of_several_packets_are_the_same(rig: Rig) -> None:
    rig.up()
    data = b"".join(rig.wire(Edge(n, n, 0, 1, 0)) for n in range(1, 4))
    for byte in data:
        rig.host.feed(bytes([byte]))
    rig.say(*(Edge(n, n, 0, 1, 0) for n in range(4, 7)))

    assert rig.events() == [("edge", n, n) for n in range(1, 7)]


def test_a_flipped_bit_costs_the_packet_it_hit_and_no_other(rig: Rig) -> None:
    rig.up()
    whole = rig.wire(Edge(1, 1, 0, 1, 0))
    for bit in range(8 * (len(whole) - 1)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        rig.host.feed(bytes(damaged) + rig.wire(Log(0, str(bit))))

        assert rig.events() == [("log", 0, str(bit))]
    assert rig.host.counts()["corrupt"] >= 8 * (len(whole) - 1)


def test_after_garbage_the_next_zero_byte_resynchronises(rig: Rig) -> None:
    rig.up()
    noise = random.Random(5)
    for n in range(50):
        rig.host.feed(noise.randbytes(noise.randrange(400)) + b"\0")
        rig.say(Log(0, str(n)))

        assert rig.events() == [("log", 0, str(n))]


def test_a_run_without_a_zero_byte_is_dropped_whole_and_counted_once(rig: Rig) -> None:
    rig.up()
    rig.host.feed(b"\0")
    before = rig.host.counts()["corrupt"]
    for _ in range(7):
        rig.host.feed(b"\x01" * 1000)
    rig.host.feed(b"\0")
    rig.say(Log(0, "again"))

    assert rig.events() == [("log", 0, "again")]
    assert rig.host.counts()["corrupt"] == before + 1


@pytest.mark.parametrize("change", [-1, 1])
def test_a_message_of_the_wrong_length_means_nothing(rig: Rig, change: int) -> None:
    rig.up()
    for message in (Edge(1, 1, 0, 1, 0), rig.status(edges=5), replace(BOARD, boot_id=8), RejectDone(1, 1), Ack(0)):
        body = bytearray(cobs.decode(rig.wire(message)[:-1])[:-4])
        body = body[:change] if change < 0 else body + b"\0"
        body[6:8] = (len(body) - 8).to_bytes(2, "little")
        rig.host.feed(framed(bytes(body)))
    rig.host.advance(100 * MS)

    assert rig.events() == []
    assert rig.host.counts()["edges_lost"] == 0


def test_a_type_that_nobody_knows_means_nothing(rig: Rig) -> None:
    rig.up()
    for kind in (0, 18, 99, 255):
        rig.host.feed(framed(bytes([1, kind, 0, 0, 0, 0, 4, 0]) + bytes(4)))

    assert rig.events() == []


def test_what_only_a_host_says_is_ignored(rig: Rig) -> None:
    rig.up()
    rig.say(Heartbeat(500), Ping(1), ConfigAck(1, 1, 1, 1), RejectAck(9, LATE), RejectDone(9, 1))

    assert rig.events() == []


def test_numbers_that_were_jumped_over_are_packets_that_were_lost(rig: Rig) -> None:
    rig.up()
    for _ in range(3):
        rig.wire(Log(0, "lost"))
    rig.say(Log(0, "heard"))

    assert rig.host.counts()["packets_lost"] == 3


def test_a_line_for_people_is_told(rig: Rig) -> None:
    rig.up()
    rig.say(Log(2, "overheated"), Log(0, ""))

    assert rig.events() == [("log", 2, "overheated"), ("log", 0, "")]


# Reliable packets


def windowed(rig: Rig, asked: int) -> None:
    """Have so many pulses asked for, none of them acknowledged."""
    rig.up()
    rig.edge(1)
    rig.said.clear()
    for _ in range(asked):
        rig.host.reject(1, 300 * MS)


def test_at_most_eight_packets_are_unacknowledged(rig: Rig) -> None:
    windowed(rig, 12)
    rig.hear()
    assert [seq for seq, _ in rig.said] == list(range(1, 9))

    rig.say(Ack(3))

    rig.hear()
    assert [seq for seq, _ in rig.said] == list(range(1, 11))


def test_what_is_not_acknowledged_is_sent_again_after_20_ms_with_all_behind_it(rig: Rig) -> None:
    windowed(rig, 3)
    rig.hear()
    once = list(rig.said)
    rig.host.advance(19 * MS)
    rig.hear()
    assert rig.said == once

    rig.host.advance(MS)

    rig.hear()
    assert rig.said == once * 2
    assert len({message.cmd_id for _, message in once if isinstance(message, Reject)}) == 3


def test_after_three_repetitions_the_link_is_down(rig: Rig) -> None:
    windowed(rig, 1)
    rig.host.advance(80 * MS - 1)
    rig.hear()
    assert len(rig.said) == 4
    assert rig.events("ended") == []

    rig.host.advance(1)

    assert rig.events("ended") == [("ended", "fault")]


def test_an_acknowledgement_begins_the_repetitions_anew(rig: Rig) -> None:
    windowed(rig, 4)
    rig.say(*(RejectAck(n, ACCEPTED) for n in range(1, 5)))
    for taken in range(2, 6):
        rig.host.advance(62 * MS)
        rig.say(Ack(taken))
    rig.host.advance(40 * MS)

    assert rig.events("ended") == []


@pytest.mark.parametrize("expected", [0, 1, 12, 40_000, 65_535])
def test_an_acknowledgement_of_what_is_not_in_the_window_says_nothing(rig: Rig, expected: int) -> None:
    windowed(rig, 9)
    rig.say(Ack(expected))
    rig.hear()

    assert [seq for seq, _ in rig.said] == list(range(1, 9))


def test_a_gap_is_closed_at_once_and_only_once(rig: Rig) -> None:
    windowed(rig, 8)
    rig.hear()
    rig.said.clear()
    rig.say(Nak(3), Nak(3), Nak(3))

    rig.hear()
    assert [seq for seq, _ in rig.said] == list(range(3, 9))


def test_numbers_wrap(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.said.clear()
    rig.host.number_from(65_530)
    for _ in range(12):
        rig.host.reject(1, 300 * MS)
    rig.hear()
    rig.say(Nak(65_532))
    rig.hear()
    rig.say(Ack(2))
    rig.hear()
    rig.say(Ack(6))

    first, again, rest = range(65_530, 65_538), range(65_532, 65_540), range(65_540, 65_542)
    assert [seq for seq, _ in rig.said] == [n & 0xFFFF for n in (*first, 65_538, 65_539, *again, *rest)]
    rig.host.advance(90 * MS)
    assert rig.events("ended") == []


# Samples and edges


def counts(rig: Rig, *names: str) -> tuple[int, ...]:
    """Give some of what was counted."""
    counted = rig.host.counts()
    return tuple(counted[name] for name in names)


def test_blocks_are_told_with_what_is_missing_before_them_and_everything_adds_up(rig: Rig) -> None:
    rig.up()
    rig.block(0, 0)
    rig.block(1, 4)
    rig.block(2, 13, dropped=5)  # the board dropped five
    rig.block(5, 33, dropped=0)  # blocks 3 and 4 were lost on the wire: sixteen samples

    told = [(first, missing, 4, sum(range(1, 13))) for first, missing in ((0, 0), (4, 0), (13, 5), (33, 16))]
    assert [event[1:] for event in rig.events("block")] == told
    received, dropped, lost = counts(rig, "samples", "dropped", "lost")
    assert (received, dropped, lost) == (16, 5, 16)
    assert received + dropped + lost == 33 + 4


def test_the_first_block_of_a_session_need_not_be_the_first_there_is(rig: Rig) -> None:
    rig.up()
    rig.block(10, 1000, dropped=7)

    assert [event[1:3] for event in rig.events("block")] == [(1000, 0)]
    assert counts(rig, "samples", "dropped", "lost") == (4, 0, 0)


def test_a_block_that_comes_twice_or_out_of_order_is_stale(rig: Rig) -> None:
    rig.up()
    rig.block(0, 0)
    rig.block(1, 4)
    rig.block(1, 4)
    rig.block(0, 0)

    assert len(rig.events("block")) == 2
    assert counts(rig, "samples", "stale") == (8, 2)


@pytest.mark.parametrize(("seq", "first", "dropped"), [(1, 3, 0), (1, 5, 0), (1, 4, 1), (2, 8, 5), (1, 0, 2**32 - 1)])
def test_a_block_whose_numbers_cannot_be_true_is_not_taken(rig: Rig, seq: int, first: int, dropped: int) -> None:
    rig.up()
    rig.block(0, 0)
    rig.block(seq, first, dropped)
    rig.block(1, 4)

    assert [event[1] for event in rig.events("block")] == [0, 4]
    assert counts(rig, "samples", "dropped", "lost") == (8, 0, 0)


def test_an_edge_is_told_once_however_often_it_is_said(rig: Rig) -> None:
    rig.up(edges=3)
    edge = Edge(4, 1234, 0, 1, 0)
    rig.say(edge, edge)
    rig.host.advance(5 * MS)
    rig.say(edge)

    assert rig.events() == [("edge", 4, 1234)]
    assert counts(rig, "edges", "edges_lost") == (1, 0)


def test_a_gap_in_the_edges_is_counted(rig: Rig) -> None:
    rig.up()
    rig.say(Edge(1, 1, 0, 1, 0), Edge(4, 4, 0, 1, 0))

    assert counts(rig, "edges", "edges_lost") == (2, 2)


def test_an_edge_that_only_the_status_tells_of_is_lost_after_its_copy_had_time(rig: Rig) -> None:
    rig.up()
    rig.say(rig.status(edges=2))
    rig.host.advance(49 * MS)
    rig.edge(1)
    assert counts(rig, "edges", "edges_lost") == (1, 0)

    rig.host.advance(MS)

    assert counts(rig, "edges", "edges_lost") == (1, 1)


def test_what_comes_before_a_session_is_up_belongs_to_what_was_missed(rig: Rig) -> None:
    rig.configured(edges=4)
    rig.edge(5)
    rig.block(0, 0)
    rig.say(rig.status(edges=6))
    rig.sync()

    assert rig.up_event == ("up", BOARD.boot_id, 6)
    assert rig.events() == []
    assert counts(rig, "samples", "edges", "edges_lost") == (0, 0, 0)


# Rejects


def test_a_pulse_is_asked_for_at_a_tick_of_the_board_after_its_edge(rig: Rig) -> None:
    rig.up()
    ticks = rig.edge(1)
    rig.host.advance(40 * MS)
    rig.say(rig.status(edges=1))

    reject = rig.asked(1, 300 * MS, pulse_us=7000, output=1)

    assert reject == Reject(reject.cmd_id, 1, reject.fire_ticks, 7000, 1)
    assert abs(reject.fire_ticks - ticks - 300 * MS) <= 30  # 100 ppm, for what the drift is thought to be
    assert reject.cmd_id > 0


def test_a_pulse_that_begins_is_done_and_each_has_a_number_of_its_own(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    first, second = rig.accepted(), rig.accepted()
    assert first.cmd_id != second.cmd_id
    rig.say(RejectDone(second.cmd_id, second.fire_ticks + 3), RejectDone(second.cmd_id, 9))

    assert rig.events("report") == [("report", 1, "done", second.fire_ticks, second.fire_ticks + 3)]


@pytest.mark.parametrize(
    ("result", "fate"),
    [(LATE, "late"), (FULL, "full"), (CANCELLED, "cancelled"), (BAD_OUTPUT, "bad_output"), (99, "unknown")],
)
def test_each_refusal_is_a_fate(rig: Rig, result: int, fate: str) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.asked()
    rig.say(RejectAck(reject.cmd_id, UNKNOWN))  # to a CANCEL: no fate of a REJECT
    rig.say(RejectAck(reject.cmd_id, result), RejectAck(reject.cmd_id, LATE))

    assert rig.events("report") == [("report", 1, fate, reject.fire_ticks, 0)]


def test_an_answer_that_does_not_come_is_asked_for_three_times_under_the_same_number(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.asked(after_us=2 * SECOND)
    asked = [reject]
    for _ in range(20):
        rig.host.advance(20 * MS)
        asked += [message for message in rig.answer() if isinstance(message, Reject)]

    assert asked == [reject] * 3
    assert rig.events("report") == [("report", 1, "unknown", reject.fire_ticks, 0)]
    assert counts(rig, "asked_again") == (2,)


def test_a_pulse_that_was_accepted_is_asked_after_when_it_should_have_begun(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted(after_us=300 * MS)
    rig.wait(395 * MS)
    assert rig.events("report") == []
    rig.host.advance(10 * MS)

    assert [message for message in rig.answer() if isinstance(message, Reject)] == [reject]
    rig.say(RejectAck(reject.cmd_id, DUP), RejectDone(reject.cmd_id, reject.fire_ticks))
    assert rig.events("report") == [("report", 1, "done", reject.fire_ticks, reject.fire_ticks)]


def test_a_pulse_that_nobody_can_be_asked_for_says_why_at_once(rig: Rig) -> None:
    rig.host.reject(1, 300 * MS)
    rig.host.reject(0, 300 * MS)
    assert rig.events() == [("report", 1, "down", 0, 0), ("report", 0, "down", 0, 0)]
    rig.up()

    rig.host.reject(9, 300 * MS)

    assert rig.events() == [("report", 9, "forgotten", 0, 0)]
    assert rig.hear_of(Reject) == []


def test_a_pulse_without_a_part_counts_from_now(rig: Rig) -> None:
    rig.up()
    rig.host.advance(400 * MS)

    reject = rig.asked(0, 200 * MS)

    assert abs(reject.fire_ticks - (rig.ticks + 200 * MS)) <= MS


# What is stranded


def test_a_pulse_that_is_safe_before_its_tick_is_asked_for_anew_right_behind_arm(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted(after_us=800 * MS)
    rig.say(RejectAck(reject.cmd_id, SAFE), rig.status(flags=LAPSED))
    assert rig.events("report") == []

    (anew,) = rig.arm()

    assert isinstance(anew, Reject)
    assert anew.cmd_id != reject.cmd_id
    assert replace(anew, cmd_id=0) == replace(reject, cmd_id=0)
    rig.say(RejectDone(anew.cmd_id, anew.fire_ticks))
    assert rig.events("report") == [("report", 1, "done", reject.fire_ticks, reject.fire_ticks)]
    assert counts(rig, "asked_anew") == (1,)


def test_a_pulse_that_is_not_armed_before_its_tick_was_safe(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted()
    rig.say(RejectAck(reject.cmd_id, SAFE))
    rig.host.advance(310 * MS)

    assert rig.events("report") == [("report", 1, "safe", reject.fire_ticks, 0)]
    assert rig.arm() == []


def test_a_pulse_that_is_asked_for_anew_and_late_was_safe_at_its_tick(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted()
    rig.say(RejectAck(reject.cmd_id, SAFE))
    (anew,) = rig.arm()
    assert isinstance(anew, Reject)
    rig.say(RejectAck(anew.cmd_id, LATE))

    assert rig.events("report") == [("report", 1, "safe", reject.fire_ticks, 0)]


def test_an_answer_that_crosses_arm_is_asked_for_anew_once(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.host.follow_from(rig.host.now + 200 * MS)
    rig.wait(180 * MS)
    reject = rig.asked(after_us=800 * MS)
    assert rig.arm() == [reject]
    rig.say(RejectAck(reject.cmd_id, SAFE), RejectAck(reject.cmd_id, SAFE))  # to each time that it was said
    (anew,) = [message for message in rig.take() if isinstance(message, Reject)]
    assert anew.cmd_id != reject.cmd_id

    rig.say(RejectAck(anew.cmd_id, SAFE))

    assert [message for message in rig.take() if isinstance(message, Reject)] == []


def test_a_pulse_whose_safe_answer_was_lost_is_asked_for_anew_behind_arm(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted(after_us=2 * SECOND)
    rig.wait(600 * MS)
    rig.say(rig.status(flags=LAPSED))  # and the SAFE before it was lost

    assert rig.arm() == [reject]
    rig.say(RejectAck(reject.cmd_id, SAFE))

    (anew,) = [message for message in rig.take() if isinstance(message, Reject)]
    assert anew.cmd_id != reject.cmd_id
    assert replace(anew, cmd_id=0) == replace(reject, cmd_id=0)
    rig.say(RejectAck(anew.cmd_id, ACCEPTED), RejectDone(anew.cmd_id, anew.fire_ticks))
    assert rig.events("report") == [("report", 1, "done", reject.fire_ticks, reject.fire_ticks)]
    assert counts(rig, "asked_again", "asked_anew") == (0, 1)


def test_a_pulse_that_still_waits_when_the_outputs_are_armed_is_not_asked_for_twice(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted(after_us=800 * MS)
    assert rig.arm() == [reject]
    rig.say(RejectAck(reject.cmd_id, DUP))
    rig.wait(700 * MS)

    assert [message for _, message in rig.said].count(reject) == 2
    rig.say(RejectDone(reject.cmd_id, reject.fire_ticks))
    assert rig.events("report") == [("report", 1, "done", reject.fire_ticks, reject.fire_ticks)]
    assert counts(rig, "asked_again", "asked_anew") == (0, 0)


def test_what_is_said_again_behind_arm_is_asked_for_three_times_like_a_new_one(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.asked(after_us=2 * SECOND)
    rig.wait(210 * MS)
    rig.say(RejectAck(reject.cmd_id, ACCEPTED))
    rig.arm()
    rig.said.clear()
    rig.wait(290 * MS)
    assert [message for _, message in rig.said].count(reject) == 2
    assert rig.events("report") == []

    rig.wait(20 * MS)

    assert rig.events("report") == [("report", 1, "unknown", reject.fire_ticks, 0)]


def test_what_is_to_come_when_the_wire_breaks_is_asked_for_anew_in_the_next_session(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    before = rig.accepted(after_us=1500 * MS)
    rig.host.close()
    rig.host.reject(1, 1600 * MS)
    rig.up(edges=1)
    assert rig.events("report") == []

    anew = [message for message in rig.arm() if isinstance(message, Reject)]

    assert [reject.part_seq for reject in anew] == [1, 1]
    assert anew[0].fire_ticks == before.fire_ticks
    assert abs(anew[1].fire_ticks - before.fire_ticks - 100 * MS) <= 30
    assert before.cmd_id not in {reject.cmd_id for reject in anew}


def test_what_is_past_when_the_wire_is_back_was_down(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted()
    rig.host.close()
    rig.host.advance(310 * MS)

    assert rig.events("report") == [("report", 1, "down", reject.fire_ticks, 0)]
    rig.up(edges=1)
    assert rig.arm() == []


def test_sixteen_are_stranded_and_one_more_is_refused_though_its_tick_is_to_come(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.host.close()
    for _ in range(17):
        rig.host.reject(1, 900 * MS)
    rig.host.reject(1, 0)

    assert [event[2] for event in rig.events("report")] == ["full", "down"]


def test_of_more_than_sixteen_that_lose_their_wire_those_that_were_asked_for_first_are_kept(rig: Rig) -> None:
    rig.up()
    asked = {}
    for part in range(1, 23):
        rig.edge(part)
        asked[part] = rig.accepted(part, after_us=3 * SECOND)
        if part == 7:  # the places of these are taken by later parts
            rig.say(*(RejectDone(asked[done].cmd_id, 1) for done in (2, 3, 5)))
    rig.events()
    rig.host.close()

    assert [event[1:3] for event in rig.events("report")] == [(20, "full"), (21, "full"), (22, "full")]
    rig.up(edges=22)
    anew = [message for message in [*rig.arm(), *rig.take(), *rig.take()] if isinstance(message, Reject)]
    assert [reject.part_seq for reject in anew] == [1, 4, *range(6, 20)]


# A board that starts anew


def test_a_restart_ends_what_was_asked_for_and_begins_a_new_session(rig: Rig) -> None:
    rig.up(edges=3)
    rig.edge(4)
    reject = rig.accepted(4)
    rig.take()
    rig.events()
    rig.said.clear()
    rig.reboot(8)

    assert rig.events() == [("report", 4, "rebooted", reject.fire_ticks, 0), ("rebooted",)]
    assert rig.hear_of(Hello) == [Hello(1, 0, 2)]
    rig.say(rig.hello, rig.status(edges=1))
    assert rig.hear_of(Config) == [CONFIG]
    assert rig.said == [(0, CONFIG)]
    rig.say(Ack(1), ConfigAck(ConfigResult.OK, CONFIG.rate_hz, CONFIG.range_mg, CONFIG.block_samples))
    rig.sync()
    assert rig.up_event == ("up", 8, 1)
    rig.host.reject(4, 300 * MS)
    assert rig.events("report") == [("report", 4, "forgotten", 0, 0)]


def test_a_restart_that_only_the_next_session_finds_out_is_told(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    reject = rig.accepted(after_us=2 * SECOND)
    rig.host.close()
    rig.hello = replace(BOARD, boot_id=8)
    rig.events()
    rig.greeted()

    assert rig.events("report") == [("report", 1, "rebooted", reject.fire_ticks, 0)]


def test_a_hello_of_the_same_start_changes_nothing(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.accepted()
    rig.events()
    rig.say(BOARD)

    assert rig.events() == []
    assert rig.hear_of(Hello) == []


def test_restarts_in_quick_succession_cost_no_count(rig: Rig) -> None:
    rig.up()
    for boot_id in (8, 9, 10):
        rig.block(0, 0)
        rig.edge(1)
        rig.reboot(boot_id)
        rig.hear()
        rig.say(rig.hello, rig.status())
        rig.take()
        rig.say(ConfigAck(ConfigResult.OK, CONFIG.rate_hz, CONFIG.range_mg, CONFIG.block_samples))
        rig.said.clear()
        rig.sync()

    assert counts(rig, "samples", "edges", "lost", "edges_lost") == (12, 3, 0, 0)


# The lease


def arms(rig: Rig, us: int) -> list[int]:
    """Let time pass on an up session that is never armed; give when ARM was said [ms from now]."""
    begun = rig.host.now
    said = []
    while rig.host.now < begun + us:
        said += [(rig.host.now - begun) // MS for m in rig.answer() if isinstance(m, Arm)]
        rig.host.advance(MS)
    return said


def test_nobody_who_is_alive_arms_nothing(rig: Rig) -> None:
    rig.up()

    assert arms(rig, 2 * SECOND) == []


def test_arming_is_tried_twice_a_second(rig: Rig) -> None:
    rig.up()
    rig.host.alive(True)

    said = arms(rig, 2 * SECOND)

    assert len(said) == 4
    assert {b - a for a, b in zip(said, said[1:], strict=False)} == {500}


def test_who_is_alive_again_after_a_silence_is_followed_within_50_ms(rig: Rig) -> None:
    rig.up()
    for _ in range(3):
        rig.wait(640 * MS)
        rig.host.alive(True)
        said = arms(rig, 52 * MS)
        rig.host.alive(False)

        assert len(said) == 1
        assert said[0] <= 50


def heartbeats(rig: Rig, us: int) -> int:
    """Let time pass; give how many heartbeats were said."""
    beats = 0
    for _ in range(us // (5 * MS)):
        rig.host.advance(5 * MS)
        beats += sum(m == Heartbeat(CONFIG.lease_ms) for m in rig.answer())
    return beats


def test_a_lease_is_extended_four_times_in_its_length_while_whoever_decides_is_alive(rig: Rig) -> None:
    rig.up()
    rig.arm()
    assert rig.events() == [("armed",)]

    assert 15 <= heartbeats(rig, 2 * SECOND) <= 17
    rig.host.alive(False)
    assert heartbeats(rig, 2 * SECOND) <= 3


def test_a_lease_that_ran_out_is_told_and_armed_anew_and_not_beaten(rig: Rig) -> None:
    rig.up()
    rig.arm()
    rig.take()
    rig.events()
    rig.say(rig.status(flags=LAPSED))

    assert rig.events() == [("lapsed",)]
    assert [type(m) for m in rig.answer() if isinstance(m, Arm | Heartbeat)] == [Arm]
    rig.say(rig.status(flags=ARMED))
    assert rig.events() == [("armed",)]


def test_a_host_that_is_to_follow_later_arms_then_and_not_before(rig: Rig) -> None:
    rig.up()
    rig.host.follow_from(rig.host.now + 730 * MS)
    rig.host.alive(True)

    said = arms(rig, SECOND)

    assert len(said) == 1
    assert 730 <= said[0] <= 732


def test_what_was_alive_before_a_session_is_up_arms_nothing_in_it(rig: Rig) -> None:
    rig.configured()
    rig.host.alive(True)
    answered = 0
    while answered < 9:
        for ping in rig.hear_of(Ping):
            answered += 1
            rig.say(Pong(ping.host_ns, rig.ticks, rig.ticks))
        rig.host.advance(MS)
    rig.host.alive(False)
    rig.sync()

    assert arms(rig, SECOND) == []
