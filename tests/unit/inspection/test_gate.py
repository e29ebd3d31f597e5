"""The gate moves for the parts that are to go, says what became of each, and follows only while the loop turns."""

import pytest

from edge_agent.config.wire import RecipeGateConfig
from edge_agent.inspection.gate import Bypass, Gate
from edge_agent.records import Action, BeltTime, Gated
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.sources.wirerecords import News
from edge_agent.testing.disk import FakeDisk

RECIPE = RecipeGateConfig(output=1, travel_ms=400.0, pulse_ms=50.0)


class Outputs:
    """Stands in for the wire."""

    def __init__(self) -> None:
        self.reports = Mailbox[Gated](64, Overflow.DROP_OLDEST)
        self.news = Mailbox[News](64, Overflow.DROP_OLDEST)
        self.held: list[float] = []
        self.bypassed = False
        self.pulses: list[tuple[str, int, BeltTime, float, int]] = []
        self.refusal = ""

    def hold(self, now: float, *, bypassed: bool) -> None:
        self.held.append(now)
        self.bypassed = bypassed

    def pulse(self, series: str, number: int, distance: BeltTime, pulse_s: float, output: int) -> str:
        if not self.refusal:
            self.pulses.append((series, number, distance, pulse_s, output))
        return self.refusal


class Bench:
    def __init__(self, kind: type[Gate] = Gate, *, bypassed: bool = False) -> None:
        self.outputs = Outputs()
        self.recorded: list[Gated] = []
        self.noted: list[News] = []
        self.gate = kind(self.outputs, 0.5, self.recorded.append, self.noted.append, bypassed=bypassed)


def test_a_rejected_part_moves_the_gate_and_a_passed_one_does_not() -> None:
    bench = Bench()
    bench.gate.act("a", 1, Action.PASS, RECIPE)
    bench.gate.act("a", 2, Action.REJECT, RECIPE)

    assert bench.outputs.pulses == [("a", 2, BeltTime(0.4), 0.05, 1)]
    assert bench.recorded == []


def test_what_became_of_a_part_is_recorded_and_counted() -> None:
    bench = Bench()
    bench.outputs.reports.offer(Gated("a", 2, "done", 7.0))
    bench.outputs.reports.offer(Gated("a", 3, "late"))
    bench.gate.step(1.0)

    assert bench.recorded == [Gated("a", 2, "done", 7.0), Gated("a", 3, "late")]
    assert bench.gate.status().fates == {"done": 1, "late": 1}
    assert bench.gate.status().worst_off_us == 7.0


def assert_says_why(kind: type[Gate], word: str) -> None:
    bench = Bench(kind)
    bench.outputs.refusal = word
    bench.gate.act("a", 2, Action.REJECT, RECIPE)

    assert bench.recorded == [Gated("a", 2, word)]


@pytest.mark.parametrize("word", ["down", "rebooted", "busy"])
def test_a_part_whose_movement_cannot_be_asked_for_has_the_word_for_why_at_once(word: str) -> None:
    assert_says_why(Gate, word)


def test_a_gate_with_one_word_for_every_refusal_is_noticed() -> None:
    class Vague(Gate):
        def _became(self, report: Gated) -> None:
            super()._became(Gated(report.series, report.number, "void"))

    with pytest.raises(AssertionError):
        assert_says_why(Vague, "busy")


def test_a_bypassed_gate_moves_for_nobody_and_says_so_of_each_part() -> None:
    bench = Bench(bypassed=True)
    bench.gate.act("a", 2, Action.REJECT, RECIPE)
    bench.gate.act("a", 3, Action.PASS, RECIPE)

    assert bench.outputs.pulses == []
    assert bench.recorded == [Gated("a", 2, "bypassed")]
    bench.gate.bypassed = False
    bench.gate.act("a", 4, Action.REJECT, RECIPE)
    assert [number for _, number, *_ in bench.outputs.pulses] == [4]


def test_the_gate_is_held_several_times_within_a_lease() -> None:
    bench = Bench()
    now = 10.0
    while now < 10.5:
        now = bench.gate.step(now)

    assert len(bench.outputs.held) >= 6


@pytest.mark.parametrize("bypassed", [False, True])
def test_the_wire_hears_whether_every_part_is_to_pass(bypassed: bool) -> None:
    bench = Bench(bypassed=bypassed)
    bench.gate.step(1.0)

    assert bench.outputs.bypassed == bypassed


def test_a_trial_moves_the_gate_without_a_part_and_leaves_no_row() -> None:
    bench = Bench(bypassed=True)
    heard: list[Gated] = []
    bench.gate.try_out(RECIPE, heard.append)
    ((series, number, *_),) = bench.outputs.pulses
    bench.outputs.reports.offer(Gated(series, number, "done", 0.0))
    bench.gate.step(1.0)

    assert [report.gate for report in heard] == ["done"]
    assert bench.recorded == []
    assert bench.gate.status().fates == {}


def test_a_trial_that_cannot_be_asked_for_is_answered() -> None:
    bench = Bench()
    bench.outputs.refusal = "down"
    heard: list[Gated] = []
    bench.gate.try_out(RECIPE, heard.append)

    assert [report.gate for report in heard] == ["down"]


def test_a_trial_that_cannot_be_asked_for_does_not_take_the_answer_of_the_one_before() -> None:
    bench = Bench()
    heard: list[tuple[str, str]] = []
    bench.gate.try_out(RECIPE, lambda report: heard.append(("first", report.gate)))
    bench.outputs.refusal = "down"
    bench.gate.try_out(RECIPE, lambda report: heard.append(("second", report.gate)))
    bench.outputs.reports.offer(Gated("", 0, "done", 0.0))
    bench.gate.step(1.0)

    assert heard == [("second", "down"), ("first", "done")]


def test_what_is_told_after_the_last_step_is_recorded_when_the_wire_has_ended() -> None:
    bench = Bench()
    bench.gate.step(1.0)
    bench.outputs.reports.offer(Gated("a", 2, "done", 7.0))
    bench.gate.settle()

    assert bench.recorded == [Gated("a", 2, "done", 7.0)]
    assert bench.outputs.held == [1.0]


def test_news_are_handed_on() -> None:
    bench = Bench()
    bench.outputs.news.offer(News("info", "wire_up", "it answers"))
    bench.gate.step(1.0)

    assert [news.kind for news in bench.noted] == ["wire_up"]


def test_a_bypass_outlives_a_restart_and_its_end_does_too() -> None:
    disk = FakeDisk()
    assert not Bypass(disk).load()
    Bypass(disk).save(True)
    assert Bypass(disk).load()
    Bypass(disk).save(False)
    assert not Bypass(disk).load()


def test_a_damaged_file_is_no_bypass_and_that_is_said() -> None:
    disk = FakeDisk()
    Bypass(disk).save(True)
    disk.write("gate", b"\0" + disk.read("gate")[1:])
    heard: list[str] = []

    assert not Bypass(disk).load(heard.append)
    assert len(heard) == 1
    assert not Bypass(FakeDisk()).load(heard.append)
    assert len(heard) == 1


def test_a_gate_that_forgets_that_it_is_bypassed_is_noticed() -> None:
    class Forgetful(Gate):
        def act(self, series, number, action, gate):
            self.bypassed = False
            super().act(series, number, action, gate)

    bench = Bench(Forgetful, bypassed=True)
    bench.gate.act("a", 2, Action.REJECT, RECIPE)

    with pytest.raises(AssertionError):
        assert bench.outputs.pulses == []
