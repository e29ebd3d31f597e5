"""Every microcontroller end keeps every rule of docs/wire.md; one suite for all of them, in virtual time."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from cobs import cobs
from mcu_bench import (
    AT_REST,
    CONFIG,
    LEASE,
    MS,
    SECOND,
    SESSION,
    Bench,
    check_account,
    check_values,
    done,
    edges,
    every,
    expected,
    only,
    results,
)
from mcu_drivers import BOARD, DRIVERS, SATURATED_EVERY, START_TICKS, Start, shared_folder

from firmware_bridge.codes import BlockFlag, ConfigResult, RejectResult, StatusFlag, Type
from firmware_bridge.layout import encode_message
from firmware_bridge.messages import (
    Ack,
    Arm,
    Block,
    Cancel,
    ConfigAck,
    Edge,
    Heartbeat,
    Hello,
    Nak,
    Ping,
    Pong,
    Reject,
    RejectAck,
    RejectDone,
    Status,
)
from firmware_bridge.packet import MAX_PAYLOAD, Packet, encode_packet

ACCEPTED, LATE, DUP, FULL, SAFE, CANCELLED, UNKNOWN, BAD_OUTPUT = RejectResult
HELLO = Hello(proto=1, firmware=0, boot_id=SESSION)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


@pytest.fixture(params=sorted(DRIVERS))
def start(request: pytest.FixtureRequest, workshop: Path) -> Start:
    return DRIVERS[request.param](workshop)


@pytest.fixture
def bench(start: Start) -> Iterator[Bench]:
    bench = Bench(start)
    yield bench
    bench.mcu.close()


def level_train(bench: Bench, *changes: tuple[int, int]) -> None:
    """Let input 0 change: (ticks from now, level)."""
    now = bench.now
    for ticks, level in changes:
        bench.mcu.level(level, now + ticks)


def part(bench: Bench, at: int = 0, width: int = 10 * MS) -> None:
    """Let a part pass the trigger, `at` ticks from now."""
    level_train(bench, (at, 1), (at + width, 0))


# Greeting


def test_until_a_host_says_hello_it_says_its_own_and_does_nothing(start: Start) -> None:
    for boot_id in (5, 2**64 - 1):
        bench = Bench(start, boot_id=boot_id)
        try:
            heard = bench.wait(5 * SECOND)
            bench.mcu.feed(bench.wire(Ping(1)) + bench.wire(CONFIG) + bench.wire(Heartbeat(100)) + bench.wire(Arm()))
            part(bench)
            heard += bench.wait(5 * SECOND)
            outputs = bench.outputs()
        finally:
            bench.mcu.close()

        assert outputs == []
        assert heard == [dataclasses.replace(BOARD, boot_id=boot_id)]


def test_what_came_before_the_greeting_counts_for_nothing(bench: Bench) -> None:
    bench.mcu.feed(bench.wire(CONFIG) + bench.wire(Arm()))
    status = bench.greet()

    assert status.flags == 0
    assert expected(bench.say(CONFIG, seq=0)) == 1


def test_every_hello_is_answered_with_hello_and_status(bench: Bench) -> None:
    bench.hear()

    for _ in range(3):
        heard = bench.say(HELLO)
        assert [type(message) for message in heard] == [Hello, Status]
        assert heard[0] == BOARD
        status = only(heard, Status)
        assert (status.ticks, status.flags, status.waiting, status.edges) == (bench.now, 0, 0, 0)
        bench.wait(100 * MS)


def test_a_hello_of_the_same_session_changes_nothing(bench: Bench) -> None:
    bench.ready()
    assert bench.reject(1, 50 * MS) is ACCEPTED

    status = bench.status()

    assert status.flags == StatusFlag.CONFIGURED | StatusFlag.ARMED
    assert status.waiting == 1
    assert bench.outputs() == []
    assert bench.reject(1, 50 * MS) is DUP
    assert list(done(bench.wait(60 * MS))) == [1]


def test_a_new_session_begins_anew(bench: Bench) -> None:
    bench.ready()
    part(bench)
    bench.wait(20 * MS)
    assert bench.reject(1, 100 * MS) is ACCEPTED
    at = bench.now

    status = bench.greet(session=8)

    assert (status.waiting, status.flags & StatusFlag.ARMED, status.edges) == (0, 0, 1)
    assert bench.outputs() == [(at, 3, 0)]  # the one whose safe level is not its level at rest
    heard = bench.wait(500 * MS)
    assert bench.outputs() == []
    assert not any(isinstance(message, RejectDone | RejectAck | Block) for message in heard)
    bench.configure()
    bench.arm()
    assert bench.reject(1, 100 * MS) is ACCEPTED  # no cmd_id is remembered


def test_a_new_session_expects_reliable_packet_0(bench: Bench) -> None:
    bench.ready()
    bench.greet(session=8)

    assert only(bench.say(CONFIG, seq=bench.reliable + 2), Nak).expected == 0
    assert expected(bench.say(CONFIG, seq=0)) == 1


def test_a_new_session_ends_a_pulse(bench: Bench) -> None:
    bench.ready()
    bench.reject(1, MS, pulse_us=100_000)
    bench.wait(2 * MS)
    bench.outputs()

    bench.greet(session=8)

    assert bench.outputs() == [(bench.now, 0, 0), (bench.now, 3, 0)]


def test_edges_are_counted_through_a_new_session(bench: Bench) -> None:
    bench.ready()
    part(bench)
    assert edges(bench.wait(50 * MS)) == [1, 1]

    bench.greet(session=8)
    part(bench)

    assert edges(bench.wait(50 * MS)) == [2, 2]
    bench.configure()
    part(bench)
    assert edges(bench.wait(50 * MS)) == [3, 3]


def test_status_comes_once_a_second(bench: Bench) -> None:
    bench.greet()

    heard = every(bench.wait(10 * SECOND + MS), Status)

    assert len(heard) == 10
    assert np.diff([status.ticks for status in heard]) == pytest.approx(SECOND, abs=2 * MS)


# Packets


def test_one_byte_at_a_time(bench: Bench) -> None:
    data = b"".join(bench.wire(message) for message in (HELLO, CONFIG, Arm(), Ping(77)))
    for byte in data:
        bench.mcu.feed(bytes([byte]))

    heard = bench.hear()

    assert [ack.expected for ack in every(heard, Ack)] == [1, 2]
    assert only(heard, ConfigAck).result == ConfigResult.OK
    assert only(heard, Pong).host_ns == 77


def test_reads_may_split_packets_anywhere(bench: Bench) -> None:
    bench.greet()
    for cut in range(45):
        data = bench.wire(Ping(2 * cut)) + bench.wire(Ping(2 * cut + 1))
        bench.mcu.feed(data[:cut])
        bench.mcu.feed(data[cut:])

        assert [pong.host_ns for pong in every(bench.hear(), Pong)] == [2 * cut, 2 * cut + 1]


def test_a_flipped_bit_costs_the_packet_it_hit_and_no_other(bench: Bench) -> None:
    bench.greet()
    bad = bench.wire(Ping(1), seq=9)
    for bit in range(8 * (len(bad) - 1)):
        damaged = bytearray(bad)
        damaged[bit // 8] ^= 1 << bit % 8

        bench.mcu.feed(bytes(damaged) + bench.wire(Ping(1000 + bit)))

        assert [pong.host_ns for pong in every(bench.hear(), Pong)] == [1000 + bit]
    assert bench.status().corrupt >= 8 * (len(bad) - 1)


def test_a_lost_zero_byte_costs_the_packets_it_parted(bench: Bench) -> None:
    bench.greet()

    assert every(bench.say(Ping(1)), Pong)
    bench.mcu.feed(bench.wire(Ping(2))[:-1] + bench.wire(Ping(3)) + bench.wire(Ping(4)))

    assert [pong.host_ns for pong in every(bench.hear(), Pong)] == [4]


def test_after_garbage_the_next_zero_byte_resynchronises(bench: Bench) -> None:
    bench.greet()
    noise = random.Random(5)
    for i in range(50):
        bench.mcu.feed(noise.randbytes(noise.randrange(400)) + b"\0")
        assert only(bench.say(Ping(i)), Pong).host_ns == i


def test_a_run_without_a_zero_byte_is_dropped_whole_and_counted_once(bench: Bench) -> None:
    bench.greet()
    for length in (2058, 3000, 70_000):
        before = bench.status().corrupt
        for at in range(0, length, 1000):
            bench.mcu.feed(b"\x01" * min(1000, length - at))
        bench.mcu.feed(b"\0")

        assert only(bench.say(Ping(length)), Pong).host_ns == length
        assert bench.status().corrupt == before + 1


@pytest.mark.parametrize("length", [MAX_PAYLOAD, 300])
def test_a_long_packet_of_no_known_type_is_not_damage(bench: Bench, length: int) -> None:
    before = bench.greet()

    bench.mcu.feed(encode_packet(Packet(200, False, 5, b"\x55" * length)))

    after = bench.status()
    assert bench.hear() == []
    assert (after.corrupt, after.received) == (before.corrupt, before.received + 2)


def test_empty_packets_are_no_damage(bench: Bench) -> None:
    bench.greet()
    bench.mcu.feed(bytes(100))

    assert bench.status().corrupt == 0


def framed(body: bytes) -> bytes:
    """Give the bytes of any header and payload with a right CRC."""
    return bytes(cobs.encode(body + crc32(body).to_bytes(4, "little"))) + b"\0"


@pytest.mark.parametrize("length", [0, 7, 9, 65_535])
def test_a_length_that_is_not_that_of_the_payload_is_damage(bench: Bench, length: int) -> None:
    bench.greet()
    bench.mcu.feed(framed(bytes([1, Type.PING, 0, 0, 0, 0]) + length.to_bytes(2, "little") + bytes(8)))

    assert bench.hear() == []
    assert bench.status().corrupt == 1


def test_a_packet_of_another_version_is_neither_taken_nor_damage(bench: Bench) -> None:
    bench.greet()
    bench.mcu.feed(framed(bytes([2, Type.PING, 0, 0, 0, 0, 8, 0]) + bytes(8)))

    assert bench.hear() == []
    assert bench.status().corrupt == 0


@pytest.mark.parametrize("change", [-1, 1])
def test_a_message_of_the_wrong_length_means_nothing(bench: Bench, change: int) -> None:
    bench.ready()
    seq = bench.reliable
    for message in (HELLO, Ping(1), Heartbeat(100), Reject(1, 1, bench.now + MS, 100, 0), Cancel(1), CONFIG):
        packet = encode_message(message, seq)
        seq += packet.reliable
        payload = packet.payload[:change] if change < 0 else packet.payload + b"\0"
        bench.mcu.feed(encode_packet(dataclasses.replace(packet, payload=payload)))

        assert every(bench.hear(), Ack) == ([Ack(seq)] if packet.reliable else [])
    bench.wait(10 * MS)
    assert bench.outputs() == []


def test_a_message_in_the_wrong_class_means_nothing(bench: Bench) -> None:
    bench.ready()
    ping, arm = encode_message(Ping(1), bench.reliable), encode_message(CONFIG, 0)

    bench.mcu.feed(encode_packet(dataclasses.replace(ping, reliable=True)))
    assert bench.hear() == [Ack(bench.reliable + 1)]  # so that it does not block what is behind it
    bench.mcu.feed(encode_packet(dataclasses.replace(arm, reliable=False)))
    assert bench.hear() == []


# Reliable packets


def test_a_reliable_packet_is_acknowledged_with_the_next_number(bench: Bench) -> None:
    bench.greet()

    for seq in range(20):
        heard = bench.say(Cancel(seq))
        assert expected(heard) == seq + 1
        assert only(heard, RejectAck) == RejectAck(seq, UNKNOWN)


def test_a_repeated_packet_is_acknowledged_again_and_not_delivered(bench: Bench) -> None:
    bench.greet()
    for seq in range(5):
        bench.say(Cancel(seq))

    for seq in (4, 4, 0, 2):
        assert bench.say(Cancel(99), seq=seq) == [Ack(5)]


def test_a_packet_that_is_ahead_is_refused_and_not_delivered(bench: Bench) -> None:
    bench.greet()
    bench.say(Cancel(1))

    for seq in (2, 8, 1000):
        assert bench.say(Cancel(99), seq=seq) == [Nak(1)]

    assert bench.status().out_of_order == 3
    assert only(bench.say(Cancel(2), seq=1), RejectAck).cmd_id == 2


def test_a_window_with_a_hole_is_sent_again_and_delivered_once_in_order(bench: Bench) -> None:
    bench.greet()
    window = [bench.wire(Cancel(i)) for i in range(8)]

    bench.mcu.feed(b"".join(window[:2] + window[3:]))
    heard = bench.hear()
    bench.mcu.feed(b"".join(window[1:]))
    heard += bench.hear()

    assert [ack.cmd_id for ack in every(heard, RejectAck)] == list(range(8))
    assert every(heard, Nak) == [Nak(2)] * 5
    assert every(heard, Ack)[-1].expected == 8


def test_numbers_wrap(bench: Bench) -> None:
    bench.greet()
    heard = []
    for seq in range(0, 65_500, 500):  # of a type that has no other answer
        bench.mcu.feed(b"".join(encode_packet(Packet(200, True, seq + i, b"")) for i in range(500)))
        heard += bench.hear()
    assert heard == [Ack(seq) for seq in range(1, 65_501)]
    bench.reliable = 65_500

    assert bench.say(Cancel(1), seq=3) == [Nak(65_500)]
    assert bench.say(Cancel(1), seq=65_000) == [Ack(65_500)]
    heard = bench.say(*(Cancel(i) for i in range(90)))

    assert [ack.expected for ack in every(heard, Ack)] == [*range(65_501, 65_536), *range(55)]
    assert [ack.cmd_id for ack in every(heard, RejectAck)] == list(range(90))
    assert bench.say(Cancel(1), seq=65_535) == [Ack(54)]
    assert bench.say(Cancel(1), seq=100) == [Nak(54)]
    assert bench.losses == 0  # its own numbers have wrapped as well


# CONFIG


REFUSED = {
    ConfigResult.BAD_RATE: [{"rate_hz": 0}, {"rate_hz": BOARD.rate_hz + 1}, {"rate_hz": 2**32 - 1}],
    ConfigResult.BAD_RANGE: [{"range_mg": 0}, {"range_mg": BOARD.full_scale_mg + 1}],
    ConfigResult.BAD_BLOCK: [{"block_samples": 0}, {"block_samples": 334}, {"block_samples": 65_535}],
    ConfigResult.BAD_INPUT: [{"trigger_input": BOARD.inputs}, {"trigger_input": 255}],
    ConfigResult.BAD_OUTPUT: [{"active_levels": 0b10000}, {"safe_levels": 0b10000000}],
    ConfigResult.BAD_LEASE: [{"lease_ms": 0}, {"lease_ms": 49}, {"lease_ms": 10_001}],
}


@pytest.mark.parametrize(
    ("result", "changes"), [(result, changes) for result, cases in REFUSED.items() for changes in cases]
)
def test_a_config_that_does_not_fit_changes_nothing(
    bench: Bench, result: ConfigResult, changes: dict[str, int]
) -> None:
    bench.greet()
    refused = dataclasses.replace(CONFIG, **changes)
    assert only(bench.say(refused), ConfigAck).result == result
    assert bench.status().flags == 0

    bench.configure()
    bench.arm()
    bench.reject(1, 30 * MS)
    bench.wait(10 * MS)
    other = {"rate_hz": 500, "block_samples": 10, "safe_levels": 0b1111, "debounce_us": 0}
    assert only(bench.say(dataclasses.replace(refused, **(other | changes))), ConfigAck).result == result

    assert bench.status().flags == StatusFlag.CONFIGURED | StatusFlag.ARMED
    heard = bench.wait(120 * MS)
    assert list(done(heard)) == [1]
    blocks = every(heard, Block)
    assert [(block.block_seq, len(block.samples)) for block in blocks] == [(0, 50), (1, 50)]


def test_the_first_that_does_not_fit_is_named(bench: Bench) -> None:
    bench.greet()
    wrong = {name: value for cases in REFUSED.values() for name, value in cases[-1].items()}
    for result, cases in REFUSED.items():
        assert only(bench.say(dataclasses.replace(CONFIG, **wrong)), ConfigAck).result == result
        for changes in cases:
            for name in changes:
                wrong.pop(name, None)
    bench.configure(**wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"rate_hz": 1},
        {"rate_hz": BOARD.rate_hz, "block_samples": 333},
        {"range_mg": 1},
        {"range_mg": BOARD.full_scale_mg},
        {"block_samples": 1},
        {"trigger_input": BOARD.inputs - 1},
        {"active_levels": 0b1111, "safe_levels": 0b1111},
        {"lease_ms": 50},
        {"lease_ms": 10_000},
        {"debounce_us": 0},
    ],
)
def test_a_config_at_its_limits_fits(bench: Bench, changes: dict[str, int]) -> None:
    bench.greet()
    bench.configure(**changes)

    assert bench.status().flags == StatusFlag.CONFIGURED


def test_a_config_drives_the_outputs_to_their_safe_level(bench: Bench) -> None:
    bench.greet()
    bench.say(CONFIG)
    assert bench.outputs() == [(bench.now, 2, 1)]


def test_a_config_begins_blocks_at_0_and_disarms(bench: Bench) -> None:
    bench.ready()
    part(bench)
    bench.reject(1, 220 * MS)
    assert len(every(bench.wait(175 * MS), Block)) == 3
    bench.outputs()

    heard = bench.say(dataclasses.replace(CONFIG, block_samples=20))

    assert results(heard) == {1: SAFE}
    assert bench.outputs() == [(bench.now, 3, 0)]
    status = bench.status()
    assert (status.flags, status.waiting) == (StatusFlag.CONFIGURED, 0)
    assert (status.blocks, status.dropped, status.edges) == (0, 0, 1)
    blocks = every(bench.wait(100 * MS), Block)
    assert [(block.block_seq, block.first_sample, len(block.samples)) for block in blocks[:2]] == [
        (0, 0, 20),
        (1, 20, 20),
    ]
    check_values(blocks)
    assert bench.outputs() == []


# Blocks


def test_no_block_comes_before_a_config(bench: Bench) -> None:
    bench.greet()

    assert every(bench.wait(3 * SECOND), Block) == []


def test_blocks_hold_consecutive_samples_and_say_when_the_first_was_taken(bench: Bench) -> None:
    bench.greet()
    bench.configure()
    begun = bench.now

    blocks = every(bench.wait(SECOND), Block)

    assert len(blocks) in {19, 20}
    assert blocks[0].first_sample == 0
    assert {(len(b.samples), b.flags, b.dropped_before) for b in blocks} == {(50, 0, 0)}
    check_account(blocks)
    check_values(blocks)
    taken = np.array([block.first_ticks for block in blocks])
    assert begun <= taken[0] <= begun + 2 * MS
    assert np.diff(taken) == pytest.approx(50 * MS, abs=2)


def test_the_highest_rate_is_carried_whole(bench: Bench) -> None:
    bench.greet()
    bench.configure(rate_hz=BOARD.rate_hz, block_samples=256)

    blocks = every(bench.wait(SECOND), Block)

    assert len(blocks) == 104
    assert blocks[0].dropped_before == 0
    check_account(blocks)
    check_values(blocks)
    periods = np.diff([block.first_ticks for block in blocks])
    assert periods == pytest.approx(256 * SECOND / BOARD.rate_hz, abs=2)


@pytest.mark.parametrize("room", [0, 1, 700])
def test_what_a_stalled_wire_cannot_take_is_dropped_in_whole_blocks_and_counted(bench: Bench, room: int) -> None:
    bench.greet()
    bench.configure(rate_hz=5000)
    blocks = every(bench.wait(100 * MS), Block)
    for _ in range(3):
        bench.mcu.accept(room)
        bench.mcu.advance(2 * SECOND)
        bench.mcu.accept(None)
        blocks += every(bench.wait(50 * MS), Block)

    check_account(blocks)
    check_values(blocks)
    gaps = [block for block in blocks if block.dropped_before]
    assert len(gaps) == 3
    assert all(block.dropped_before % 50 == 0 and block.dropped_before > 5000 for block in gaps)
    assert {block.flags & BlockFlag.OVERRUN for block in gaps} == {BlockFlag.OVERRUN}
    assert not any(block.flags & BlockFlag.OVERRUN for block in blocks if block not in gaps)
    status = bench.status()
    assert status.dropped == sum(block.dropped_before for block in blocks)
    assert status.blocks == len(blocks)
    assert status.fifo_high >= 50


def test_small_messages_find_room_beside_blocks(bench: Bench) -> None:
    bench.ready(rate_hz=5000)
    bench.mcu.accept(0)
    bench.mcu.advance(SECOND // 10)
    bench.mcu.feed(bench.wire(Ping(5)) + bench.wire(Reject(1, 1, bench.now + MS, 5, 0)))
    part(bench)
    bench.mcu.advance(SECOND)
    bench.mcu.accept(None)

    heard = bench.wait(100 * MS)

    assert only(heard, Pong).host_ns == 5
    assert list(results(heard).items()) == [(1, ACCEPTED)]
    assert list(done(heard)) == [1]
    assert edges(heard) == [1, 1]
    assert bench.losses == 0


def test_a_wire_that_stalls_for_long_costs_messages_that_the_numbers_tell(bench: Bench) -> None:
    bench.ready()
    bench.mcu.accept(0)
    for i in range(200):
        bench.mcu.feed(bench.wire(Ping(i)))
        part(bench)
        bench.mcu.advance(SECOND // 4)
    bench.mcu.accept(None)

    heard = bench.wait(MS)

    pongs = every(heard, Pong)
    assert 0 < len(pongs) < 200
    assert bench.status().edges == 200
    assert bench.losses >= 200 - len(pongs)
    part(bench)
    assert edges(bench.wait(50 * MS)) == [201, 201]


def test_samples_that_the_sensor_loses_are_counted_too(bench: Bench) -> None:
    bench.greet()
    bench.configure()
    blocks = every(bench.wait(125 * MS), Block)
    bench.mcu.lose(33)

    blocks += every(bench.wait(500 * MS), Block)

    check_account(blocks)
    check_values(blocks)
    assert [block.dropped_before for block in blocks if block.dropped_before] == [33]
    assert bench.status().dropped == 33


def test_a_sample_at_the_end_of_the_range_marks_its_block(bench: Bench) -> None:
    bench.greet()
    bench.configure(rate_hz=10_000)

    blocks = every(bench.wait(SECOND), Block)

    marked = [block.first_sample for block in blocks if block.flags & BlockFlag.SATURATED]
    assert marked == [(n * SATURATED_EVERY - 1) // 50 * 50 for n in (1, 2)]


def test_a_sensor_that_does_not_answer_marks_blocks(bench: Bench) -> None:
    bench.greet()
    bench.configure()
    assert not any(block.flags for block in every(bench.wait(200 * MS), Block))
    bench.mcu.fault(True)
    bench.wait(100 * MS)
    during = every(bench.wait(200 * MS), Block)
    bench.mcu.fault(False)
    bench.wait(100 * MS)

    assert during
    assert all(block.flags & BlockFlag.SENSOR_FAULT for block in during)
    assert not any(block.flags & BlockFlag.SENSOR_FAULT for block in every(bench.wait(200 * MS), Block))


# Edges


def test_an_edge_is_said_when_it_has_lasted_and_again_5_ms_later(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=1000)
    at = bench.now + 3 * MS
    bench.mcu.level(1, at)

    assert edges(bench.wait(4 * MS - 1)) == []
    first = bench.wait(1)
    assert every(first, Edge) == [Edge(1, at, 0, 1, 0)]
    assert edges(bench.wait(5 * MS - 100)) == []
    assert every(bench.wait(200), Edge) == every(first, Edge)
    assert edges(bench.wait(SECOND)) == []
    assert bench.status().edges == 1


@pytest.mark.parametrize(("width", "counted"), [(1, 0), (999, 0), (1000, 1), (1001, 1)])
def test_only_a_level_that_lasts_counts(bench: Bench, width: int, counted: int) -> None:
    bench.greet()
    bench.configure(debounce_us=1000)
    part(bench, width=width)

    heard = bench.wait(20 * MS)
    part(bench)
    after = every(bench.wait(20 * MS), Edge)[0]

    assert edges(heard) == [1] * 2 * counted
    assert (after.edge_seq, after.glitches) == (counted + 1, 1 - counted)


def test_bounce_at_either_flank_counts_once_and_the_ticks_are_those_of_the_last_change(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=1000)
    at = bench.now
    level_train(bench, (0, 1), (100, 0), (300, 1), (400, 0), (500, 1))
    level_train(bench, (20_000, 0), (20_100, 1), (20_200, 0))

    heard = every(bench.wait(50 * MS), Edge)

    assert heard == [Edge(1, at + 500, 0, 1, 2)] * 2
    part(bench)
    assert every(bench.wait(50 * MS), Edge)[0].glitches == 1


def test_glitches_are_counted_since_the_edge_before_and_saturate(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=1000)
    for glitches, told in ((3, 3), (0, 0), (300, 255)):
        for i in range(glitches):
            part(bench, at=i * 200, width=100)
        part(bench, at=glitches * 200 + 2000)

        assert {edge.glitches for edge in every(bench.wait(200 * MS), Edge)} == {told}


def test_the_second_saying_comes_just_before_the_next_edge(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=100)
    for i in range(3):
        part(bench, at=i * 2 * MS, width=MS)

    assert edges(bench.wait(50 * MS)) == [1, 1, 2, 2, 3, 3]


def test_one_lost_packet_costs_no_edge(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=100)
    for i in range(20):
        part(bench, at=i * 3 * MS, width=MS)
    heard = every(bench.wait(100 * MS), Edge)

    for lost in range(len(heard)):
        assert {edge.edge_seq for edge in heard[:lost] + heard[lost + 1 :]} == set(range(1, 21))


def test_the_falling_edge_counts_when_it_is_configured(bench: Bench) -> None:
    bench.mcu.level(1, bench.now)
    bench.greet()
    bench.configure(trigger_rising=0)
    at = bench.now
    level_train(bench, (1000, 0), (20_000, 1))

    assert every(bench.wait(50 * MS), Edge) == [Edge(1, at + 1000, 0, 0, 0)] * 2


def test_another_input_does_not_count(bench: Bench) -> None:
    bench.greet()
    bench.configure(trigger_input=1)
    part(bench)
    assert edges(bench.wait(50 * MS)) == []

    bench.mcu.level(1, bench.now, input=1)

    assert every(bench.wait(50 * MS), Edge) == [Edge(1, bench.now - 50 * MS, 1, 1, 0)] * 2


def test_a_part_that_is_there_already_has_not_arrived(bench: Bench) -> None:
    bench.mcu.level(1, bench.now)
    bench.greet()
    bench.configure()

    assert edges(bench.wait(50 * MS)) == []
    level_train(bench, (0, 0), (10 * MS, 1))
    assert edges(bench.wait(50 * MS)) == [1, 1]


def test_the_same_config_again_loses_no_edge_that_is_under_way(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=2000)
    bench.mcu.level(1, bench.now)
    bench.wait(MS)

    bench.configure(debounce_us=2000)

    assert edges(bench.wait(50 * MS)) == [1, 1]


def test_without_debouncing_every_edge_counts_at_once(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=0)
    level_train(bench, (0, 1), (10, 0), (20, 1))

    heard = bench.wait(20)

    assert edges(heard) == [1, 1, 2]
    assert every(heard, Edge)[-1].glitches == 0


# The lease


def test_arm_takes_the_outputs_to_rest(bench: Bench) -> None:
    bench.greet()
    bench.configure()

    status = only(bench.say(Arm()), Status)

    assert status.flags == StatusFlag.CONFIGURED | StatusFlag.ARMED
    assert bench.outputs() == [(bench.now, 3, 1)]


def test_arm_without_a_config_arms_nothing(bench: Bench) -> None:
    bench.greet()

    assert only(bench.say(Arm()), Status).flags == 0
    assert bench.reject(1, MS) is SAFE
    assert bench.outputs() == []


def test_a_lease_that_runs_out_makes_the_outputs_safe_and_says_so(bench: Bench) -> None:
    bench.ready()
    until = bench.now + LEASE
    for cmd_id in (1, 2, 3):
        bench.reject(cmd_id, LEASE + cmd_id * MS)
    bench.reject(4, LEASE - MS, pulse_us=50_000, output=2)
    bench.wait(LEASE - 1)
    assert bench.outputs() == [(until - MS, 2, 0)]

    heard = bench.wait(1)

    assert sorted(bench.outputs()) == [(until, 2, 1), (until, 3, 0)]
    assert results(heard) == {1: SAFE, 2: SAFE, 3: SAFE}
    status = only(heard, Status)
    assert (status.flags, status.waiting) == (StatusFlag.CONFIGURED | StatusFlag.LAPSED, 0)
    assert bench.reject(5, MS) is SAFE
    assert done(bench.wait(SECOND)) == {}
    assert bench.outputs() == []


def test_a_heartbeat_extends_a_lease_that_holds(bench: Bench) -> None:
    bench.ready()
    for _ in range(100):
        bench.wait(LEASE - 1)
        assert every(bench.say(Heartbeat(CONFIG.lease_ms)), Status) == []
    assert bench.reject(1, MS) is ACCEPTED
    bench.wait(LEASE - 1)
    assert bench.status().flags & StatusFlag.ARMED

    bench.wait(1)

    assert bench.status().flags & StatusFlag.LAPSED
    assert bench.outputs()[-1] == (bench.now, 3, 0)


def test_a_heartbeat_says_itself_for_how_long(bench: Bench) -> None:
    bench.ready()
    bench.say(Heartbeat(1000))

    bench.wait(SECOND - 1)
    assert bench.outputs() == []
    bench.wait(1)
    assert bench.outputs() == [(bench.now, 3, 0)]


def test_a_heartbeat_never_arms(bench: Bench) -> None:
    bench.greet()
    assert only(bench.say(Heartbeat(1000)), Status).flags == 0
    bench.configure()
    assert only(bench.say(Heartbeat(1000)), Status).flags == StatusFlag.CONFIGURED
    bench.arm()
    bench.wait(LEASE)
    bench.outputs()

    status = only(bench.say(Heartbeat(1000)), Status)

    assert status.flags == StatusFlag.CONFIGURED | StatusFlag.LAPSED
    assert bench.reject(1, MS) is SAFE
    assert bench.outputs() == []


def test_after_a_lapse_arm_begins_a_new_lease(bench: Bench) -> None:
    bench.ready()
    bench.wait(LEASE)
    bench.outputs()

    assert only(bench.say(Arm()), Status).flags == StatusFlag.CONFIGURED | StatusFlag.ARMED
    assert bench.outputs() == [(bench.now, 3, 1)]
    assert bench.reject(1, MS) is ACCEPTED
    assert list(done(bench.wait(10 * MS))) == [1]
    bench.outputs()
    bench.wait(LEASE - 10 * MS)
    assert bench.outputs() == [(bench.now, 3, 0)]


def test_arm_while_armed_leaves_a_pulse_alone(bench: Bench) -> None:
    bench.ready()
    at = bench.now + MS
    bench.reject(1, MS, pulse_us=10_000)
    bench.wait(5 * MS)

    bench.say(Arm())
    bench.wait(10 * MS)

    assert bench.outputs() == [(at, 0, 1), (at + 10 * MS, 0, 0)]


# REJECT


def test_a_reject_pulses_at_its_tick(bench: Bench) -> None:
    bench.ready()
    for cmd_id, output in enumerate(range(BOARD.outputs), 1):
        at = bench.now + 5 * MS
        assert bench.reject(cmd_id, 5 * MS, pulse_us=2500, output=output) is ACCEPTED
        rest = AT_REST >> output & 1

        heard = bench.wait(10 * MS)

        assert done(heard) == {cmd_id: at}
        assert bench.outputs() == [(at, output, 1 - rest), (at + 2500, output, rest)]


def test_the_checks_stand_in_their_order(bench: Bench) -> None:
    bench.greet()
    bench.configure()
    assert bench.reject(1, -1, output=9) is SAFE
    bench.arm()
    assert bench.reject(1, -1, output=9) is SAFE  # answered before
    for cmd_id in range(2, 18):
        assert bench.reject(cmd_id, 100 * MS) is ACCEPTED
    assert bench.reject(20, -1, output=9) is BAD_OUTPUT
    assert bench.reject(21, -1) is LATE
    assert bench.reject(22, 100 * MS) is FULL
    assert bench.reject(2, -1, output=9) is DUP


@pytest.mark.parametrize(("in_ticks", "result"), [(-START_TICKS // 2, LATE), (-1, LATE), (0, LATE), (1, ACCEPTED)])
def test_a_tick_that_is_not_in_the_future_is_late_and_never_fires(
    bench: Bench, in_ticks: int, result: RejectResult
) -> None:
    bench.ready()

    assert bench.reject(1, in_ticks) is result
    assert (bench.wait(100 * MS) and bench.outputs() != []) is (result is ACCEPTED)


def test_an_output_that_is_not_there_is_refused(bench: Bench) -> None:
    bench.ready()

    for cmd_id, output in ((1, BOARD.outputs), (2, 255)):
        assert bench.reject(cmd_id, MS, output=output) is BAD_OUTPUT
    bench.wait(10 * MS)
    assert bench.outputs() == []


def test_a_command_said_twice_counts_once(bench: Bench) -> None:
    bench.ready()
    at = bench.now + 10 * MS
    assert bench.reject(1, 10 * MS) is ACCEPTED
    assert bench.reject(1, 10 * MS) is DUP
    assert bench.reject(1, 50 * MS, output=1) is DUP
    assert bench.status().waiting == 1

    heard = bench.wait(100 * MS)

    assert done(heard) == {1: at}
    assert bench.outputs() == [(at, 0, 1), (at + MS, 0, 0)]


def test_a_command_that_has_fired_is_answered_with_when(bench: Bench) -> None:
    bench.ready()
    at = bench.now + 10 * MS
    bench.reject(1, 10 * MS)
    bench.wait(20 * MS)
    bench.outputs()

    for _ in range(2):
        heard = bench.say(Reject(1, 1001, bench.now + 50 * MS, 1000, 0))
        assert results(heard) == {1: DUP}
        assert done(heard) == {1: at}
        kinds = [type(message) for message in heard if not isinstance(message, Ack)]
        assert kinds == [RejectAck, RejectDone]
    bench.wait(100 * MS)
    assert bench.outputs() == []


def test_a_command_that_was_refused_is_refused_again_for_the_same_reason(bench: Bench) -> None:
    bench.greet()
    bench.configure()
    assert bench.reject(1, MS) is SAFE
    bench.arm()
    assert bench.reject(2, -1) is LATE
    assert bench.reject(3, MS, output=99) is BAD_OUTPUT
    for cmd_id in range(10, 26):
        bench.reject(cmd_id, MS)
    assert bench.reject(4, MS) is FULL
    bench.wait(10 * MS)
    bench.outputs()

    answers = [bench.reject(cmd_id, MS) for cmd_id in (1, 2, 3, 4)]

    assert answers == [SAFE, LATE, BAD_OUTPUT, FULL]
    bench.wait(10 * MS)
    assert bench.outputs() == []


def test_the_last_64_commands_are_remembered(bench: Bench) -> None:
    bench.ready()
    bench.reject(1, MS)
    bench.reject(2, MS)
    bench.wait(5 * MS)
    for cmd_id in range(100, 162):
        assert bench.reject(cmd_id, -1) is LATE
    assert bench.reject(1, MS) is DUP  # saying it again makes it no younger
    assert bench.reject(162, -1) is LATE

    assert bench.reject(1, MS) is ACCEPTED
    assert bench.reject(100, -1) is LATE


def test_a_command_that_waits_is_never_forgotten(bench: Bench) -> None:
    bench.ready()
    bench.reject(1, 100 * MS)
    for cmd_id in range(100, 200):
        bench.reject(cmd_id, -1)

    assert bench.reject(1, 50 * MS) is DUP
    assert list(done(bench.wait(150 * MS))) == [1]


def test_sixteen_rejects_wait(bench: Bench) -> None:
    bench.ready()
    for i in range(16):
        assert bench.reject(1 + i, (10 + i) * MS, pulse_us=10) is ACCEPTED
    assert bench.reject(50, 100 * MS) is FULL
    assert bench.status().waiting == 16

    heard = bench.wait(10 * MS)

    assert list(done(heard)) == [1]
    assert bench.reject(51, 100 * MS) is ACCEPTED
    assert bench.reject(52, 100 * MS) is FULL
    assert sorted(done(bench.wait(150 * MS))) == [*range(2, 17), 51]
    assert bench.status().waiting == 0


@pytest.mark.parametrize(
    ("pulses", "end"),
    [
        ([(10, 5_000), (12, 5_000)], 17),  # the second begins within the first
        ([(10, 9_000), (12, 2_000)], 19),  # and ends within it
        ([(10, 2_000), (12, 2_000)], 14),  # and begins as it ends
        ([(10, 2_000), (10, 6_000)], 16),  # and begins with it
        ([(10, 6_000), (10, 2_000)], 16),
    ],
)
def test_pulses_that_overlap_end_with_the_last_of_them(bench: Bench, pulses: list[tuple[int, int]], end: int) -> None:
    bench.ready()
    now = bench.now
    for cmd_id, (at_ms, pulse_us) in enumerate(pulses, 1):
        assert bench.reject(cmd_id, at_ms * MS, pulse_us) is ACCEPTED

    heard = bench.wait(50 * MS)

    assert done(heard) == {cmd_id: now + at_ms * MS for cmd_id, (at_ms, _) in enumerate(pulses, 1)}
    assert bench.outputs() == [(now + 10 * MS, 0, 1), (now + end * MS, 0, 0)]


def test_pulses_of_two_outputs_do_not_know_each_other(bench: Bench) -> None:
    bench.ready()
    now = bench.now
    bench.reject(1, 10 * MS, 10_000, output=0)
    bench.reject(2, 15 * MS, 1_000, output=1)

    bench.wait(50 * MS)

    ms = [((ticks - now) // MS, output, level) for ticks, output, level in bench.outputs()]
    assert ms == [(10, 0, 1), (15, 1, 1), (16, 1, 0), (20, 0, 0)]


def test_a_command_that_waits_can_be_taken_back(bench: Bench) -> None:
    bench.ready()
    bench.reject(1, 10 * MS)
    bench.reject(2, 10 * MS, output=1)

    assert results(bench.say(Cancel(1))) == {1: CANCELLED}
    assert bench.status().waiting == 1
    assert results(bench.say(Cancel(1))) == {1: UNKNOWN}
    assert list(done(bench.wait(20 * MS))) == [2]
    assert {output for _, output, _ in bench.outputs()} == {1}
    assert results(bench.say(Cancel(2))) == {2: UNKNOWN}
    assert results(bench.say(Cancel(77))) == {77: UNKNOWN}


def test_a_command_that_was_taken_back_does_not_fire_when_it_is_said_again(bench: Bench) -> None:
    bench.ready()
    bench.reject(1, 10 * MS)
    bench.say(Cancel(1))

    assert bench.reject(1, 10 * MS) is RejectResult.CANCELLED
    assert done(bench.wait(50 * MS)) == {}
    assert bench.outputs() == []


# PING


def test_ping_is_answered_at_once_with_the_ticks_of_the_moment(bench: Bench) -> None:
    bench.greet()
    for host_ns in (0, 2**64 - 1, 123_456_789_012_345):
        bench.wait(12_345)

        pong = only(bench.say(Ping(host_ns)), Pong)

        assert pong.host_ns == host_ns
        assert bench.now <= pong.rx_ticks <= pong.tx_ticks <= bench.now + 10


def test_zero_bytes_between_packets_mean_nothing(bench: Bench) -> None:
    bench.ready()
    bench.mcu.feed(bytes(5) + bench.wire(Ping(7)) + bytes(3))

    assert only(bench.wait(MS), Pong).host_ns == 7
    assert bench.status().corrupt == 0
