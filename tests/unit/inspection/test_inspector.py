"""The inspector on a clock that moves only when told: one answer for each trigger, in time, committed first."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from edge_agent.config import ActionsConfig, PairingConfig, RecipeConfig
from edge_agent.config.wire import RecipeGateConfig
from edge_agent.errors import BadData, DeviceFault
from edge_agent.inspection.inspected import Inspected
from edge_agent.inspection.inspector import Inspector
from edge_agent.ledger.items import Acted, Committed, Misses, Receipt, Rejected
from edge_agent.records import (
    Action,
    Embedding,
    Frame,
    Modality,
    Outcome,
    Pair,
    Part,
    Trigger,
    Verdict,
    VibrationWindow,
)
from edge_agent.runtime.custody import Custody
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.scheduler.job import Job
from edge_agent.sources.source import FeedStats, Item, Position
from edge_agent.testing.clock import ManualClock

GOOD = Embedding(np.zeros(4, np.int16), frozenset(Modality))


class Line:
    """A source that delivers what the test puts into it."""

    name = "line"

    def __init__(self) -> None:
        self.items: Mailbox[Item] = Mailbox(64, Overflow.DROP_OLDEST)
        self.answers: list[int] = []

    def open(self) -> Position:
        return Position("a", 0)

    def take(self) -> list[Item]:
        return self.items.take_all()

    def position(self) -> Position:
        return Position("a", 0)

    def answered(self, number: int) -> None:
        self.answers.append(number)

    def finished(self) -> bool:
        return False

    def check(self) -> None:
        pass

    def stats(self) -> FeedStats:
        return FeedStats(0, 0, 0, 0)

    def close(self) -> None:
        pass

    def join(self, until: float) -> bool:
        return True


class Device:
    """Keeps jobs until the test answers them."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.early: list[Job] = []
        self.begun: list[Job] = []
        self.accepts = True

    def submit(self, job: Job) -> bool:
        if self.accepts:
            (self.jobs if job.need is None else self.early).append(job)
        return self.accepts

    def expect(self, at_s: float) -> None:
        self.expected_s = at_s

    def withdraw(self, job: Job) -> bool:
        waits = job in self.early
        if waits:
            self.early.remove(job)
        return waits

    def begin(self, encoders: object) -> Job:
        """Do the oldest early job; whoever asked has not heard of it yet."""
        job = self.early.pop(0)
        self.begun.append(job)
        assert job.need is not None
        job.need.began("lane")
        job.run(encoders)
        return job


class Ledger:
    """Keeps items until the test says that the disk has them."""

    def __init__(self) -> None:
        self.items: list[Part | Misses | Acted] = []
        self.waiting: list[tuple[Part, Callable[[Receipt], None]]] = []
        self.accepts = True

    def offer(self, item: Part | Misses | Acted, then: Callable[[Receipt], None] | None = None) -> bool:
        if isinstance(item, Part) and not self.accepts:
            return False
        self.items.append(item)
        if isinstance(item, Part) and then is not None:
            self.waiting.append((item, then))
        return True

    def parts(self) -> list[Part]:
        return [item for item in self.items if isinstance(item, Part)]


class Gate:
    def __init__(self, clock: ManualClock) -> None:
        self.actions: list[tuple[int, Action, float]] = []
        self._clock = clock

    def act(self, series: str, number: int, action: Action, gate: RecipeGateConfig) -> None:
        self.actions.append((number, action, self._clock.now()))


OTHER = RecipeConfig(
    name="other", deadline_ms=400.0, modalities=(Modality.IMAGE,), actions=ActionsConfig(ok=Action.REJECT)
)


class Made:
    """Stands in for a bundle."""

    digest = "b"


class Holding:
    """Stands in for the encoders of a lane."""

    def __init__(self, encoder: object) -> None:
        self.encoder = encoder

    def of(self, bundle: object) -> object:
        return self.encoder


class AlwaysOk:
    def __init__(self, digest: str = "k") -> None:
        self.digest = digest

    def look(self, embedding: Embedding, sight: object = None) -> Embedding:
        return embedding

    def judge(self, embedding: Embedding) -> Verdict:
        return Verdict(Outcome.OK, "good", 1.0, degraded=embedding.degraded)


@dataclass
class Bench:
    clock: ManualClock = field(default_factory=ManualClock)
    line: Line = field(default_factory=Line)
    device: Device = field(default_factory=Device)
    ledger: Ledger = field(default_factory=Ledger)
    gate: Gate = field(init=False)
    told: list[Part] = field(default_factory=list)
    kind: type[Inspector] = Inspector
    kept: list[tuple[int, int]] = field(default_factory=list)  #: number, and how many parts had been acted on
    evidence: list[tuple[bool, bool]] = field(default_factory=list)  #: whether there was a frame, and a window
    custody: Custody = field(default_factory=Custody)
    limits: PairingConfig = field(default_factory=PairingConfig)
    recipe: RecipeConfig = field(default_factory=RecipeConfig)

    def __post_init__(self) -> None:
        self.gate = Gate(self.clock)
        self.inspector = self.kind(
            source=self.line,
            limits=self.limits,
            encoding=self.device,
            ledger=self.ledger,
            output=self.gate,
            products=[
                Inspected(self.recipe, Made(), AlwaysOk()),
                Inspected(OTHER, Made(), AlwaysOk("other")),
            ],
            clock=self.clock,
            keep=self.keep,
            told=self.told.append,
            custody=self.custody,
        )
        self.inspector.begin(Position("a", 0))

    def keep(self, part: Part, frame: Frame | None, window: VibrationWindow | None) -> None:
        self.kept.append((part.trigger.number, len(self.gate.actions)))
        self.evidence.append((frame is not None, window is not None))

    def deliver(
        self,
        number: int = 1,
        *,
        frame: bool | Frame = True,
        window: bool = True,
        recipe: str = "",
        uncertainty_s: float = 0.0,
    ) -> None:
        t = self.clock.now()
        self.line.items.offer(Trigger("a", number, t, recipe=recipe, uncertainty_s=uncertainty_s))
        if frame:
            plain = Frame(np.zeros((4, 4, 3), np.uint8), t + 0.01)
            self.line.items.offer(frame if isinstance(frame, Frame) else plain)
        if window:
            self.line.items.offer(VibrationWindow(np.zeros((800, 3), np.float32), 10_000.0, t))
        self.step()

    def step(self) -> float:
        return self.inspector.step(self.clock.now())

    def answer(self, result: Embedding | BadData | DeviceFault = GOOD) -> None:
        self.device.jobs.pop(0).then(result, self.clock.now())

    def commit(self) -> None:
        part, then = self.ledger.waiting.pop(0)
        then(Committed(part, 7, self.clock.now()))

    def run_until(self, time_s: float) -> None:
        while (wake := self.step()) <= time_s:
            self.clock.advance(max(0.0, wake - self.clock.now()))
        self.clock.advance(max(0.0, time_s - self.clock.now()))
        self.step()


def acts_only_after_the_commit(kind: type[Inspector]) -> bool:
    bench = Bench(kind=kind)
    bench.deliver()
    bench.answer()
    before = list(bench.gate.actions)
    bench.commit()
    return before == [] and [(number, action) for number, action, _ in bench.gate.actions] == [(1, Action.PASS)]


def test_a_part_is_acted_on_only_when_the_disk_has_it() -> None:
    assert acts_only_after_the_commit(Inspector)


class HoardingInspector(Inspector):
    """Wrong: remembers the pair of every part."""

    pairs: ClassVar[list[Pair]] = []

    def _encode(self, pair: Pair) -> None:
        self.pairs.append(pair)
        super()._encode(pair)


@pytest.mark.parametrize(("kind", "held"), [(Inspector, 0), (HoardingInspector, 40)])
def test_picture_and_window_are_held_until_their_part_is_done_and_no_longer(kind: type[Inspector], held: int) -> None:
    bench = Bench(kind=kind)
    for number in range(1, 21):
        bench.deliver(number)
        assert bench.custody.status(0.0).by.get("inspection", 0) >= 2
        bench.answer()
        bench.commit()
        bench.clock.advance(0.3)
    status = bench.custody.status(bench.clock.now())
    HoardingInspector.pairs.clear()

    assert (status.held, status.given) == (held, 40)


def test_a_part_is_told_with_its_number_and_the_source_hears_of_it() -> None:
    bench = Bench()
    bench.deliver()
    bench.answer()
    bench.commit()

    (part,) = bench.told
    assert (part.id, part.committed_late, part.action) == (7, False, Action.PASS)
    assert bench.line.answers == [1]
    assert bench.inspector.in_flight == 0


def test_a_device_that_never_answers_makes_the_part_unsure_before_its_deadline() -> None:
    bench = Bench()
    bench.deliver()
    bench.run_until(0.249)

    (part,) = bench.ledger.parts()
    ((_, action, acted_s),) = bench.gate.actions
    assert (part.verdict.outcome, part.verdict.cause) == (Outcome.UNSURE, "late")
    assert action is Action.REJECT
    assert acted_s < 0.25
    assert bench.inspector.counts.overdue == 0


def judges_within_twenty_milliseconds(kind: type[Inspector]) -> bool:
    """A line that leaves 20 ms after the window: what comes within 10 of them counts, what does not is declared."""
    bench = Bench(kind=kind, limits=PairingConfig(wait_ms=90.0), recipe=RecipeConfig(deadline_ms=100.0))
    picture_first(bench)
    bench.run_until(0.08)
    window_comes(bench, 0.0)
    bench.run_until(0.09)
    if not bench.device.jobs or bench.ledger.waiting:
        return False
    bench.answer()
    bench.commit()
    bench.clock.advance_to(1.0)
    bench.deliver(2, window=False)
    bench.run_until(1.08)
    window_comes(bench, 1.0)
    bench.run_until(1.2)
    told = [(number, action, round(at_s, 6)) for number, action, at_s in bench.gate.actions]
    return told == [(1, Action.PASS, 0.09), (2, Action.REJECT, round(1.1 - 0.02 / 4, 6))]


class KeepsBackTooMuch(Inspector):
    """Wrong: keeps back what a slow disk may take, however little is left."""

    def _begin(self, trigger: Trigger) -> None:
        super()._begin(trigger)
        flight = self._flights[trigger.series, trigger.number]
        flight.deadline = replace(flight.deadline, decide_s=flight.deadline.at_s - 0.03)


def test_a_part_that_pairs_late_is_told_as_long_before_its_deadline_as_any() -> None:
    bench = Bench()
    bench.deliver(window=False)
    bench.clock.advance_to(0.236)  # the loop was held up
    window_comes(bench, 0.0)
    bench.step()
    assert [(action, at_s) for _, action, at_s in bench.gate.actions] == [(Action.REJECT, 0.236)]


def test_a_line_that_leaves_twenty_milliseconds_is_judged_within_them() -> None:
    assert judges_within_twenty_milliseconds(Inspector)
    assert not judges_within_twenty_milliseconds(KeepsBackTooMuch)


def test_an_answer_that_comes_when_the_loop_was_held_up_past_the_deadline_is_declared_late() -> None:
    bench = Bench()
    bench.deliver()
    bench.clock.advance(0.4)
    bench.answer()

    (part,) = bench.ledger.parts()
    assert (part.verdict.outcome, part.verdict.cause) == (Outcome.UNSURE, "late")
    assert bench.inspector.counts.late == 1
    bench.commit()
    assert bench.inspector.counts.overdue == 1


def test_an_answer_after_that_changes_nothing_and_is_counted() -> None:
    bench = Bench()
    bench.deliver()
    bench.run_until(0.3)
    bench.answer()

    assert len(bench.ledger.parts()) == 1
    assert bench.inspector.counts.too_late_results == 1


def test_a_disk_that_is_too_slow_does_not_hold_up_the_output_and_the_part_says_so() -> None:
    bench = Bench()
    bench.deliver()
    bench.answer()
    bench.run_until(0.249)

    assert len(bench.gate.actions) == 1
    acted = [item for item in bench.ledger.items if isinstance(item, Acted)]
    assert [item.committed_late for item in acted] == [True]
    assert bench.told == []
    bench.commit()
    assert len(bench.gate.actions) == 1
    assert bench.told[0].committed_late


def test_a_ledger_that_takes_nothing_does_not_hold_up_the_output() -> None:
    bench = Bench()
    bench.ledger.accepts = False
    bench.deliver()
    bench.answer()

    assert len(bench.gate.actions) == 1
    assert bench.inspector.counts.unrecorded == 1
    assert bench.inspector.in_flight == 0


@pytest.mark.parametrize(("result", "cause"), [(BadData("no good"), "no_data"), (DeviceFault("dead"), "device")])
def test_what_cannot_be_encoded_is_unsure_with_its_cause(result: BadData | DeviceFault, cause: str) -> None:
    bench = Bench()
    bench.deliver()
    bench.answer(result)

    assert [(p.verdict.outcome, p.verdict.cause) for p in bench.ledger.parts()] == [(Outcome.UNSURE, cause)]


def test_a_device_that_cannot_take_the_part_makes_it_unsure_at_once() -> None:
    bench = Bench()
    bench.device.accepts = False
    bench.deliver()

    assert [p.verdict.cause for p in bench.ledger.parts()] == ["device"]
    assert bench.inspector.counts.overloaded == 1


def test_lost_triggers_are_declared() -> None:
    bench = Bench()
    bench.deliver(number=4)

    missed = [item for item in bench.ledger.items if isinstance(item, Misses)]
    assert [(m.first, m.last, m.cause) for m in missed] == [(1, 3, "overrun")]


def test_a_part_that_waits_for_the_disk_does_not_hold_its_picture_beyond_its_deadline() -> None:
    bench = Bench()
    bench.deliver()
    picture = weakref.ref(bench.inspector._flights["a", 1].pair.frame)
    bench.answer()
    bench.run_until(0.25)
    gc.collect()

    assert bench.inspector.in_flight == 1
    assert picture() is None


def test_stopping_answers_what_is_in_flight() -> None:
    bench = Bench()
    bench.deliver()
    bench.inspector.close()

    assert [p.verdict.cause for p in bench.ledger.parts()] == ["stopping"]
    assert [action for _, action, _ in bench.gate.actions] == [Action.REJECT]


class Given:
    """An encoder that remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[object, object, float, tuple[str, ...]]] = []

    def encode(self, image: object, samples: object, rate_hz: float, degraded: tuple[str, ...]) -> Embedding:
        self.given.append((image, samples, rate_hz, degraded))
        return GOOD


def test_a_picture_unfit_to_judge_by_is_not_encoded_and_said() -> None:
    bench, encoder = Bench(), Given()
    frame = Frame(np.zeros((4, 4, 3), np.uint8), 0.01, faults=("dark",))
    bench.deliver(frame=frame)
    bench.device.jobs[0].run(Holding(encoder))  # type: ignore[arg-type]
    bench.answer(BadData("nothing is left"))

    ((image, samples, _, words),) = encoder.given
    assert image is None
    assert samples is not None
    assert words == ("dark",)
    assert bench.ledger.parts()[0].verdict.degraded == ("dark",)


class Beginning:
    """An encoder that says what it was given, and goes on from what it began."""

    def __init__(self) -> None:
        self.begun: list[np.ndarray] = []
        self.given: list[tuple[object, bool]] = []

    def begin(self, image: np.ndarray) -> SimpleNamespace:
        self.begun.append(image)
        return SimpleNamespace(encoder=self, image=image, tokens=None)

    def encode(self, image: object, *rest: object, begun: SimpleNamespace | None = None) -> Embedding:
        self.given.append((image, begun is not None and begun.image is image))
        return GOOD


def picture_first(bench: Bench, *, faults: tuple[str, ...] = ()) -> Frame:
    """Deliver a part whose window is still to come."""
    frame = Frame(np.zeros((4, 4, 3), np.uint8), bench.clock.now() + 0.01, faults=faults)
    bench.deliver(frame=frame, window=False)
    return frame


def window_follows(bench: Bench, began_s: float = 0.0) -> None:
    bench.clock.advance(0.08)
    window_comes(bench, began_s)


def window_comes(bench: Bench, began_s: float) -> None:
    bench.line.items.offer(VibrationWindow(np.zeros((800, 3), np.float32), 10_000.0, began_s))
    bench.step()


def test_a_picture_is_encoded_while_its_window_is_still_to_come_and_the_rest_goes_on_from_it() -> None:
    bench, encoder = Bench(), Beginning()
    frame = picture_first(bench)
    bench.step()
    assert len(bench.device.early) == 1 and not bench.device.jobs
    bench.device.begin(Holding(encoder)).then(GOOD, 0.03)
    window_follows(bench)
    (job,) = bench.device.jobs
    job.run(Holding(encoder))  # type: ignore[arg-type]

    assert encoder.begun == [frame.image]
    assert encoder.given == [(frame.image, True)]
    assert (job.kind_on("lane"), job.kind_on("another"), job.together) == ("b rest", "b", None)
    bench.answer()
    bench.commit()
    assert [action for _, action, _ in bench.gate.actions] == [Action.PASS]


def test_whoever_encodes_is_told_when_the_next_part_is_due_and_when_a_picture_is_needed() -> None:
    bench = Bench()
    assert bench.step() == math.inf and bench.device.expected_s == math.inf
    picture_first(bench)
    assert bench.device.expected_s == bench.device.early[0].need.at_s == pytest.approx(0.08)
    assert bench.device.early[0].need.done_s == pytest.approx(0.22)
    window_follows(bench)
    assert bench.device.expected_s == math.inf


def test_a_picture_is_asked_for_before_it_is_told_when_its_pair_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hearing what is expected may begin background work, which a picture that is there comes before."""
    bench = Bench()
    asked: list[int] = []
    monkeypatch.setattr(bench.device, "expect", lambda at_s: asked.append(len(bench.device.early)))
    picture_first(bench)
    assert asked == [1]


def test_a_lane_that_has_not_begun_the_picture_encodes_it_with_the_rest() -> None:
    bench, encoder, other = Bench(), Beginning(), Beginning()
    picture_first(bench)
    bench.device.begin(Holding(other))  # on another lane than the one that does the rest
    window_follows(bench)
    bench.device.jobs[0].run(Holding(encoder))  # type: ignore[arg-type]

    assert [begun for _, begun in encoder.given] == [False]


def test_a_picture_that_waits_for_a_device_when_its_part_is_complete_is_withdrawn() -> None:
    bench, encoder = Bench(), Beginning()
    picture_first(bench)
    window_follows(bench)
    (job,) = bench.device.jobs
    job.run(Holding(encoder))  # type: ignore[arg-type]

    assert not bench.device.early
    assert [begun for _, begun in encoder.given] == [False]
    assert job.kind_on("lane") == "b" and job.together is not None


def test_the_picture_of_a_part_that_is_answered_meanwhile_is_withdrawn() -> None:
    bench = Bench()
    picture_first(bench)
    assert len(bench.device.early) == 1
    bench.inspector.close()
    assert not bench.device.early


def test_the_cheaper_way_goes_on_from_the_picture_too() -> None:
    bench, encoder = Bench(), Beginning()
    recipe = RecipeConfig(hurried="image")
    bench.inspector._products[recipe.name] = Inspected(recipe, Made(), AlwaysOk())
    picture_first(bench)
    bench.device.begin(Holding(encoder))
    window_follows(bench)
    (job,) = bench.device.jobs
    assert job.hurried is not None
    job.hurried(Holding(encoder))  # type: ignore[arg-type]

    assert [begun for _, begun in encoder.given] == [True]


@pytest.mark.parametrize("error", [BadData("no use for it"), DeviceFault("unplugged")])
def test_a_picture_that_came_to_nothing_is_encoded_with_the_rest(error: BadData | DeviceFault) -> None:
    bench = Bench()
    picture_first(bench)
    bench.device.early.pop().then(error, 0.03)
    window_follows(bench)

    assert [(job.kind_on("lane"), job.together is not None) for job in bench.device.jobs] == [("b", True)]


def goes_on_with_the_bundle_in_use(kind: type[Inspector]) -> bool:
    """A picture that another bundle encoded says nothing to the one that is in use when the part is complete."""
    bench = Bench(kind=kind)
    picture_first(bench)
    bench.device.begin(Holding(Beginning()))
    bench.inspector._products[RecipeConfig().name] = Inspected(RecipeConfig(), Made(), AlwaysOk())
    window_follows(bench)
    return [job.kind_on("lane") for job in bench.device.jobs] == ["b"]


class TakesAny(Inspector):
    """Wrong: goes on from whatever was begun."""

    def _seen(self, flight: Any, bundle: Any) -> Any:
        early, _ = flight.early
        return early


def test_a_bundle_that_came_into_use_meanwhile_encodes_the_picture_itself() -> None:
    assert goes_on_with_the_bundle_in_use(Inspector)
    assert not goes_on_with_the_bundle_in_use(TakesAny)


def test_no_picture_is_encoded_early_that_is_unfit_or_whose_part_is_decided() -> None:
    bench = Bench()
    picture_first(bench, faults=("dark",))
    assert not bench.device.early
    bench = Bench()
    bench.line.items.offer(Trigger("a", 1, 0.0, uncertainty_s=9.0))
    bench.line.items.offer(Frame(np.zeros((4, 4, 3), np.uint8), 0.01))
    bench.step()
    assert not bench.device.early
    bench = Bench()
    bench.deliver(recipe="other", window=False)
    assert not bench.device.early and len(bench.device.jobs) == 1


def test_evidence_is_kept_only_when_the_part_was_acted_on() -> None:
    bench = Bench()
    bench.deliver()
    bench.answer()
    before = list(bench.kept)
    bench.commit()

    assert before == []
    assert bench.kept == [(1, 1)]


@pytest.mark.parametrize(("frame", "window"), [(True, True), (True, False), (False, True)])
def test_what_is_kept_is_what_there_is_of_the_part(frame: bool, window: bool) -> None:
    bench = Bench()
    bench.deliver(frame=frame, window=window)
    bench.run_until(0.2)
    bench.answer()
    bench.commit()

    assert bench.evidence == [(frame, window)]


def test_of_a_part_of_which_nothing_came_nothing_is_kept() -> None:
    bench = Bench()
    bench.deliver(frame=False, window=False)
    bench.run_until(0.249)

    assert len(bench.gate.actions) == 1
    assert bench.kept == []


def test_the_evidence_of_a_part_without_a_row_is_not_kept() -> None:
    bench = Bench()
    bench.ledger.accepts = False
    bench.deliver()
    bench.answer()

    assert len(bench.gate.actions) == 1
    assert bench.kept == []


def test_a_rejected_part_is_still_acted_on() -> None:
    bench = Bench()
    bench.deliver()
    bench.answer()
    part, then = bench.ledger.waiting.pop()
    then(Rejected(part, "disk", "gone"))

    assert len(bench.gate.actions) == 1
    assert bench.told[0].committed_late


def answers_each_trigger_once(kind: type[Inspector]) -> bool:
    bench = Bench(kind=kind)
    for number in range(1, 6):
        bench.deliver(number, frame=number % 2 == 0, window=number != 3)
        bench.run_until(bench.clock.now() + 0.1)
        if number == 4:
            bench.answer()
    bench.run_until(bench.clock.now() + 1.0)
    while bench.ledger.waiting:
        bench.commit()
    numbers = sorted(number for number, _, _ in bench.gate.actions)
    return numbers == [1, 2, 3, 4, 5] and len(bench.ledger.parts()) == 5 and bench.inspector.counts.overdue == 0


class PatientInspector(Inspector):
    """The wrong implementation: waits for answers for ever."""

    def _see_to_deadlines(self, now: float) -> float:
        return math.inf


class HastyInspector(Inspector):
    """The wrong implementation: tells the output before the ledger."""

    def _decide(self, flight, verdict, embedding=None, inferred_s=None) -> None:  # type: ignore[no-untyped-def]
        super()._decide(flight, verdict, embedding, inferred_s)
        self._act(flight, committed_late=False)


def test_whatever_is_missing_each_trigger_is_answered_once_and_in_time() -> None:
    assert answers_each_trigger_once(Inspector)


def test_the_deadline_check_has_teeth() -> None:
    assert not answers_each_trigger_once(PatientInspector)


def test_the_order_check_has_teeth() -> None:
    assert not acts_only_after_the_commit(HastyInspector)


def test_each_trigger_is_judged_by_the_recipe_that_it_names_part_by_part() -> None:
    bench = Bench()
    for number, recipe in enumerate(("", "other", "default", "other"), 1):
        bench.deliver(number, recipe=recipe)
        bench.answer()
        bench.clock.advance(0.2)
    while bench.ledger.waiting:
        bench.commit()

    assert [(part.recipe, part.knowledge) for part in bench.ledger.parts()] == [
        ("default", "k"),
        ("other", "other"),
    ] * 2
    assert [action for _, action, _ in bench.gate.actions] == [Action.PASS, Action.REJECT] * 2


def test_a_change_of_product_holds_from_the_next_trigger_and_loses_none() -> None:
    bench = Bench()
    bench.deliver(1)
    bench.inspector.use("other")
    bench.clock.advance(0.1)
    bench.deliver(2, window=False)  # which the other product does not need
    bench.answer()
    bench.answer()

    assert [part.recipe for part in bench.ledger.parts()] == ["default", "other"]
    assert [part.verdict.degraded for part in bench.ledger.parts()] == [(), ()]


def test_a_judge_that_changes_is_used_for_the_parts_of_its_recipe_alone() -> None:
    bench = Bench()
    bench.inspector.judge_by("other", AlwaysOk("newer"))
    for number, recipe in enumerate(("other", "default"), 1):
        bench.deliver(number, recipe=recipe)
        bench.answer()
        bench.clock.advance(0.2)

    assert [part.knowledge for part in bench.ledger.parts()] == ["newer", "k"]


def test_a_trigger_whose_time_nobody_knows_makes_the_part_unsure_at_once() -> None:
    bench = Bench()
    bench.deliver(1, uncertainty_s=PairingConfig().max_uncertainty_ms / 1e3)
    bench.deliver(2, uncertainty_s=1.01 * PairingConfig().max_uncertainty_ms / 1e3)

    assert [(part.trigger.number, part.verdict.cause) for part in bench.ledger.parts()] == [(2, "clock")]
    assert bench.inspector.counts.untimed == 1


def test_a_recipe_that_is_not_there_makes_the_part_unsure_at_once_and_is_counted() -> None:
    bench = Bench()
    bench.deliver(1, recipe="nobody")

    assert [part.verdict.cause for part in bench.ledger.parts()] == ["recipe"]
    assert not bench.device.jobs
    assert bench.inspector.counts.unknown == 1
    bench.commit()
    assert [action for _, action, _ in bench.gate.actions] == [Action.REJECT]


def test_triggers_that_passed_while_the_source_was_away_are_declared_without_waiting_for_the_next() -> None:
    bench = Bench()
    bench.deliver(1)

    assert bench.inspector.resume(Position("a", 1)) == 0
    assert bench.inspector.resume(Position("a", 5)) == 4
    assert [item for item in bench.ledger.items if isinstance(item, Misses)] == [
        Misses("a", 2, 5, "overrun", "default")
    ]
