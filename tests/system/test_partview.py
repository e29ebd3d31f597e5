"""`why` and `escape` on a small recorded run: beside the running station and on the stopped one, changing nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent import Station, cli
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.config.file import load_config
from edge_agent.errors import BadData
from edge_agent.learning.example import Example
from edge_agent.ledger import Reader
from edge_agent.partview.onlooker import Onlooker
from edge_agent.partview.why import explained
from edge_agent.records import Embedding, Frame, Modality, Outcome, Part, Times, Trigger, Verdict, VibrationWindow
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine

pytestmark = pytest.mark.system

LINE = CastingLine(5)
GOOD = range(1, 13)
"""Numbers of the good parts of the run; then come four stains that are stopped, and a picture and a window alone."""

TOML = '[station]\nstate_dir = "state"\n[recipe]\nbundle = "castings"\n[source.simline]\nparts = 1\n'


def no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")


def run(*words: object) -> int:
    return cli.main([str(word) for word in words], no_agent)


def example(truth: str, index: int) -> Example:
    casting = LINE.example(truth, index)
    return Example(f"{truth} {index}", casting.image, casting.samples, casting.rate_hz)


def judge(station: Station, truth: str, index: int, *, picture: bool = True, window: bool = True) -> Part:
    casting = LINE.example(truth, index)
    heard = VibrationWindow(casting.samples, casting.rate_hz, 0.0) if window else None
    return station.judge(Frame(casting.image, 0.0) if picture else None, heard, truth)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a station that judged some parts, and was stopped."""
    path = tmp_path_factory.mktemp("partview") / "station.toml"
    path.write_text(TOML)
    with Station(path) as station:
        station.teach("good", [example("good", i) for i in range(20)], who="Anna")
        station.teach("stain", [example("stain", i) for i in range(3)], who="Anna")
        for i in GOOD:
            judge(station, "good", 100 + i)
        for i in range(4):
            judge(station, "stain", 100 + i)
        judge(station, "stain", 110, window=False)
        judge(station, "stain", 111, picture=False)
    return path


@pytest.fixture(scope="module")
def stopped(file: Path) -> list[Part]:
    with Reader(file.parent / "state") as reader:
        return [part for part in reader.parts() if part.verdict.outcome is Outcome.NG]


def kept(folder: Path) -> dict[str, str]:
    """Digests of all files but those with which SQLite lets readers in."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm")))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    capsys.readouterr()
    assert run(*words, "--json") == 0
    value: dict[str, object] = json.loads(capsys.readouterr().out)
    return value


def test_a_stain_is_explained_with_picture_heat_map_and_page_and_nothing_is_changed(
    file: Path, stopped: list[Part], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept(file.parent / "state")
    part = stopped[0]
    heat, page = tmp_path / "heat.png", tmp_path / "why.html"

    assert run("why", part.id, "-c", file, "--picture", heat, "--page", page) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"part {part.id}: NG stain")
    assert any("image" in line for line in lines) and any("vibration" in line for line in lines)
    assert any("miss the sum by" in line for line in lines)
    assert any("stain: stain " in line for line in lines)
    assert len(lines) < 30 and max(map(len, lines)) <= 80
    drawn = cv2.imdecode(np.frombuffer(heat.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None and drawn.shape[0] > 384
    assert page.read_text().count("data:image/png") >= 3
    assert kept(file.parent / "state") == before


def test_what_is_not_kept_of_a_good_part_is_said_and_its_shares_come_from_the_embedding(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reader(file.parent / "state") as reader:
        part = next(part for part in reader.parts() if part.verdict.outcome is Outcome.OK and not part.picture)
    value = asked(capsys, "why", part.id, "-c", file)
    told = value["explanation"]

    assert isinstance(told, dict) and isinstance(value["notes"], list)
    assert "its picture and vibration window are not kept" in value["notes"][0]
    assert told["grid"] is None
    assert told["constant"] + sum(told["modalities"].values()) == pytest.approx(told["margin"], rel=1e-9)
    assert run("why", part.id, "-c", file, "--picture", tmp_path / "heat.png") == 1
    assert "there is no heat map of part" in capsys.readouterr().err


def test_a_part_that_was_seen_or_felt_alone_is_explained_by_that(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Reader(file.parent / "state") as reader:
        alone = {tuple(p.embedding.present): p for p in reader.parts() if p.embedding and len(p.embedding.present) == 1}
    for modality, missing in ((Modality.IMAGE, "vibration window"), (Modality.VIBRATION, "picture")):
        part = alone[modality,]
        value = asked(capsys, "why", part.id, "-c", file)
        assert isinstance(value["explanation"], dict) and isinstance(value["notes"], list)
        assert list(value["explanation"]["modalities"]) == [modality]
        assert any(f"judged without its {missing}" in note for note in value["notes"])


def test_after_a_change_of_knowledge_a_part_is_explained_by_what_is_known_now(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text(TOML)
    with Station(path) as station:
        station.teach("good", [example("good", i) for i in range(10)])
        station.teach("stain", [example("stain", i) for i in range(3)])
        part = judge(station, "stain", 100)
        missed = Part(Trigger("a", 1, 0.0), Verdict(Outcome.UNSURE, cause="late"), Times(0.0), "default")
        late = station._committed(missed).id
        assert part.verdict.label == "stain"
        station.forget("stain")
        station.label(part.id, "stain", "Anna")
    onlooker = Onlooker(load_config(path))
    why = explained(onlooker, part.id)

    assert why.changed
    assert why.explanation is not None and why.explanation.label is None  # only good is known
    assert "knowledge has changed since" in why.notes[0]
    assert "the class stain is not known any more" in why.notes
    assert explained(onlooker, late).notes[-1].startswith("nothing of it was judged")
    assert {why.part.operator_label} == {"stain"}


def test_a_part_of_another_bundle_or_recipe_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "station.toml"
    path.write_text(TOML.replace("parts = 1", "parts = 2"))
    with Station(path) as station:
        station.teach("good", [example("good", i) for i in range(4)])
        part = judge(station, "stain", 100)
        assert part.embedding is not None and part.verdict.outcome is not Outcome.OK
        other = Embedding(np.roll(part.embedding.q, 7), part.embedding.present)
        foreign = Part(Trigger("a", 1, 0.0), part.verdict, Times(0.0), "default", embedding=other)
        short = Part(
            Trigger("a", 2, 0.0), part.verdict, Times(0.0), "default", embedding=Embedding(other.q[:9], other.present)
        )
        elsewhere = Part(Trigger("a", 3, 0.0), part.verdict, Times(0.0), "another")
        casting = LINE.example("stain", 100)
        rows = []
        for made in (foreign, short, elsewhere):
            rows.append(station._committed(made).id)
            stored = next(row for row in station.parts() if row.id == rows[-1])
            station.holdings.keep(stored, Frame(casting.image, 0.0), None)
    words = ("apart", "has 9 dimensions", "recipe 'another'")
    for number, word in zip(rows, words, strict=True):
        assert run("why", number, "-c", path) == 1
        assert word in capsys.readouterr().err
    assert run("escape", rows[1], "--class", "scratch", "-c", path) == 1
    assert "another bundle" in capsys.readouterr().err


def test_the_like_of_one_that_got_past_are_listed(
    file: Path, stopped: list[Part], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept(file.parent / "state")
    page = tmp_path / "contain.html"
    value = asked(capsys, "escape", stopped[0].id, "--class", "stain", "-c", file)
    listed = value["listed"]

    assert isinstance(listed, list) and isinstance(value["compared"], int)
    assert 5 <= len(listed) <= value["compared"]
    assert not {row["part"] for row in listed} & {part.id for part in stopped}
    assert run("escape", stopped[0].id, "--class", "Kratzer", "-c", file, "--since", "1h", "--page", page) == 0
    out = capsys.readouterr().out
    assert "did not get past: it was NG" in " ".join(out.split())
    assert f"edge-agent teach -c {file} Kratzer --part {stopped[0].id}" in out
    assert "data:image/png" in page.read_text()
    assert run("escape", stopped[0].id, "--class", "good", "-c", file) == 1
    assert "good is no defect" in capsys.readouterr().err
    assert run("escape", 10**30, "--class", "stain", "-c", file) == 1
    assert "there is no part" in capsys.readouterr().err
    assert kept(file.parent / "state") == before


def test_both_work_beside_a_running_station_and_the_shares_add_up(
    file: Path, stopped: list[Part], capsys: pytest.CaptureFixture[str]
) -> None:
    config: Config = load_config(file)
    clock = SystemClock()
    agent = build(config, clock=clock, supply=SimLine(LINE, 5.0, 0))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(agent.run()))
    thread.start()
    try:
        give_up_s = clock.now() + 120.0
        while not agent.is_up and clock.now() < give_up_s:
            threading.Event().wait(0.05)
        value = asked(capsys, "why", stopped[0].id, "-c", file)
        assert asked(capsys, "escape", stopped[0].id, "--class", "stain", "-c", file)["class"] == "stain"
    finally:
        agent.loop.stop()
        thread.join()
        agent.close()
    told = value["explanation"]

    assert codes == [0]
    assert isinstance(told, dict)
    assert told["constant"] + sum(told["modalities"].values()) == pytest.approx(told["margin"], rel=1e-9)
    assert told["judged"] == pytest.approx(told["margin"], rel=0.05, abs=1.0)
    assert np.sum(told["grid"]) == pytest.approx(told["modalities"]["image"])
    assert value["verdict"] == value["verdict_now"]
    assert value["knowledge"] == value["knowledge_now"] == stopped[0].knowledge
    assert value["notes"] == []


def test_without_a_ledger_both_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("why", 1), ("escape", 1, "--class", "scratch")):
        assert run(*words, "--state", tmp_path) == 1
        assert "no ledger at" in capsys.readouterr().err


def test_damaged_evidence_is_as_good_as_none(file: Path, stopped: list[Part], tmp_path: Path) -> None:
    state = Path(shutil.copytree(file.parent / "state", tmp_path / "state"))
    for picture in (state / "pictures").rglob("*.png"):
        picture.write_bytes(b"no picture")
    path = tmp_path / "station.toml"
    path.write_text(TOML)
    why = explained(Onlooker(load_config(path)), stopped[0].id)

    assert why.image is None
    assert why.explanation is not None and why.explanation.vibration
    assert "its picture is not kept" in why.notes[0]
    with pytest.raises(BadData, match="no part 999"):
        explained(Onlooker(load_config(path)), 999)
