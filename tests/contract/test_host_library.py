"""What the host library in C has beside the rules of the wire: pongs for a clock, a port that takes what it likes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from host_drivers import CHost, bench_program
from host_rig import MS, SECOND, Rig
from mcu_drivers import shared_folder

from firmware_bridge.messages import Ack, Reject


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    program = bench_program(shared_folder(tmp_path_factory))
    rig = Rig(lambda: CHost(program))
    yield rig
    rig.host.end()


def library(rig: Rig) -> CHost:
    assert isinstance(rig.host, CHost)
    return rig.host


def test_each_answered_ping_is_told_with_its_times_so_that_a_clock_can_be_fitted(rig: Rig) -> None:
    rig.up()
    host = library(rig)
    host.pongs.clear()
    offset = rig.ticks - host.now
    for _ in range(400):
        host.advance(10 * MS)
        rig.answer()

    assert len(host.pongs) >= 2
    for sent, received, ticks in host.pongs:
        assert sent <= ticks - offset <= received <= sent + 10 * MS


def test_a_port_that_takes_a_few_bytes_at_a_time_gets_whole_packets(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.hear()
    host = library(rig)
    host.accept(0)
    host.reject(1, 300 * MS)
    for _ in range(10):
        host.accept(5)

    assert len(rig.hear_of(Reject)) == 1


def test_a_port_that_takes_nothing_ends_the_session_and_keeps_nothing_for_the_next(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.hear()
    host = library(rig)
    host.accept(0)
    for _ in range(40):
        host.reject(1, 300 * MS)
    assert [event[2] for event in rig.events("report")] == ["full"] * 16  # 8 are in flight, 16 wait
    host.advance(100 * MS)
    assert rig.events("ended") == [("ended", "fault")]

    host.advance(SECOND)
    host.accept(None)
    rig.open()

    sent = host.take()
    assert sent[0] == 0
    assert len(sent) < 80  # a greeting, and nothing that waited before it


def test_what_does_not_fit_the_buffer_comes_again_when_the_port_takes_it(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.hear()
    rig.said.clear()
    host = library(rig)
    host.accept(0)
    for _ in range(8):
        host.reject(1, 300 * MS)
    host.advance(65 * MS)  # three repetitions: more than the buffer holds
    host.accept(None)

    rig.hear()
    assert {seq for seq, _ in rig.said} == set(range(1, 9))
    rig.say(Ack(9))
    host.advance(90 * MS)
    assert rig.events("ended") == []
