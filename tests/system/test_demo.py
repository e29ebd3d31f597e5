"""The demo and the bench run to the end, and are refused with one line where they cannot."""

from __future__ import annotations

import dataclasses
import json
import queue
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from rich.progress import Progress

from edge_agent.agent import Agent
from edge_agent.bench import Measurement
from edge_agent.bench.line import HandFed, Line
from edge_agent.bench.measure import hops_of, measure
from edge_agent.cli import main
from edge_agent.config import Config
from edge_agent.demo.report import DemoReport
from edge_agent.demo.show import refuse_used
from edge_agent.errors import BadData, ConfigError, DeviceFault, EdgeAgentError, Unavailable
from edge_agent.ledger.latency import HOPS
from edge_agent.records import Outcome, Part, Times, Trigger, Verdict
from edge_agent.runtime.supervisor import Ending
from edge_agent.sources.files import list_class_folders
from edge_agent.testing.clock import ManualClock
from edge_agent.verbs.gather import part_files
from models.castings import CLASSES, CastingLine

pytestmark = pytest.mark.system


def program(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=280, check=False)


def serve(make: Callable[[], Agent]) -> int:
    """Run an agent to its end in this process, whose signals stay as they are."""
    agent = make()
    code = agent.run()
    assert not agent.close()
    return code


def fields(record: type) -> set[str]:
    return {field.name for field in dataclasses.fields(record)}


def test_a_demo_runs_to_its_report_and_refuses_the_same_folder_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge_agent.demo.show.GOOD_RUN", 60)
    words = ("demo", "--fast", "--parts", "40", "--json", "--state", str(tmp_path / "demo"))
    code = main(words, serve)

    said = capsys.readouterr()
    assert code == 0, said.err
    report = json.loads(said.out)
    assert set(report) == fields(DemoReport)
    assert report["triggers"] == sum(report["parts"].values()) == 40
    assert report["taught_after"] == 16
    assert report["teaching_s"] > 0.0
    assert report["right_before"]["of"] + report["right_after"]["of"] <= 40
    assert 0 < report["taught"] <= report["planned"] == 7
    assert Path(report["ledger"]).is_file()
    capsys.readouterr()
    assert main(("learned", "-c", report["config"]), serve) == 0
    assert "crack (crack)" in capsys.readouterr().out
    assert main(("learned", "--state", str(tmp_path / "demo")), serve) == 78
    assert "-c FILE" in capsys.readouterr().err
    before = Path(report["ledger"]).read_bytes()

    assert main(words, serve) == 1
    again = capsys.readouterr()
    assert again.out == ""
    line, hint = again.err.splitlines()
    assert "already holds a station" in line and "--state" in hint
    assert Path(report["ledger"]).read_bytes() == before


def test_examples_are_folders_that_the_other_verbs_read_and_nothing_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("demo", "--examples", str(tmp_path / "parts"), "--count", "2")
    assert main(words, serve) == 0
    assert f"edge-agent teach good {tmp_path}/parts/good --yes" in capsys.readouterr().out

    listed = list_class_folders(tmp_path / "parts")
    assert {slug: len(paths) for slug, paths in listed.items()} == dict.fromkeys(CLASSES, 2)
    parts = part_files([tmp_path / "parts" / "crack"])
    examples = [part.read() for part in parts]
    assert [e.image is not None and e.samples is not None for e in examples] == [True, True]
    assert main(words, serve) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_count_without_examples_is_no_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("demo", "--count", "2", "--state", str(tmp_path)), serve) == 2
    assert "--examples" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ledger.db", "slots.json", "station.toml"])
def test_a_folder_with_a_ledger_or_with_knowledge_is_no_folder_for_a_demo(tmp_path: Path, name: str) -> None:
    refuse_used(tmp_path)
    refuse_used(tmp_path / "new")
    (tmp_path / name).touch()
    with pytest.raises(BadData, match=name):
        refuse_used(tmp_path)


def unhurried(state_dir: Path) -> Config:
    """Give a configuration whose deadline no machine misses: a bench wants every part judged."""
    config = Config.defaults(state_dir)
    return msgspec.structs.replace(config, recipe=msgspec.structs.replace(config.recipe, deadline_ms=60_000.0))


def test_a_bench_measures_every_hop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("edge_agent.bench.measure.GOOD_RUN", 12)
    monkeypatch.setattr("edge_agent.bench.measure.Config", SimpleNamespace(defaults=unhurried))
    code = main(("bench", "--parts", "5", "--json"), serve)

    said = capsys.readouterr()
    assert code == 0, said.err
    measured = json.loads(said.out)
    assert set(measured) == fields(Measurement)
    assert measured["parts"] == 5
    assert list(measured["hops"]) == [f"{start}-{end}" for start, end in HOPS]
    assert {"trigger-paired", "trigger-decided", "trigger-acted"} <= set(measured["hops"])
    assert measured["hops"]["trigger-acted"]["p50_ms"] >= measured["hops"]["trigger-paired"]["p50_ms"] > 0.0
    assert measured["agent"] == measured["hops"]["paired-committed"]


def line(ending: Ending | None = None, ready: bool = True, lanes: tuple[Any, ...] = ()) -> Line:
    dispatcher = SimpleNamespace(ready=ready, status=lambda now: SimpleNamespace(lanes=lanes))
    agent: Any = SimpleNamespace(dispatcher=dispatcher, supervisor=SimpleNamespace(ending=ending))
    return Line(agent, HandFed(), queue.SimpleQueue(), Ticking())


class Ticking(ManualClock):
    """Each look at it takes five seconds."""

    def now(self) -> float:
        self.advance(5.0)
        return super().now()


def test_a_device_that_never_becomes_ready_is_given_up_with_its_reason() -> None:
    lanes = (SimpleNamespace(reason="openvino/npu: no such device"), SimpleNamespace(reason=""))

    with pytest.raises(DeviceFault, match=r"not ready within 60 s \(openvino/npu: no such device\)") as raised:
        line(ready=False, lanes=lanes).wait_until_ready()
    assert "[engine]" in raised.value.hint


def test_a_part_that_is_never_answered_is_given_up() -> None:
    with pytest.raises(DeviceFault, match="not answered within 60 s"):
        line().judge(CastingLine(1).part(1))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ConfigError("bad bundle"), ConfigError), (DeviceFault("gone"), DeviceFault), (KeyError("a bug"), Unavailable)],
)
def test_an_agent_that_has_ended_says_why(error: Exception, kind: type[EdgeAgentError]) -> None:
    ended = Ending("dispatcher", error, 1)

    with pytest.raises(kind, match="dispatcher: "):
        line(ended, ready=False).wait_until_ready()
    with pytest.raises(kind, match="dispatcher: "):
        line(ended).judge(CastingLine(1).part(1))


def test_a_bench_whose_device_cannot_be_loaded_ends_with_the_reason_and_leaves_nothing_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise ConfigError("this bundle does not fit", hint="name another one")

    config = Config.defaults(tmp_path)
    monkeypatch.setattr("edge_agent.bench.measure.GOOD_RUN", 2)
    monkeypatch.setattr("edge_agent.agent.placed.Encoder", SimpleNamespace(at_spots=refuse, prove=None))
    unclean: list[str] = []
    with pytest.raises(ConfigError, match="this bundle does not fit"):
        measure(config, 1, Progress(disable=True), unclean)
    assert unclean == []


def answered(**times: float | None) -> Part:
    all_times = Times(1.0, 1.01, 1.08, 1.1, 1.11, 1.12, 1.13)
    verdict = Verdict(Outcome.UNSURE, cause="late")
    return Part(Trigger("s", 7, 1.0), verdict, dataclasses.replace(all_times, **times), "default")


def test_each_hop_is_between_its_two_times() -> None:
    hops = hops_of(answered())

    assert list(hops) == [f"{start}-{end}" for start, end in HOPS]
    assert hops["trigger-decided"] == pytest.approx(110.0)
    assert hops["trigger-acted"] == pytest.approx(130.0)
    assert hops["paired-committed"] == pytest.approx(40.0)


def test_a_part_without_all_times_is_said_and_not_passed_over() -> None:
    with pytest.raises(DeviceFault, match=r"part 7 .* never inferred, committed \(UNSURE, late\)"):
        hops_of(answered(inferred_s=None, committed_s=None))
