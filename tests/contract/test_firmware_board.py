"""What a board calls beside the wire: outputs on time by a timer interrupt while the main loop is slow; lines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mcu_bench import CONFIG, LEASE, MS, Bench, done, every, results
from mcu_drivers import BOARD, START_TICKS, CDriver, Driver, shared_folder, sim_program

from firmware_bridge.codes import RejectResult, StatusFlag
from firmware_bridge.messages import Edge, Log, Status

LOOP = 30 * MS


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    program = sim_program(shared_folder(tmp_path_factory))

    def start(*, boot_id: int = BOARD.boot_id, ticks: int = START_TICKS) -> Driver:
        return CDriver(program, boot_id, ticks, "--step-ticks", str(LOOP))

    bench = Bench(start)
    yield bench
    bench.mcu.close()


def test_a_pulse_begins_and_ends_at_its_tick_and_is_told_afterwards(bench: Bench) -> None:
    bench.ready()
    at = bench.now + 7 * MS
    bench.reject(1, 7 * MS, pulse_us=2345)

    assert done(bench.wait(LOOP - 1)) == {}
    assert bench.outputs() == [(at, 0, 1), (at + 2345, 0, 0)]
    bench.mcu.advance(2 * LOOP)
    assert done(bench.hear()) == {1: at}


def test_a_lease_runs_out_at_its_tick_and_is_told_afterwards(bench: Bench) -> None:
    bench.ready()
    until = bench.now + LEASE
    bench.reject(1, LEASE)
    bench.reject(2, LEASE - 1, pulse_us=1_000_000)

    heard = bench.wait(LEASE + 2 * LOOP)

    assert bench.outputs() == [(until - 1, 0, 1), (until, 0, 0), (until, 3, 0)]
    assert results(heard) == {1: RejectResult.SAFE}
    assert done(heard) == {2: until - 1}
    assert [status.flags & StatusFlag.LAPSED for status in every(heard, Status)] == [StatusFlag.LAPSED]


def test_edges_between_two_turns_of_the_loop_keep_their_ticks(bench: Bench) -> None:
    bench.greet()
    bench.configure(debounce_us=CONFIG.debounce_us)
    now = bench.now
    for i in range(4):
        bench.mcu.level(1, now + i * 5 * MS + MS)
        bench.mcu.level(0, now + i * 5 * MS + 3 * MS)

    heard = bench.wait(3 * LOOP)

    assert [(edge.edge_seq, edge.ticks - now) for edge in every(heard, Edge)] == [
        (1 + i, i * 5 * MS + MS) for i in range(4) for _ in range(2)
    ]


def test_a_line_for_people_is_cut_at_200_bytes_and_waits_for_no_host(bench: Bench) -> None:
    assert isinstance(bench.mcu, CDriver)
    bench.mcu.log(1, "nobody is there")
    bench.greet()
    bench.mcu.log(2, "x" * 300)
    bench.mcu.log(0, "")

    assert every(bench.hear(), Log) == [Log(2, "x" * 200), Log(0, "")]
