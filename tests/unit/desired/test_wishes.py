"""A wish on a running station: who may have one, when the station begins anew, and what proves it."""

from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.config import Config
from edge_agent.desired.settings import Change
from edge_agent.desired.standing import Standing, Wish
from edge_agent.desired.wishes import COMING_UP_S, PATIENCE_S, PROBATION_S, Wishes
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.runtime.background import Chore
from edge_agent.signing import key_id, opened, public_bytes, sealed
from edge_agent.testing.clock import ManualClock

TOPIC = "insp/v1/press-3/desired/config"
KEY, STRANGER = Ed25519PrivateKey.from_private_bytes(b"k" * 32), Ed25519PrivateKey.from_private_bytes(b"s" * 32)
KEYS = {key_id(public_bytes(KEY)): public_bytes(KEY)}
MADE = (Change("recipe.false_reject", 0.01, 0.02),)


class Kept:
    """Stands for the store: takes every wish that is newer."""

    damage = ""

    def __init__(self) -> None:
        self.standing = Standing()
        self.fails: EdgeAgentError | None = None

    def consider(self, wish: Wish, running: Config) -> bool:
        if self.fails is not None:
            raise self.fails
        if self.standing.is_old(wish):
            return False
        self.standing = self.standing.on_trial(wish, MADE)
        return True

    def prove(self, now_utc: float) -> bool:
        self.standing = self.standing.proven(now_utc)
        return True

    def take_back(self, reason: str) -> bool:
        self.standing = self.standing.taken_back(reason)
        return True


class Later:
    """Stands for the background: does what waits when it is told to."""

    def __init__(self) -> None:
        self.chores: list[Chore] = []

    def submit(self, chore: Chore) -> bool:
        self.chores.append(chore)
        return True

    def work(self) -> None:
        while self.chores:
            chore = self.chores.pop(0)
            try:
                result = chore.run()
            except EdgeAgentError as error:
                result = error
            chore.then(result)


class Cell:
    def __init__(self) -> None:
        self.clock, self.kept, self.later = ManualClock(), Kept(), Later()
        self.up, self.idle, self.restarts, self.settled = True, True, 0, 0
        self.events: list[str] = []
        self.wishes = self.made()

    def made(self, desired: object = None) -> Wishes:
        return Wishes(
            desired or self.kept,
            Config(),
            lambda envelope, topic: opened(envelope, topic, KEYS),
            self.later,
            self.clock,
            is_up=lambda: self.up,
            idle=lambda: self.idle,
            restart=self._restart,
            note=lambda severity, kind, message: self.events.append(f"{kind}: {message}"),
            poke=lambda name: None,
        )

    def _restart(self) -> None:
        self.restarts += 1

    def says(self, version: int, key: Ed25519PrivateKey = KEY, topic: str = TOPIC) -> None:
        wish = Wish(1, version, {"recipe.false_reject": 0.02}, "ada")
        self.hears(sealed(msgspec.json.encode(wish).decode(), topic, key))

    def hears(self, payload: bytes) -> None:
        def settle() -> None:
            self.settled += 1

        self.wishes.came(TOPIC, payload, settle)

    def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.wishes.step(self.clock.now())


@pytest.fixture
def cell() -> Cell:
    return Cell()


def test_a_wish_has_the_station_begin_anew_between_two_parts(cell: Cell) -> None:
    cell.idle = False
    cell.says(1)
    cell.later.work()
    cell.after(1.0)
    busy = cell.restarts
    cell.idle = True
    cell.after(0.1)

    assert (busy, cell.restarts, cell.settled) == (0, 1, 1)
    assert any("recipe.false_reject 0.01 → 0.02" in event for event in cell.events)


def test_a_line_that_never_rests_is_not_waited_for_for_ever(cell: Cell) -> None:
    cell.idle = False
    cell.says(1)
    cell.later.work()
    cell.after(PATIENCE_S)

    assert cell.restarts == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        msgspec.json.encode(Wish(1, 1, {}, "eve")),
        sealed('{"v":1,"version":1,"settings":{},"by":"eve"}', TOPIC, STRANGER),
        sealed('{"v":1,"version":1,"settings":{},"by":"eve"}', TOPIC.replace("press-3", "press-4"), KEY),
        sealed('{"v":1,"version":0,"settings":{},"by":"eve"}', TOPIC, KEY),
        sealed('{"v":1,"version":1,"version":2,"settings":{},"by":"eve"}', TOPIC, KEY),
        sealed('{"v":1,"version":1,"settings":{},"by":"eve","more":1}', TOPIC, KEY),
    ],
)
def test_only_whoever_is_trusted_decides_and_only_here(cell: Cell, payload: bytes) -> None:
    cell.hears(payload)
    cell.later.work()

    assert cell.kept.standing == Standing()
    assert (cell.wishes.refused, cell.settled) == (1, 1)
    assert cell.events[0].startswith("desired_refused")


def test_it_holds_when_parts_have_been_judged_with_it_for_long_enough(cell: Cell) -> None:
    cell.kept.standing = Standing().on_trial(Wish(1, 4, {}, "ada"), MADE)
    cell.wishes = cell.made()
    cell.after(0.0)
    cell.after(PROBATION_S - 0.1)
    early = cell.later.chores[:]
    cell.after(0.2)
    cell.later.work()

    assert not early
    assert (cell.wishes.reported().version, cell.wishes.reported().trial) == (4, False)
    assert cell.restarts == 0


def test_what_judges_no_part_is_taken_back_and_the_station_begins_anew(cell: Cell) -> None:
    cell.kept.standing = Standing().on_trial(Wish(1, 4, {}, "ada"), MADE)
    cell.up = False
    cell.wishes = cell.made()
    cell.after(COMING_UP_S)
    cell.later.work()

    assert cell.restarts == 1
    assert cell.wishes.reported().last.phase == "taken_back"


def test_while_one_is_considered_the_newest_waits_and_those_between_are_dropped(cell: Cell) -> None:
    for version in (1, 2, 3):
        cell.says(version)
    cell.later.work()

    assert cell.kept.standing.trial.version == 3
    assert cell.settled == 3


def test_where_the_disk_fails_the_wish_is_left_to_come_again(cell: Cell) -> None:
    cell.kept.fails = Unavailable("no room on the disk")
    cell.says(1)
    cell.later.work()
    failed = cell.settled
    cell.kept.fails = BadData("out of its turn")
    cell.says(2)
    cell.later.work()

    assert (failed, cell.settled) == (0, 1)


def test_a_station_without_a_file_says_so(cell: Cell) -> None:
    cell.wishes = Wishes(
        None, Config(), lambda envelope, topic: opened(envelope, topic, KEYS), cell.later, cell.clock,
        is_up=bool, idle=bool, restart=cell._restart, poke=lambda name: None,
        note=lambda severity, kind, message: cell.events.append(message),
    )  # fmt: skip
    cell.says(1)

    assert "no file of settings" in cell.events[0]
    assert cell.wishes.reported().version == 0


def test_trusting_anybody_would_be_found_out(cell: Cell) -> None:
    class Gullible(Wishes):
        def _read(self, topic: str, payload: bytes) -> Wish:
            return msgspec.json.decode(msgspec.json.decode(payload)["signed"], type=Wish)

    check: Callable[[Cell, bytes], None] = test_only_whoever_is_trusted_decides_and_only_here
    cell.wishes.__class__ = Gullible

    with pytest.raises(AssertionError):
        check(cell, sealed('{"v":1,"version":1,"settings":{},"by":"eve"}', TOPIC, STRANGER))
