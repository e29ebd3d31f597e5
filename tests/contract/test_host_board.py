"""Every host end with every microcontroller end, over a wire that loses and damages packets: all is accounted for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from host_drivers import HOSTS, Event, Host, PythonHost, StartHost
from mcu_drivers import DRIVERS, START_TICKS, Change, Driver, PythonDriver, Start, shared_folder

STEP_US = 2000
PART_US = 60_000
AFTER_US = 150_000
SECONDS = 4.0
OUTPUT = 1
"""Nothing but a pulse raises it: its safe level is low."""
DRIFT_TICKS = 60
"""By how much a pulse may be off its tick: 100 ppm of `AFTER_US`, and more."""


@dataclass
class Cable:
    """One direction of a wire: loses and damages whole packets."""

    chance: random.Random
    lost_share: float
    flipped_share: float
    rest: bytes = b""
    harmed: int = 0

    def carry(self, data: bytes) -> bytes:
        *packets, self.rest = (self.rest + data).split(b"\0")
        arrived = b""
        for packet in packets:
            if self.chance.random() < self.lost_share:
                self.harmed += 1
                continue
            damaged = bytearray(packet)
            if damaged and self.chance.random() < self.flipped_share:
                damaged[self.chance.randrange(len(damaged))] ^= 1 << self.chance.randrange(8)
                self.harmed += 1
            arrived += bytes(damaged) + b"\0"
        return arrived


@dataclass
class Line:
    """Both ends and what happened."""

    host: Host
    board: Driver
    there: Cable
    back: Cable
    events: list[Event] = field(default_factory=list)
    parts: int = 0
    asked: int = 0
    asks: bool = True
    changes: list[Change] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 1e6 / STEP_US)):
            self.host.advance(STEP_US)
            self.board.advance(STEP_US)
            self.board.feed(self.there.carry(self.host.take()))
            self.host.feed(self.back.carry(self.board.take()))
            heard = self.host.heard()
            self.events += heard
            for event in heard:
                if event[0] == "edge" and self.asks:
                    self.host.reject(event[1], AFTER_US, output=OUTPUT)
                    self.asked += 1

    def part(self) -> None:
        self.board.level(1, self.board.now)
        self.run(PART_US / 2e6)
        self.board.level(0, self.board.now)
        self.run(PART_US / 2e6)
        self.parts += 1

    def fired(self) -> list[int]:
        """Give when each pulse began, by the pin."""
        self.changes += self.board.outputs()
        return sorted(ticks for ticks, output, level in self.changes if output == OUTPUT and level == 1)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event[0] == kind]


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


@pytest.fixture(params=[(host, board) for host in sorted(HOSTS) for board in sorted(DRIVERS)], ids="-".join)
def ends(request: pytest.FixtureRequest, workshop: Path) -> Iterator[tuple[Host, Driver]]:
    start_host: StartHost = HOSTS[request.param[0]](workshop)
    start_board: Start = DRIVERS[request.param[1]](workshop)
    host, board = start_host(), start_board(boot_id=7, ticks=START_TICKS)
    yield host, board
    host.end()
    board.close()


def line_of(ends: tuple[Host, Driver], lost: float, flipped: float) -> Line:
    chance = random.Random(11)
    line = Line(*ends, Cable(chance, lost, flipped), Cable(chance, lost, flipped))
    line.host.open()
    line.host.alive(True)
    for _ in range(100):
        line.run(0.05)
        if line.of("armed"):
            return line
    raise AssertionError(f"they do not come together: {line.events[-5:]}")


def assert_everything_is_accounted_for(ends: tuple[Host, Driver], lost: float, flipped: float) -> None:
    line = line_of(ends, lost, flipped)
    first_edge = line.of("up")[0][2]
    for _ in range(round(SECONDS * 1e6 / PART_US)):
        line.part()
    line.run(1.5)  # until a STATUS has told of the last edge, and each pulse has its report

    counts = line.host.counts()
    blocks = line.of("block")
    assert line.of("ended") == []
    assert (line.there.harmed + line.back.harmed > 10) == (lost > 0.0)
    spanned = blocks[-1][1] + blocks[-1][3] - blocks[0][1]
    assert counts["samples"] + counts["dropped"] + counts["lost"] == spanned
    assert counts["edges"] + counts["edges_lost"] == line.parts - first_edge
    assert [event[1] for event in line.of("edge")] == sorted({event[1] for event in line.of("edge")})
    reports = line.of("report")
    assert len(reports) == line.asked == counts["edges"]
    assert {report[2] for report in reports} == {"done"}
    edge_ticks = {event[1]: event[2] for event in line.of("edge")}
    assert max(abs(report[4] - edge_ticks[report[1]] - AFTER_US) for report in reports) <= DRIFT_TICKS
    assert sorted(report[4] for report in reports) == line.fired(), "the pin says otherwise"


@pytest.mark.parametrize(("lost", "flipped"), [(0.0, 0.0), (0.02, 0.02)], ids=["clean", "bad"])
def test_two_ends_that_were_never_written_for_each_other_account_for_everything(
    ends: tuple[Host, Driver], lost: float, flipped: float
) -> None:
    assert_everything_is_accounted_for(ends, lost, flipped)


class Idle(PythonDriver):
    """A board that says that each pulse began, and leaves out every second one."""

    def outputs(self) -> list[Change]:
        return [change for index, change in enumerate(super().outputs()) if index % 4 > 1]


class Restless(PythonDriver):
    """A board that does one pulse twice."""

    def outputs(self) -> list[Change]:
        changes = super().outputs()
        return [*changes, *((ticks + 9000, output, level) for ticks, output, level in changes[-2:])]


@pytest.mark.parametrize("kind", [Idle, Restless])
def test_a_board_whose_pin_does_not_do_what_it_says_is_noticed(kind: type[PythonDriver]) -> None:
    with pytest.raises(AssertionError, match="the pin says otherwise"):
        assert_everything_is_accounted_for((PythonHost(), kind(7, START_TICKS)), 0.0, 0.0)


def broken(line: Line, ms_to_tick: int) -> list[Event]:
    """Ask for a pulse, break the wire for 0.2 s so long before its tick, or after it; give the reports."""
    line.asks = False
    line.part()
    line.host.reject(1, 1_500_000, output=OUTPUT)
    line.run(1.5 - ms_to_tick / 1e3 - PART_US / 1e6)
    line.host.close()
    line.host.take()
    line.run(0.2)
    line.host.open()
    line.run(1.5 + ms_to_tick / 1e3)
    return line.of("report")


@pytest.mark.parametrize("ms_to_tick", [1300, 900])
def test_a_break_of_the_wire_costs_no_pulse_whose_tick_is_still_to_come(
    ends: tuple[Host, Driver], ms_to_tick: int
) -> None:
    line = line_of(ends, 0.0, 0.0)

    ((_, part, fate, _, actual),) = broken(line, ms_to_tick)

    assert (part, fate) == (1, "done")
    assert line.fired() == [actual]
    assert line.host.counts()["asked_anew"] == 1


@pytest.mark.parametrize("ms_to_tick", [210, 190, 100, 4, 0, -4, -60])
def test_a_break_around_the_tick_fires_no_pulse_twice_and_calls_none_done_that_did_not_fire(
    ends: tuple[Host, Driver], ms_to_tick: int
) -> None:
    line = line_of(ends, 0.0, 0.0)

    ((_, part, fate, fire_ticks, actual),) = broken(line, ms_to_tick)

    assert (part, fate) in ((1, "done"), (1, "down"))
    assert len(line.fired()) <= 1
    if fate == "done":
        assert line.fired() == [actual]
    else:
        assert ms_to_tick > -60
    assert all(abs(ticks - fire_ticks) <= 1 for ticks in line.fired())
