"""A wish on a running station: who may have one, when the station begins anew, and what proves it."""

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.config import Config
from edge_agent.desired.settings import Change
from edge_agent.desired.standing import Fate, Standing, Wish
from edge_agent.desired.wishes import COMING_UP_S, PATIENCE_S, PROBATION_S, QUIET_S, RETRY_S, Prospect, Wishes
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.runtime.background import Chore
from edge_agent.testing.clock import ManualClock
from edge_agent.trust.signing import key_id, opened, public_bytes, sealed

TOPIC = "insp/v1/press-3/desired/config"
KEY, STRANGER = Ed25519PrivateKey.from_private_bytes(b"k" * 32), Ed25519PrivateKey.from_private_bytes(b"s" * 32)
KEYS = {key_id(public_bytes(KEY)): public_bytes(KEY)}
MADE = (Change("recipe.false_reject", 0.01, 0.02),)
JUNK = sealed('{"v":1,"version":1,"settings":{},"by":"eve"}', TOPIC, STRANGER)


class Kept:
    """Stands for the store: what it does to the standing is the real thing, without a disk."""

    damage = ""
    went_back = None

    def __init__(self) -> None:
        self.standing = Standing()
        self.trying: Wish | None = None
        self.made = MADE
        self.fails: EdgeAgentError | None = None
        self.calls: list[str] = []

    def _check(self, call: str) -> None:
        self.calls.append(call)
        if self.fails is not None:
            raise self.fails

    def consider(self, wish: Wish, running: Config, now_utc: float) -> Fate:
        self._check("consider")
        if wish.dry_run:
            return Fate(wish.version, wish.digest, "checked", (), self.made)
        if not self.standing.is_known(wish):
            self.standing = self.standing.on_trial(wish, self.made)
            self.trying = self.trying if self.made else wish
        assert self.standing.newest is not None
        return self.standing.newest

    def prove(self, wish: Wish, now_utc: float) -> bool:
        self._check("prove")
        if self.standing.trial != wish:
            return False
        self.standing = self.standing.held(wish, now_utc)
        return True

    def take_back(self, wish: Wish, reason: str) -> bool:
        self._check("take_back")
        if self.standing.trial != wish:
            return False
        self.standing = self.standing.taken_back(reason)
        return True

    def end(self) -> None:
        self._check("end")


class Later:
    """Stands for the background: does what waits when it is told to."""

    def __init__(self) -> None:
        self.chores: list[Chore] = []
        self.is_full = False

    def submit(self, chore: Chore) -> bool:
        if not self.is_full:
            self.chores.append(chore)
        return not self.is_full

    def work_one(self) -> None:
        chore = self.chores.pop(0)
        try:
            result = chore.run()
        except EdgeAgentError as error:
            result = error
        chore.then(result)


class Cell:
    def __init__(self) -> None:
        self.clock, self.kept, self.later = ManualClock(), Kept(), Later()
        self.up, self.idle, self.triggers, self.judged = True, True, 0, 0
        self.restarts = self.settled = 0
        self.events: list[str] = []
        self.wishes = self.made(self.kept)

    def made(self, desired: object) -> Wishes:
        return Wishes(
            desired,
            Config(),
            lambda envelope, topic: opened(envelope, topic, KEYS),
            self.later,
            self.clock,
            Prospect(lambda: self.up, lambda: self.triggers, lambda: self.judged, lambda: self.idle),
            restart=self._restart,
            note=lambda severity, kind, message: self.events.append(f"{kind}: {message}"),
            poke=lambda name: None,
        )

    def _restart(self) -> None:
        self.restarts += 1

    def begins_with(self, version: int) -> Wish:
        """Let the station begin with a wish on trial."""
        wish = Wish(1, version, {"recipe.false_reject": 0.02}, "ada")
        self.kept.standing = self.kept.standing.on_trial(wish, MADE)
        self.kept.trying = wish
        self.wishes = self.made(self.kept)
        return wish

    def says(self, version: int, key: Ed25519PrivateKey = KEY, by: str = "ada", *, dry_run: bool = False) -> None:
        wish = Wish(1, version, {"recipe.false_reject": 0.02}, by, dry_run)
        self.hears(sealed(msgspec.json.encode(wish).decode(), TOPIC, key))

    def hears(self, payload: bytes) -> None:
        def settle() -> None:
            self.settled += 1

        self.wishes.came(TOPIC, payload, settle)

    def after(self, seconds: float) -> None:
        """Let time pass, and all that is due be done."""
        self.clock.advance(seconds)
        self.turn()

    def turn(self) -> None:
        self.wishes.step(self.clock.now())
        while self.later.chores:
            self.later.work_one()
            self.wishes.step(self.clock.now())

    def judges(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.triggers += 1
            self.judged += 1
            self.after(1.0)


@pytest.fixture
def cell() -> Cell:
    return Cell()


def test_a_wish_has_the_station_begin_anew_between_two_parts(cell: Cell) -> None:
    cell.idle = False
    cell.says(1)
    cell.turn()
    cell.after(1.0)
    busy = cell.restarts
    cell.idle = True
    cell.after(0.1)

    assert (busy, cell.restarts, cell.settled) == (0, 1, 1)
    assert any("recipe.false_reject 0.01 → 0.02" in event for event in cell.events)


def test_a_station_that_is_starting_is_given_the_time_to(cell: Cell) -> None:
    cell.up = cell.idle = False
    cell.says(1)
    cell.turn()
    cell.after(COMING_UP_S - 1.0)
    early = cell.restarts
    cell.after(2.0)

    assert (early, cell.restarts) == (0, 1)


def test_a_line_that_never_rests_is_not_waited_for_for_ever(cell: Cell) -> None:
    cell.idle = False
    cell.says(1)
    cell.turn()
    cell.after(PATIENCE_S)

    assert cell.restarts == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{}",
        msgspec.json.encode(Wish(1, 1, {}, "eve")),
        JUNK,
        sealed('{"v":1,"version":1,"settings":{},"by":"eve"}', TOPIC.replace("press-3", "press-4"), KEY),
        sealed('{"v":1,"version":0,"settings":{},"by":"eve"}', TOPIC, KEY),
        sealed('{"v":1,"version":1,"version":2,"settings":{},"by":"eve"}', TOPIC, KEY),
        sealed('{"v":1,"version":1,"settings":{},"by":"eve","more":1}', TOPIC, KEY),
    ],
)
def test_only_whoever_is_trusted_decides_and_only_here(cell: Cell, payload: bytes) -> None:
    cell.hears(payload)
    cell.turn()

    assert cell.kept.standing == Standing()
    assert (cell.wishes.refused, cell.settled) == (1, 1)
    assert cell.events[0].startswith("desired_refused")


def test_refusals_do_not_fill_the_ledger_and_move_no_cursor(cell: Cell) -> None:
    for _ in range(500):
        cell.hears(JUNK)
    cell.clock.advance(QUIET_S + 1.0)
    cell.says(1, by="\x1b[2Jada")
    cell.turn()
    cell.hears(JUNK)

    assert len([event for event in cell.events if event.startswith("desired_refused")]) == 2
    assert "501 since the start" in cell.events[-1]
    assert all(event.isprintable() for event in cell.events)


def test_it_holds_when_parts_have_been_judged_with_it_for_a_minute(cell: Cell) -> None:
    cell.begins_with(4)
    cell.after(10 * COMING_UP_S)  # no part comes at night, and that says nothing
    cell.judges(PROBATION_S - 1.0)
    early = cell.kept.calls[:]
    cell.judges(3.0)

    assert early == []
    assert (cell.wishes.reported().version, cell.wishes.reported().trial) == (4, False)
    assert (cell.restarts, cell.kept.standing.newest.phase) == (0, "holds")


def test_a_station_that_does_not_come_up_goes_back(cell: Cell) -> None:
    cell.up = False
    cell.begins_with(4)
    cell.after(COMING_UP_S)

    assert cell.restarts == 1
    assert cell.wishes.reported().errors == ("the station did not come up with it",)


def test_a_station_that_judges_none_of_its_parts_goes_back(cell: Cell) -> None:
    cell.begins_with(4)
    for _ in range(int(COMING_UP_S) + 2):
        cell.triggers += 1
        cell.after(1.0)

    assert cell.restarts == 1
    assert cell.wishes.reported().errors == ("no part could be judged with it",)


def test_while_one_is_considered_the_newest_waits_and_those_between_are_dropped(cell: Cell) -> None:
    cell.says(1)
    cell.wishes.step(cell.clock.now())
    for version in (2, 3, 4):
        cell.says(version)
    cell.later.work_one()
    cell.wishes._leaving_by_s = None  # it would begin anew; here it goes on
    cell.turn()

    assert cell.kept.standing.newest.version == 4
    assert cell.settled == 4
    assert cell.kept.calls == ["consider", "consider"]


@pytest.mark.parametrize("dry_first", [True, False])
def test_a_dry_run_does_not_give_way_to_the_retained_wish_that_comes_with_it(cell: Cell, dry_first: bool) -> None:
    cell.begins_with(7)
    for dry_run in (dry_first, not dry_first):
        cell.says(9 if dry_run else 7, dry_run=dry_run)
    cell.turn()

    assert (cell.wishes.reported().last.version, cell.wishes.reported().last.phase) == (9, "checked")
    assert cell.settled == 2


def test_the_word_on_a_dry_run_stays_when_what_is_known_comes_again(cell: Cell) -> None:
    cell.begins_with(7)
    cell.says(9, dry_run=True)
    cell.turn()
    cell.says(7)
    cell.turn()

    assert (cell.wishes.reported().last.version, cell.wishes.reported().last.phase) == (9, "checked")


def test_a_wish_that_waits_does_not_give_way_to_a_dry_run(cell: Cell) -> None:
    cell.says(1)
    cell.says(2, dry_run=True)
    cell.turn()

    assert cell.kept.standing.newest.version == 1


def test_a_wish_that_comes_while_one_is_being_proven_is_not_proven_with_it(cell: Cell) -> None:
    cell.begins_with(42)
    cell.judges(PROBATION_S)
    cell.says(43)
    cell.clock.advance(2.0)
    cell.wishes.step(cell.clock.now())
    while cell.later.chores:
        cell.later.work_one()
        cell.wishes.step(cell.clock.now())

    assert cell.kept.standing.holds is None
    assert cell.kept.standing.trial.version == 43


def test_one_that_wants_what_is_tried_already_begins_its_own_minute(cell: Cell) -> None:
    cell.begins_with(42)
    cell.judges(PROBATION_S - 5.0)
    cell.kept.made = ()
    cell.says(43)
    cell.judges(PROBATION_S - 5.0)
    early = cell.kept.standing.holds
    cell.judges(10.0)

    assert (early, cell.kept.standing.holds.version, cell.restarts) == (None, 43, 0)


@pytest.mark.parametrize("trouble", ["disk", "background"])
def test_what_cannot_be_done_now_is_tried_again_and_not_at_once(cell: Cell, trouble: str) -> None:
    cell.begins_with(4)
    cell.judges(PROBATION_S)
    cell.kept.fails = Unavailable("no room on the disk") if trouble == "disk" else None
    cell.later.is_full = trouble == "background"
    for _ in range(1000):
        cell.turn()
    tried = len(cell.kept.calls)
    cell.says(5)
    cell.kept.fails, cell.later.is_full = None, False
    cell.after(RETRY_S)

    assert tried <= 1
    assert cell.kept.standing.newest.version == 5
    assert cell.settled == 1


def test_a_wish_that_the_disk_did_not_take_comes_again_by_itself(cell: Cell) -> None:
    cell.kept.fails = Unavailable("no room on the disk")
    cell.says(1)
    cell.turn()
    waiting = cell.settled
    cell.kept.fails = None
    cell.after(RETRY_S)

    assert (waiting, cell.settled, cell.kept.standing.newest.version) == (0, 1, 1)


def test_what_is_out_of_its_turn_is_told_with_its_digest_and_forgotten_with_the_next(cell: Cell) -> None:
    cell.says(5)
    cell.turn()
    cell.wishes._leaving_by_s = None
    cell.says(4)
    cell.turn()
    said = cell.wishes.reported().last

    assert (said.version, said.phase) == (4, "refused")
    assert "older than 5" in said.errors[0]
    assert cell.kept.standing.newest.version == 5


def test_a_dry_run_is_told_and_leaves_nothing(cell: Cell) -> None:
    cell.says(9, dry_run=True)
    cell.turn()

    assert (cell.wishes.reported().last.phase, cell.wishes.reported().last.changes) == ("checked", MADE)
    assert (cell.kept.standing, cell.restarts) == (Standing(), 0)


def test_a_wanted_end_is_taken_note_of_and_a_failing_disk_does_not_keep_the_station(cell: Cell) -> None:
    cell.wishes.ended()
    cell.kept.fails = Unavailable("no room on the disk")
    cell.wishes.ended()

    assert cell.kept.calls == ["end", "end"]


def test_what_a_start_took_back_is_an_event() -> None:
    cell = Cell()
    cell.kept.went_back = Fate(7, "x", "taken_back", ("the station did not come up with it",))
    cell.made(cell.kept)

    assert cell.events == ["desired_taken_back: wish 7 is taken back: the station did not come up with it"]


def test_a_station_without_a_file_says_so(cell: Cell) -> None:
    cell.wishes = cell.made(None)
    cell.says(1)
    cell.turn()

    assert "no file of settings" in cell.events[0]
    assert (cell.wishes.reported().version, cell.settled) == (0, 1)


def test_trusting_anybody_would_be_found_out(cell: Cell) -> None:
    class Gullible(Wishes):
        def _read(self, topic: str, payload: bytes) -> Wish:
            return msgspec.json.decode(msgspec.json.decode(payload)["signed"], type=Wish)

    cell.wishes.__class__ = Gullible

    with pytest.raises(AssertionError):
        test_only_whoever_is_trusted_decides_and_only_here(cell, JUNK)


def test_being_up_for_a_minute_would_be_found_out_not_to_be_judging(cell: Cell) -> None:
    class Easy(Wishes):
        def _begin_trial(self) -> None:
            super()._begin_trial()
            self._first_judged_s = self._began_s

    cell.kept.trying = None
    cell.made = lambda desired: Easy(  # type: ignore[method-assign]
        desired,
        Config(),
        lambda envelope, topic: opened(envelope, topic, KEYS),
        cell.later,
        cell.clock,
        Prospect(lambda: cell.up, lambda: cell.triggers, lambda: cell.judged, lambda: cell.idle),
        restart=cell._restart,
        note=lambda severity, kind, message: None,
        poke=lambda name: None,
    )

    with pytest.raises(AssertionError):
        test_a_station_that_judges_none_of_its_parts_goes_back(cell)
