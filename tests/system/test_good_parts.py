"""A station that knows good parts alone: it finds a small defect, says where it is, and forgets a part to the byte."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge_agent import cli
from edge_agent.config import Config
from edge_agent.config.file import load_config
from edge_agent.errors import Unavailable
from edge_agent.learning.example import Example
from edge_agent.learning.store import KnowledgeStore
from edge_agent.records import Frame, Outcome, Part
from edge_agent.station import Station
from models.castings import CastingLine

LINE = CastingLine(31)
GOOD = 120
FAINT = 0.4

TOML = '[station]\nstate_dir = "state"\n[recipe]\nmodalities = ["image"]\n[source.simline]\nparts = 1\n'


def examples(numbers: Sequence[int]) -> list[Example]:
    return [Example(f"good {i}", LINE.example("good", i).image) for i in numbers]


def judged(station: Station, truth: str, index: int, severity: float | None = None) -> Part:
    return station.judge(Frame(LINE.example(truth, index, severity).image, 0.0), None, truth)


def config(folder: Path, *, detail: bool = True) -> Config:
    path = folder / "station.toml"
    path.write_text(TOML)
    loaded = load_config(path)
    recipe = msgspec.structs.replace(loaded.recipe, normality=detail, guided=detail)
    return msgspec.structs.replace(loaded, recipe=recipe)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped station that learned good parts, with scratches it has judged."""
    folder = tmp_path_factory.mktemp("good")
    with Station(config(folder)) as station:
        station.teach("good", examples(range(GOOD)), who="Anna")
        for i in range(6):
            judged(station, "scratch", i)
    return folder


def test_scratches_are_stopped_that_the_embedding_alone_lets_pass(line: Path) -> None:
    answers, left = {}, ""
    for detail in (True, False):
        with Station(config(line, detail=detail)) as station:
            assert (station.recipe.learned.guiding is not None) == detail
            assert (
                not left or station.holdings.found_knowledge == left != station.holdings.knowledge_state()
            )  # the start changed it
            left = station.holdings.knowledge_state()
            parts = [judged(station, "scratch", i, severity=FAINT) for i in range(12)]
            good = [judged(station, "good", 1000 + i) for i in range(12)]
        answers[detail] = sum(p.verdict.outcome is not Outcome.OK for p in parts)
        assert sum(p.verdict.outcome is Outcome.OK for p in good) >= 10

    assert answers[True] > answers[False] + 2
    with Station(config(line)) as station:
        pass
    with station.reader() as reader:
        looks = [event.message for event in reader.events(500) if event.kind == "look_changed"]
        rows = [row.action for row in reader.teachings(50)]
    assert sorted(looks) == [
        "pictures are looked at as a whole from now on",
        "pictures are looked at where they are unlike good ones from now on",
    ]
    assert rows.count("look") == 2


def test_a_full_disk_ends_no_start_that_can_do_without_it(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> bool:
        raise Unavailable("no space left")

    monkeypatch.setattr(KnowledgeStore, "settle", full)
    with Station(config(line)) as station:
        assert station.recipe.learned.good is not None
    with station.reader() as reader:
        (said,) = [event.message for event in reader.events(500) if event.kind == "details_unstored"]
    assert said.endswith("the next start tries again: no space left")
    with pytest.raises(Unavailable), Station(config(line, detail=False)):
        pass


def test_where_it_is_unlike_good_parts_is_shown(line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Station(config(line)) as station:
        part = next(p for p in station.parts() if p.picture and p.verdict.outcome is not Outcome.OK)
    heat = tmp_path / "heat.png"
    words = ["why", str(part.id), "-c", str(line / "station.toml"), "--picture", str(heat)]

    assert cli.main(words, _no_agent) == 0
    said = capsys.readouterr().out
    assert "where the picture is unlike good parts" in said
    assert "spreads unlike good parts" in said
    assert cv2.imdecode(np.frombuffer(heat.read_bytes(), np.uint8), cv2.IMREAD_COLOR) is not None


def test_what_is_stored_with_a_part_judges_it_again_the_same(line: Path) -> None:
    with Station(config(line)) as station:
        part = judged(station, "scratch", 3)
        with station.reader() as reader:
            stored = reader.part(part.id).embedding
        again = station.recipe.judge.judge(stored)
        by_embedding = station.recipe.judge.judge(replace(stored, anomaly=None))

    assert stored.details is None and stored.anomaly is not None and stored.anomaly.picture is not None
    assert (again.outcome, again.p_normal) == (part.verdict.outcome, part.verdict.p_normal)
    assert by_embedding.score != again.score


def test_a_forgotten_good_part_was_never_known_in_detail(tmp_path: Path) -> None:
    known = []
    for name, numbers in (("all", range(8)), ("fewer", range(6))):
        folder = tmp_path / name
        folder.mkdir()
        with Station(config(folder)) as station:
            station.teach("good", examples(numbers), who="Anna")
            for i in {6, 7} & set(numbers):
                station.forget(f"good {i}", "Anna")
            known.append((station.recipe.learned.knowledge.digest, station.recipe.learned.good.normality.digest))
            state = folder / "state"
    assert state.is_dir()
    assert known[0] == known[1]


def _no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")
