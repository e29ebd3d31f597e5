import math
from collections.abc import Callable

import pytest

from edge_agent.errors import BadData, ConfigError, DeviceFault, StateDamaged, Unavailable
from edge_agent.runtime.budget import RestartBudget
from edge_agent.runtime.loop import NEVER, Loop
from edge_agent.runtime.supervisor import ComponentStatus, Entry, State, Supervisor
from edge_agent.testing.clock import ManualClock

NOT_THERE = Unavailable("camera 0 is not there", hint="plug it in")


class Part:
    """A supervised component that writes down what is done to it and fails on demand."""

    def __init__(self, plant: "Plant", name: str) -> None:
        self.plant, self.name = plant, name
        self.open_errors: list[Exception] = []
        self.step_errors: list[Exception] = []
        self.close_error: Exception | None = None
        self.ends_in_time = True

    def open(self) -> None:
        self.plant.log.append(f"open {self.name}")
        if self.open_errors:
            raise self.open_errors.pop(0)

    def close(self) -> None:
        self.plant.log.append(f"close {self.name}")
        if self.close_error is not None:
            raise self.close_error

    def join(self, until: float) -> bool:
        self.plant.log.append(f"join {self.name} until {until:g}")
        return self.ends_in_time

    def step(self, now: float) -> float:
        self.plant.log.append(f"step {self.name}")
        if self.step_errors:
            raise self.step_errors.pop(0)
        return NEVER


class Plant:
    """A loop with a supervisor and three components: ledger (critical), camera (for ever), page."""

    def __init__(self, kind: type[Supervisor] = Supervisor) -> None:
        self.clock, self.log, self.changes = ManualClock(), [], []
        self.loop = Loop(self.clock)
        self.parts = {name: Part(self, name) for name in ("ledger", "camera", "page")}
        budgets = {"ledger": RestartBudget(limit=2), "camera": RestartBudget.for_ever(), "page": RestartBudget()}
        self.supervisor = kind(
            [Entry(p.name, p.open, p.close, budgets[p.name], p.join) for p in self.parts.values()],
            self.loop,
            changed=self.changes.append,
        )
        for part in self.parts.values():  # before the supervisor, who must keep them still all the same
            self.loop.add(part)
        self.loop.add(self.supervisor)
        self.loop.on_error = self.supervisor.failed

    def status(self, name: str) -> ComponentStatus:
        return next(status for status in self.supervisor.status() if status.name == name)

    def settle(self) -> float:
        """Run the loop until nothing is due or it was stopped; return when something will be."""
        due = self.loop.run_once()
        while (due <= self.clock.now() or self.loop._wake.is_set()) and not self.loop._stopping:
            due = self.loop.run_once()
        return due

    def told(self) -> list[str]:
        log, self.log[:] = list(self.log), []
        return log


@pytest.fixture
def plant() -> Plant:
    return Plant()


def test_the_table_is_opened_in_order_and_nobody_is_stepped_before_it_is_open(plant: Plant) -> None:
    assert plant.settle() == NEVER

    assert plant.told()[:3] == ["open ledger", "open camera", "open page"]
    assert {status.state for status in plant.supervisor.status()} == {State.RUNNING}


def test_what_is_not_there_is_awaited_while_the_rest_runs(plant: Plant) -> None:
    plant.parts["camera"].open_errors = [NOT_THERE, NOT_THERE]
    due = plant.settle()

    assert "step ledger" in plant.told()
    assert due == 0.5
    camera = plant.status("camera")
    assert (camera.state, camera.until_s, camera.restarts) == (State.WAITING, 0.5, 1)
    assert (camera.last_error, camera.hint) == ("camera 0 is not there", "plug it in")

    plant.clock.advance_to(due)
    due = plant.settle()
    assert due == 1.5
    assert plant.told() == ["open camera", "close camera"]

    plant.clock.advance_to(due)
    plant.settle()
    assert plant.told() == ["open camera", "step camera"]
    assert plant.status("camera").state is State.RUNNING
    assert [c.state for c in plant.changes if c.name == "camera"] == [State.WAITING, State.WAITING, State.RUNNING]


@pytest.mark.parametrize("error", [NOT_THERE, DeviceFault("dead"), StateDamaged("wrong digest")])
def test_what_fails_while_it_runs_is_closed_and_opened_again_and_not_stepped_between(
    plant: Plant, error: Exception
) -> None:
    plant.settle()
    plant.told()
    plant.parts["camera"].step_errors = [error]
    plant.loop.poke("camera")
    due = plant.settle()
    plant.loop.poke("camera")
    plant.settle()
    assert plant.told() == ["step camera", "close camera"]

    plant.clock.advance_to(due)
    plant.settle()
    assert plant.told() == ["open camera", "step camera"]


def test_a_failure_told_by_a_thread_twice_costs_one_restart(plant: Plant) -> None:
    plant.settle()
    plant.told()
    plant.supervisor.failed("camera", NOT_THERE)
    plant.supervisor.failed("camera", NOT_THERE)
    plant.settle()
    plant.supervisor.failed("camera", NOT_THERE)  # the old thread's last words, when it is already closed
    plant.loop.poke("camera")
    plant.settle()

    assert plant.told() == ["close camera"]
    assert plant.status("camera").restarts == 1


def test_what_may_come_back_is_tried_for_ever_and_never_more_often_than_the_cap(plant: Plant) -> None:
    plant.parts["camera"].open_errors = [NOT_THERE] * 500
    opened_at = []
    while plant.clock.now() < 7200.0:
        due = plant.settle()
        if "open camera" in plant.told():
            opened_at.append(plant.clock.now())
        plant.clock.advance_to(due)

    assert plant.supervisor.ending is None
    assert 200 < len(opened_at) < 300
    assert opened_at[-1] - opened_at[-2] == 30.0


def test_a_critical_component_that_does_not_come_back_ends_the_process(plant: Plant) -> None:
    plant.parts["ledger"].open_errors = [Unavailable("no space left")] * 3
    plant.loop.run()
    ending = plant.supervisor.ending

    assert ending is not None
    assert (ending.component, str(ending.error), ending.exit_code) == ("ledger", "no space left", 1)
    assert plant.status("ledger").state is State.FAILED
    assert plant.log.count("open ledger") == 3


def a_bug_is_never_retried(kind: type[Supervisor]) -> None:
    plant = Plant(kind)
    plant.settle()
    plant.told()
    plant.parts["camera"].step_errors = [KeyError("gain")]
    plant.loop.poke("camera")
    plant.settle()

    assert plant.told() == ["step camera"]
    assert plant.supervisor.ending is not None
    assert plant.supervisor.ending.exit_code == 1
    assert plant.status("camera").last_error == "'gain'"


def test_a_bug_is_never_retried() -> None:
    a_bug_is_never_retried(Supervisor)


class RestartsEverything(Supervisor):
    def failed(self, name: str, error: Exception) -> None:
        super().failed(name, Unavailable(str(error)))


def test_a_supervisor_that_restarts_whatever_the_reason_is_noticed() -> None:
    with pytest.raises(AssertionError):
        a_bug_is_never_retried(RestartsEverything)


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [(ConfigError("exposure_ms"), 78), (KeyError("gain"), 1), (BadData("opening is not an item"), 1)],
)
def test_what_a_person_must_change_ends_with_78_and_a_bug_with_1(
    plant: Plant, error: Exception, exit_code: int
) -> None:
    plant.parts["camera"].open_errors = [error]
    plant.loop.run()

    assert plant.supervisor.ending is not None
    assert plant.supervisor.ending.exit_code == exit_code
    assert plant.told() == ["open ledger", "open camera"]


def test_the_first_reason_to_end_is_the_one_that_is_told(plant: Plant) -> None:
    plant.supervisor.failed("camera", ConfigError("the cause"))
    plant.supervisor.failed("page", KeyError("a consequence"))

    assert plant.supervisor.ending is not None
    assert plant.supervisor.ending.component == "camera"


def test_a_bad_item_is_counted_and_the_component_goes_on(plant: Plant) -> None:
    plant.settle()
    plant.told()
    plant.parts["camera"].step_errors = [BadData("picture of 0 x 0")]
    plant.loop.poke("camera")
    plant.settle()

    assert plant.told() == ["step camera", "step camera"]
    assert plant.status("camera").dropped == 1
    assert plant.status("camera").last_error == "picture of 0 x 0"
    assert plant.supervisor.ending is None


def test_a_late_bad_item_does_not_wake_what_is_closed(plant: Plant) -> None:
    plant.parts["camera"].open_errors = [NOT_THERE]
    plant.settle()
    plant.told()
    plant.supervisor.failed("camera", BadData("half a picture"))
    plant.settle()

    assert plant.told() == []


def test_whoever_is_not_in_the_table_cannot_be_restarted(plant: Plant) -> None:
    plant.supervisor.failed("dispatcher", Unavailable("gone"))

    assert plant.supervisor.ending is not None
    assert plant.supervisor.ending.component == "dispatcher"


def stops_in_reverse_with_one_deadline(plant: Plant) -> None:
    plant.settle()
    plant.told()
    plant.parts["camera"].ends_in_time = False

    assert plant.supervisor.stop(until=8.0) == ("camera",)
    assert plant.told() == [
        "close page",
        "close camera",
        "close ledger",
        "join page until 8",
        "join camera until 8",
        "join ledger until 8",
    ]


def test_all_are_asked_last_first_and_then_awaited_until_one_deadline(plant: Plant) -> None:
    stops_in_reverse_with_one_deadline(plant)
    assert {status.state for status in plant.supervisor.status()} == {State.STOPPED}


class OneByOne(Supervisor):
    def stop(self, until: float) -> tuple[str, ...]:
        kept = list(reversed(self._kept.values()))
        return tuple(k.entry.name for k in kept if not (self._close(k) and k.entry.join(until)))


class InTableOrder(Supervisor):
    def stop(self, until: float) -> tuple[str, ...]:
        self._kept = dict(reversed(self._kept.items()))
        return super().stop(until)


@pytest.mark.parametrize("wrong", [OneByOne, InTableOrder])
def test_any_other_way_of_stopping_is_noticed(wrong: type[Supervisor]) -> None:
    with pytest.raises(AssertionError):
        stops_in_reverse_with_one_deadline(Plant(wrong))


def test_one_bad_close_keeps_nobody_else_open(plant: Plant) -> None:
    plant.settle()
    plant.told()
    plant.parts["page"].close_error = OSError("bad descriptor")

    assert plant.supervisor.stop(until=1.0) == ("page",)
    assert "close ledger" in plant.told()
    assert plant.supervisor.ending is not None
    assert plant.supervisor.ending.component == "page"


def test_stopped_is_stopped(plant: Plant) -> None:
    plant.parts["camera"].open_errors = [NOT_THERE]
    plant.settle()
    plant.supervisor.stop(until=1.0)
    plant.told()
    plant.supervisor.failed("ledger", NOT_THERE)
    plant.clock.advance(60.0)
    plant.settle()

    assert plant.told() == []


def test_two_rows_cannot_have_one_name() -> None:
    def nothing() -> None: ...

    row: Callable[[], Entry] = lambda: Entry("camera", nothing, nothing)  # noqa: E731 - two equal rows, made anew
    with pytest.raises(ValueError, match="camera"):
        Supervisor([row(), row()], Loop(ManualClock()))


def test_before_the_first_pass_everything_waits_without_a_time(plant: Plant) -> None:
    assert {(s.state, s.until_s) for s in plant.supervisor.status()} == {(State.WAITING, None)}
    assert not any(math.isinf(s.until_s or 0.0) for s in plant.supervisor.status())


def test_a_component_is_opened_when_what_it_needs_is_there() -> None:
    clock = ManualClock()
    opened: list[float] = []
    supervisor = Supervisor(
        [Entry("source", lambda: opened.append(clock.now()), lambda: None, when=lambda: clock.now() >= 1.0)],
        Loop(clock),
    )
    wake = supervisor.step(clock.now())
    while not opened:
        clock.advance_to(wake)
        wake = supervisor.step(wake)

    assert 1.0 <= opened[0] <= 1.1
