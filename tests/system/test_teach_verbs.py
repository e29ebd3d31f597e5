"""Teaching as people do it: proposed and proven, promoted by name, taken back; on a running and a stopped station."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import shutil
import threading
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from running_station import judged, running, wait_until

from edge_agent import Station, api
from edge_agent.cli import main
from edge_agent.config import Config, RecipeConfig
from edge_agent.errors import BadData, Unavailable
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.example import Example, pack
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.stage import Stage
from edge_agent.ledger import Reader
from edge_agent.product.lessons import Lessons
from edge_agent.records import Embedding, Frame, VibrationWindow
from edge_agent.runtime.steps import Steps, finished
from edge_agent.verbs.watched import call_watched
from models.castings import CastingLine

pytestmark = pytest.mark.system

LINE = CastingLine(5)


def example(truth: str, index: int, name: str = "") -> Example:
    casting = LINE.example(truth, index)
    return Example(name or f"{truth} {index}", casting.image, casting.samples, casting.rate_hz)


def config(state_dir: Path, *protected: str) -> Config:
    recipe = RecipeConfig(bundle="castings", protected=protected)
    return msgspec.structs.replace(Config.defaults(state_dir), recipe=recipe).resolved(Path())


def good(count: int) -> list[Example]:
    return [example("good", i) for i in range(count)]


def several(truth: str, count: int, start: int = 0) -> list[Example]:
    return [example(truth, start + i) for i in range(count)]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory whose station knows good parts and pits."""
    state_dir = tmp_path_factory.mktemp("begun") / "state"
    with Station(config(state_dir)) as station:
        station.teach("good", good(40))
        station.teach("pit", several("pit", 5))
    return state_dir


@pytest.fixture
def state_dir(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "state"))


def test_nothing_changes_before_somebody_promotes_it(state_dir: Path) -> None:
    with Station(config(state_dir)) as station:
        before = station.recipe.judge.digest
        proposal = station.propose("Kratzer", several("scratch", 5), who="Anna")

        assert station.recipe.judge.digest == before == proposal.proof.digest_before  # type: ignore[union-attr]
        assert not proposal.taught.promoted
        with pytest.raises(BadData, match="waiting to be promoted"):
            station.undo()
    with Station(config(state_dir)) as station:
        assert station.recipe.judge.digest == before
        changed = station.promote("Ben")
        assert (changed.before, changed.after) == (before, station.recipe.judge.digest) != (before, before)
        assert station.recipe.learned.names["kratzer"] == "Kratzer"
        undone = station.undo("Anna")
        assert undone.after == before == station.recipe.judge.digest
        with Reader(state_dir) as reader:
            assert [(row.action, row.slug, row.who) for row in reader.teachings(2)][::-1] == [
                ("teach", "kratzer", "Ben"),
                ("undo", "kratzer", "Anna"),
            ]


def test_what_harms_good_parts_is_refused_and_overruled_only_by_name(state_dir: Path) -> None:
    with Station(config(state_dir)) as station:
        proposal = station.propose("scratch", several("good", 8, start=500), who="Anna")
        assert proposal.proof is not None and [refusal.slug for refusal in proposal.proof.refused] == ["good"]
        with pytest.raises(BadData, match="refused: good"):
            station.promote("Anna")
        changed = station.promote("Ben", overrule=True)
        assert changed.overruled == tuple(refusal.reason for refusal in proposal.proof.refused)
        with Reader(state_dir) as reader:
            rows = [(row.action, row.who, row.sources) for row in reader.teachings(2)]
        assert ("overrule", "Ben", changed.overruled) in rows


def test_forgetting_a_class_gives_the_bytes_of_never_having_taught_it(state_dir: Path) -> None:
    with Station(config(state_dir)) as station:
        before = station.recipe.judge.digest
        station.teach("stain", several("stain", 3))
        station.teach("crack", several("crack", 3))
        station.forget("crack")
        changed = station.forget("stain 0")
        assert changed.sources == ("stain 0",)
        station.forget("stain")
        assert station.recipe.judge.digest == before
        with pytest.raises(BadData, match="nothing was learned that is called"):
            station.forget("stain")


def test_golden_examples_teach_nothing_and_are_asked_about(state_dir: Path) -> None:
    with Station(config(state_dir, "pit")) as station:
        before = station.recipe.learned.knowledge.digest
        kept = station.propose("pit", several("pit", 3, start=50), golden=True)
        assert kept.proof is not None and kept.proof.occasion.change == "keep 3 golden examples of pit"
        station.promote()
        assert station.recipe.learned.knowledge.digest == before
        proposal = station.propose("scratch", several("scratch", 3))
        assert proposal.proof is not None
        assert {recall.slug: recall.asked for recall in proposal.proof.golden} == {"pit": 3}
        assert proposal.proof.occasion.change == "learn scratch from 3 examples"


def test_the_same_class_taught_again_while_it_waits_is_added_to_it(state_dir: Path) -> None:
    with Station(config(state_dir)) as station:
        station.propose("scratch", several("scratch", 2))
        proposal = station.propose("scratch", several("scratch", 3, start=10))
        assert proposal.taught.samples == 5
        with pytest.raises(BadData, match="waiting to be promoted"):
            station.propose("stain", several("stain", 2))
        station.cancel("Ben")
        with Reader(state_dir) as reader:
            (row,) = reader.teachings(1)
        assert (row.action, row.slug, row.who, row.before == row.after) == ("cancel", "scratch", "Ben", True)
        assert station.recipe.learned.knowledge.samples("scratch") == 0


def test_a_sheet_is_of_the_change_that_waits_and_of_no_other(state_dir: Path) -> None:
    """Golden examples leave knowledge as it is, so that two such changes have the same knowledge."""
    with Station(config(state_dir)) as station:
        first = station.propose("pit", several("pit", 2, start=50), golden=True)
        station.cancel()
        second = station.propose("good", several("good", 3, start=300), golden=True)
        assert first.proof is not None and second.proof is not None
        assert first.proof.digest_after == second.proof.digest_after
        assert [recall.slug for recall in first.proof.golden] == ["pit"]
        assert [recall.slug for recall in second.proof.golden] == ["good"]
        assert finished(station.lessons.sheet()) is second.proof


def test_what_could_not_be_promoted_is_refused_before_anything_is_encoded(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Station(config(state_dir)) as station:
        station.propose("scratch", several("scratch", 1))
        monkeypatch.setattr(Encoder, "encode", lambda *arguments: pytest.fail("it was encoded"))
        with pytest.raises(BadData, match="waiting to be promoted"):
            station.propose("stain", several("stain", 1))
        with pytest.raises(BadData, match="waiting to be promoted"):
            station.teach("scratch", several("scratch", 1, start=9))


def test_the_sheet_judges_the_newest_parts_again_and_counts_the_older_ones(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.product.lessons.MAX_PARTS", 3)
    with Station(config(state_dir)) as station:
        for i in range(5):
            casting = LINE.example("good", 600 + i)
            station.judge(Frame(casting.image, 0.0), VibrationWindow(casting.samples, casting.rate_hz, 0.0))
        proposal = station.propose("scratch", several("scratch", 2))
        assert proposal.proof is not None and proposal.proof.shift is not None
        assert (proposal.proof.shift.parts, proposal.proof.shift.older) == (3, 2)


def test_a_running_station_is_taught_proven_promoted_and_taken_back(state_dir: Path) -> None:
    settings = config(state_dir)
    with running(settings) as (agent, socket):
        before = agent.holdings.recipe.judge.digest
        answer = api.call(socket, "teach", {"label": "Kratzer", "who": "Anna"}, pack(several("scratch", 5)))
        assert answer["taught"]["promoted"] is False and answer["proof"]["digest_before"] == before
        assert agent.teacher.stage is Stage.PROPOSED
        assert agent.holdings.recipe.judge.digest == before
        assert api.call(socket, "proof")["digest_after"] == answer["proof"]["digest_after"]

        changed = api.call(socket, "promote", {"who": "Ben"})
        assert agent.holdings.recipe.judge.digest == changed["after"] != before
        wait_until(lambda: judged(state_dir, changed["after"]))
        assert {one["slug"] for one in api.call(socket, "learned")} == {"good", "pit", "kratzer"}
        with pytest.raises(Unavailable, match="no change waits to be promoted"):
            api.call(socket, "promote", {"who": "Ben"})
        assert api.call(socket, "undo", {"who": "Anna"})["after"] == before
    with Reader(state_dir) as reader:
        assert reader.recent(1)[0].knowledge in (before, changed["after"])
        assert {part.knowledge for part in reader.parts()} >= {before, changed["after"]}
        assert [row.who for row in reader.teachings(2)] == ["Anna", "Ben"]


def test_the_next_parts_of_the_line_are_taught_and_a_lesson_can_be_given_up(state_dir: Path) -> None:
    with running(config(state_dir)) as (agent, socket):
        answer = api.call(socket, "teach", {"label": "good", "who": "Anna", "next": 3})
        assert len(answer["taught"]["taught"]) == 3
        assert all(source.startswith("part ") for source in answer["taught"]["taught"])
        assert api.call(socket, "cancel", {"who": "Anna"}) == {"cancelled": "candidate"}

        said: list[Exception] = []

        def teach() -> None:
            try:
                api.call(socket, "teach", {"label": "good", "who": "Anna", "next": 100})
            except BadData as error:
                said.append(error)

        caller = threading.Thread(target=teach)
        caller.start()
        wait_until(lambda: agent.teacher.stage is Stage.COLLECTING)
        with pytest.raises(Unavailable, match="a lesson is being given"):
            api.call(socket, "teach", {"label": "stain", "who": "Ben"}, pack(several("stain", 1)))
        assert api.call(socket, "cancel", {"who": "Ben"}) == {"cancelled": "lesson"}
        caller.join()
        assert "cancelled" in str(said[0])
        assert agent.teacher.stage is Stage.IDLE


def test_a_lesson_is_given_up_while_it_is_proven(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(lessons: Lessons) -> Steps[None]:
        while True:
            yield None

    monkeypatch.setattr(Lessons, "sheet", endless)
    said: list[Exception] = []
    with running(config(state_dir)) as (agent, socket):

        def teach() -> None:
            try:
                api.call(socket, "teach", {"label": "scratch", "who": "Anna"}, pack(several("scratch", 2)))
            except BadData as error:
                said.append(error)

        caller = threading.Thread(target=teach)
        caller.start()
        wait_until(lambda: agent.teacher.stage is Stage.PROPOSING and agent.holdings.recipe.candidate is not None)
        assert api.call(socket, "cancel", {"who": "Ben"}) == {"cancelled": "lesson"}
        caller.join()
        assert "cancelled" in str(said[0])
        assert agent.teacher.stage is Stage.IDLE and agent.holdings.recipe.candidate is None


def test_what_a_colleague_taught_waits_on_when_a_lesson_added_to_it_is_given_up(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(lessons: Lessons) -> Steps[None]:
        while True:
            yield None

    with Station(config(state_dir)) as station:
        station.propose("scratch", several("scratch", 3), who="Anna")
        blobs = sorted(file.name for file in (state_dir / "blobs").rglob("*") if file.is_file())
    with monkeypatch.context() as patched, running(config(state_dir)) as (agent, socket):
        patched.setattr(Lessons, "sheet", endless)

        def teach() -> None:
            with contextlib.suppress(BadData):
                api.call(socket, "teach", {"label": "scratch", "who": "Ben"}, pack(several("scratch", 2, start=50)))

        caller = threading.Thread(target=teach)
        caller.start()
        wait_until(lambda: len(agent.holdings.recipe.candidate.change.sources) == 5)
        assert api.call(socket, "cancel", {"who": "Ben"}) == {"cancelled": "lesson"}
        caller.join()
        assert agent.teacher.stage is Stage.PROPOSED
    assert sorted(file.name for file in (state_dir / "blobs").rglob("*") if file.is_file()) == blobs
    with Station(config(state_dir)) as station:
        assert len(station.lessons.waiting.change.sources) == 3
        station.promote("Anna", overrule=True)
        assert {known.slug: len(known.samples) for known in station.lessons.classes()}["scratch"] == 3


def test_the_lines_parts_are_looked_at_beside_the_loop(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    begin = Lesson.__init__

    def noted(self: Lesson, name: str, examples: list[Example], *arguments: object, **more: object) -> None:
        threads.append(threading.current_thread().name)
        begin(self, name, examples, *arguments, **more)  # type: ignore[arg-type]  # it passes on what it was given

    monkeypatch.setattr(Lesson, "__init__", noted)
    with running(config(state_dir)) as (_, socket):
        api.call(socket, "teach", {"label": "good", "who": "Anna", "next": 2, "now": True})
        with pytest.raises(BadData, match="has 0 letters and digits"):
            api.call(socket, "teach", {"label": "!", "who": "Anna", "next": 2})
    assert threads == ["background"] * 3


def typed(*words: str) -> int:
    return main(words, lambda make: 0)


def written(folder: Path, examples: list[Example]) -> list[str]:
    """Write picture and vibration of each example; give the files, those of one example side by side."""
    files = []
    for one in examples:
        assert one.image is not None
        cv2.imwrite(str(folder / f"{one.source}.png"), one.image)
        np.savez(folder / f"{one.source}.npz", samples=one.samples, rate_hz=one.rate_hz)
        files += [str(folder / f"{one.source}.png"), str(folder / f"{one.source}.npz")]
    return files


def station_file(folder: Path, state_dir: Path) -> tuple[str, str]:
    (folder / "station.toml").write_text(f'[station]\nstate_dir = "{state_dir}"\n[recipe]\nbundle = "castings"\n')
    return "-c", str(folder / "station.toml")


def test_a_refusal_is_said_with_what_to_do_and_overruled_on_record(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = station_file(tmp_path, state_dir)

    assert typed("teach", "scratch", *written(tmp_path, several("good", 8, start=500)), "--yes", *where) == 1
    assert f"refused, and waiting: `edge-agent cancel {shlex.join(where)}` drops it" in capsys.readouterr().out
    assert typed("proof", "--json", *where) == 1
    assert json.loads(capsys.readouterr().out)["refused"][0]["slug"] == "good"
    assert typed("promote", *where) == 1
    assert "refused: good" in capsys.readouterr().err
    assert typed("promote", "--overrule", "--who", "Ben", *where) == 0
    assert "overruled: good" in capsys.readouterr().out


def test_the_verbs_from_examples_to_a_page_and_back(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, where = written(tmp_path, several("scratch", 3)), station_file(tmp_path, state_dir)

    assert typed("teach", "Kratzer", *pictures, "--page", str(tmp_path / "proof.html"), *where) == 0
    said = capsys.readouterr().out
    assert "MAY BE PROMOTED" in said and f"waiting: `edge-agent promote {shlex.join(where)}`" in said
    assert "data:image/png" in (tmp_path / "proof.html").read_text()
    assert typed("proof", *where) == 0
    assert typed("promote", "--who", "Ben", *where) == 0
    assert typed("learned", *where) == 0
    said = capsys.readouterr().out
    assert "Kratzer (kratzer): 3 learned" in said and "scratch 0.png" not in said
    assert typed("learned", "Kratzer", *where) == 0
    said = capsys.readouterr().out
    assert "scratch 0.png" in said and "good" not in said
    assert typed("learned", "dent", *where) == 1
    assert "nothing was learned that is called dent" in capsys.readouterr().err
    assert typed("undo", *where) == 0
    assert typed("undo", *where) == 0
    assert typed("undo", *where) == 0
    assert typed("undo", *where) == 1
    assert "nothing to undo" in capsys.readouterr().err
    assert typed("teach", "Kratzer", *pictures, "--page", str(tmp_path / "no" / "proof.html"), *where) == 1
    assert "there is no folder" in capsys.readouterr().err
    assert typed("proof", *where) == 1
    assert "no change is waiting" in capsys.readouterr().err
    assert typed("teach", "good", *where) == 2
    assert "what should be learned from is not clear" in capsys.readouterr().err
    assert typed("teach", "pit", *pictures, "--now", "--json", *where) == 0
    assert json.loads(capsys.readouterr().out)["taught"]["promoted"] is True
    assert typed("teach", "good", *pictures[:2], *where) == 1
    assert "already an example of pit" in capsys.readouterr().err
    assert typed("teach", "pit", "--next", "3", *where) == 1
    assert "no station runs" in capsys.readouterr().err
    assert typed("teach", "pit", "--part", "1", *where) == 1
    assert "there is no part 1" in capsys.readouterr().err


class Terminal(io.StringIO):
    """A terminal that can be read."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("verb", "arguments", "examples"),
    [("teach", {"label": "scratch", "who": "Anna"}, [("scratch", 1)]), ("forget", {"what": "pit", "who": "Anna"}, [])],
)
def test_a_bar_shows_how_far_the_running_station_is(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, verb: str, arguments: dict[str, str], examples: list
) -> None:
    terminal, seen = Terminal(), threading.Event()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("edge_agent.verbs.watched.PERIOD_S", 0.02)
    look, forget = Lesson.look, Lessons.forget

    def held(lesson: Lesson, embedding: Embedding) -> Embedding:
        if lesson.done == 4:
            seen.wait(120.0)
        return look(lesson, embedding)

    def in_parts(lessons: Lessons, what: str, who: str) -> Steps[object]:
        while not seen.is_set():
            yield 4, 8
        return (yield from forget(lessons, what, who))

    monkeypatch.setattr(Lesson, "look", held)
    monkeypatch.setattr(Lessons, "forget", in_parts)
    body = pack([example(truth, i) for truth, count in examples for i in range(count)]) if examples else b""
    with running(config(state_dir)) as (agent, socket):
        before = {one.slug for one in agent.holdings.lessons.classes()}
        asking = threading.Thread(target=call_watched, args=(socket, verb, arguments, body), kwargs={"title": "so far"})
        asking.start()
        try:
            wait_until(lambda: "so far" in terminal.getvalue() and " 50%" in terminal.getvalue())
        finally:
            seen.set()
            asking.join()
        waits, left = agent.holdings.recipe.candidate, {one.slug for one in agent.holdings.lessons.classes()}
    assert (waits is not None, before - left) == ((True, set()) if verb == "teach" else (False, {"pit"}))
