"""`Station` as a Python program uses it, in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent import Station, app
from edge_agent.config import Config
from edge_agent.errors import BadData, Unavailable
from edge_agent.holdings import Holdings
from edge_agent.learning.example import Example
from edge_agent.ledger import EvidenceStore, Reader
from edge_agent.records import Frame, Outcome, Part, VibrationWindow
from edge_agent.runtime.disk import RealDisk
from models.castings import Casting, CastingLine

LINE = CastingLine(5)


def example(truth: str, index: int) -> Example:
    casting = LINE.example(truth, index)
    return Example(f"{truth} {index}", casting.image, casting.samples, casting.rate_hz)


def judge(station: Station, casting: Casting) -> Part:
    return station.judge(
        Frame(casting.image, 0.0), VibrationWindow(casting.samples, casting.rate_hz, 0.0), casting.truth
    )


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.chdir(tmp_path)
    with Station() as opened:
        yield opened


@pytest.mark.system
def test_it_learns_judges_remembers_and_is_corrected(station: Station, tmp_path: Path) -> None:
    station.teach("good", [example("good", i) for i in range(30)])
    taught = station.teach("stain", [example("stain", i) for i in range(5)])
    good, bad = judge(station, LINE.example("good", 100)), judge(station, LINE.example("stain", 100))

    assert (taught.samples, taught.refused) == (5, ())
    assert (bad.verdict.outcome, bad.verdict.label) == (Outcome.NG, "stain")
    assert good.verdict.outcome is not Outcome.NG
    assert [part.id for part in station.parts()] == [good.id, bad.id]
    assert station.label(bad.id, "pit", who="me").operator_label == "pit"
    assert station.label(bad.id, None, who="me").operator_label is None
    with pytest.raises(BadData, match="nobody has said anything"):
        station.label(good.id, None, who="me")
    assert (tmp_path / "state" / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


@pytest.mark.system
def test_what_it_learned_is_there_after_a_restart_and_its_teaching_is_on_record(station: Station) -> None:
    station.teach("good", [example("good", i) for i in range(10)], who="me")
    digest = station.recipe.learned.knowledge.digest
    station.close()

    with Station() as again, Reader(Path("state")) as reader:
        assert again.recipe.learned.knowledge.digest == digest
        assert [(t.slug, t.who, t.after) for t in reader.teachings(5)] == [("good", "me", digest)]


@pytest.mark.system
@pytest.mark.parametrize("closed", [False, True])
def test_what_a_part_was_judged_by_is_found_again_whether_the_station_runs_or_not(
    station: Station, closed: bool
) -> None:
    casting = LINE.example("stain", 100)
    whole, heard = judge(station, casting), station.judge(None, VibrationWindow(casting.samples, 26_667.125, 0.0))
    if closed:
        station.close()
    with Reader(Path("state")) as reader:  # the picture's digest was committed with the second part
        rows = {part.id: part for part in reader.parts()}
    evidence = EvidenceStore(RealDisk(Path("state")))
    png, pair, alone = (evidence.picture(rows[whole.id]), *(evidence.window(rows[p.id]) for p in (whole, heard)))

    assert png is not None
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), casting.image)
    assert evidence.picture(rows[heard.id]) is None
    for found, rate_hz in ((pair, casting.rate_hz), (alone, 26_667.125)):
        assert found is not None
        np.testing.assert_array_equal(found[0], casting.samples)
        assert found[1] == rate_hz


@pytest.mark.system
def test_two_stations_cannot_share_a_state_directory(station: Station) -> None:
    with pytest.raises(Unavailable, match="another process"):
        Station()


@pytest.mark.system
def test_a_part_with_nothing_to_judge_by_is_refused_and_leaves_no_row(station: Station) -> None:
    with pytest.raises(BadData):
        station.judge(None, None)
    with pytest.raises(BadData):
        station.judge(None, VibrationWindow(np.full((2133, 3), np.nan, np.float32), 26667.0, 0.0))
    assert list(station.parts()) == []


class Impatient(Holdings):
    """Holdings whose ledger answers, or fails, before anything else is there."""

    fails = False

    def __init__(self, *arguments, post, on_error, **named) -> None:
        post(lambda: None)
        if self.fails:
            on_error("ledger", KeyError("calls"))
        super().__init__(*arguments, post=post, on_error=on_error, **named)


@pytest.mark.system
@pytest.mark.parametrize("fails", [False, True])
def test_the_ledger_may_answer_or_fail_while_the_rest_is_being_made(tmp_path, monkeypatch, fails: bool) -> None:
    monkeypatch.setattr(app, "Holdings", Impatient)
    monkeypatch.setattr(Impatient, "fails", fails)
    agent = app.build(Config.defaults(tmp_path))
    try:
        assert (agent.supervisor.ending is not None) == fails
    finally:
        assert agent.close() == ()
