"""Going on with another bundle as people do it: carried over, proven, restarted, and back; beside a line too."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from running_station import judged, running, wait_until

from edge_agent import Station, api
from edge_agent.cli import main
from edge_agent.config import Config, RecipeConfig
from edge_agent.errors import BadData, ConfigError
from edge_agent.holdings import Holdings
from edge_agent.learning.example import Example, pack
from edge_agent.learning.proof import State
from edge_agent.learning.proof.sheet import ProofSheet, Refusal
from edge_agent.ledger import Reader, Receipt
from edge_agent.product.product import Product
from edge_agent.runtime import priority
from edge_agent.runtime.steps import Steps
from edge_agent.verbs import adopt as adoptwork
from models.castings import CastingLine

pytestmark = pytest.mark.system

LINE = CastingLine(5)


def several(truth: str, count: int, start: int = 0) -> list[Example]:
    examples = []
    for i in range(start, start + count):
        casting = LINE.example(truth, i)
        examples.append(Example(f"{truth} {i}", casting.image, casting.samples, casting.rate_hz))
    return examples


def config(state_dir: Path, bundle: str = "generic") -> Config:
    recipe = RecipeConfig(bundle=bundle)
    return msgspec.structs.replace(Config.defaults(state_dir), recipe=recipe).resolved(Path())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory whose station knows good parts and scratches, with `generic`."""
    state_dir = tmp_path_factory.mktemp("begun") / "state"
    with Station(config(state_dir)) as station:
        station.teach("good", several("good", 10))
        station.teach("Kratzer", several("scratch", 3))
    return state_dir


@pytest.fixture
def state_dir(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "state"))


@pytest.fixture(autouse=True)
def asked_for_idle_time(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tests themselves are not to run in idle time only."""
    asked: list[str] = []
    monkeypatch.setattr(priority, "run_when_idle", lambda: asked.append("idle"))
    return asked


def typed(*words: str) -> int:
    return main(words, lambda make: 0)


def station_file(state_dir: Path, bundle: str = "generic") -> tuple[str, str]:
    file = state_dir.parent / f"{bundle}.toml"
    file.write_text(f'[station]\nstate_dir = "{state_dir}"\n[recipe]\nbundle = "{bundle}"\n')
    return "-c", str(file)


def known(config: Config) -> set[tuple[object, ...]]:
    with Station(config) as station:
        return {(e.id, e.label, e.role, e.source, e.who, e.utc) for e in station.recipe.learned.exemplars}


def carried_files(state_dir: Path) -> list[Path]:
    return [path for path in (state_dir / "carried").rglob("*") if path.is_file()]


def test_a_stopped_station_is_carried_over_restarted_and_gone_back_with(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked_for_idle_time: list[str]
) -> None:
    where, castings = station_file(state_dir), station_file(state_dir, "castings")
    before = known(config(state_dir))

    assert typed("adopt", "castings", *where) == 0
    said = capsys.readouterr().out
    assert "13 examples carried over to castings" in said
    assert "judge with castings" in said and "instead of generic" in said
    assert "nothing was written: `--yes` carries it over" in said
    assert carried_files(state_dir) == []
    assert typed("learned", *castings) == 78
    assert re.search(r"edge-agent adopt -c \S+ castings`", capsys.readouterr().err)

    assert typed("adopt", "castings", "--yes", "--who", "Ben", "--page", str(tmp_path / "proof.html"), *where) == 0
    assert 'set [recipe] bundle = "castings" and restart' in capsys.readouterr().out
    assert "judge with castings" in (tmp_path / "proof.html").read_text()
    assert asked_for_idle_time == ["idle", "idle"]
    assert known(config(state_dir)) == before

    assert known(config(state_dir, "castings")) == before
    assert carried_files(state_dir) == []
    with Reader(state_dir) as reader:
        row, event = reader.teachings(1)[0], reader.events(1)[0]
    assert (row.action, row.who, row.before != row.after) == ("adopt", "Ben", True)
    assert event.kind == "bundle_changed" and "by what Ben carried over" in event.message

    assert typed("undo", *castings) == 78
    assert 'set [recipe] bundle to "generic"' in capsys.readouterr().err
    with Station(config(state_dir, "castings")) as station:
        station.teach("stain", several("stain", 1))
    assert known(config(state_dir)) == before
    with Reader(state_dir) as reader:
        assert "it lacks 1 change made since, which `edge-agent adopt` can carry over" in reader.events(1)[0].message
        assert reader.teachings(1)[0].who == "configuration"


def test_what_makes_no_sense_is_refused_and_writes_nothing(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = station_file(state_dir)

    for words, code, said in [
        (("castngs",), 78, "castngs"),
        (("generic",), 1, "judges with generic"),
        (("castings", "--who", ""), 1, "`adopt`"),
        (("castings", "--page", str(tmp_path / "no" / "proof.html")), 1, "there is no folder"),
    ]:
        assert typed("adopt", *words, *where) == code
        assert said in capsys.readouterr().err
    with Station(config(state_dir)) as station:
        station.propose("stain", several("stain", 1))
    assert typed("adopt", "castings", "--yes", *where) == 1
    assert "waiting to be promoted" in capsys.readouterr().err
    assert carried_files(state_dir) == []
    with Station(config(tmp_path / "new")):
        pass
    assert typed("adopt", "castings", "--yes", "--state", str(tmp_path / "new")) == 1
    assert "nothing is known" in capsys.readouterr().err


def proving(monkeypatch: pytest.MonkeyPatch, change: Callable[[ProofSheet], ProofSheet]) -> None:
    prove = adoptwork.prove

    def changed(*states: State, **more: Any) -> Steps[ProofSheet]:
        return change((yield from prove(*states, **more)))

    monkeypatch.setattr(adoptwork, "prove", changed)


def test_a_refused_sheet_is_overruled_only_by_name_and_on_record(
    state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = station_file(state_dir)
    proving(monkeypatch, lambda sheet: replace(sheet, refused=(Refusal("good", "good would suffer."),)))

    assert typed("adopt", "castings", "--yes", *where) == 1
    assert "refused, and nothing was written: `--overrule`" in capsys.readouterr().out
    assert carried_files(state_dir) == []
    assert typed("adopt", "castings", "--overrule", "--who", "Ben", "--json", *where) == 0
    adopted = json.loads(capsys.readouterr().out)["adopted"]
    assert (adopted["carried"], adopted["overruled"]) == (True, ["good would suffer."])
    heard: list[str] = []
    crossed = Holdings._crossed

    def noted(self: Holdings, product: Product, receipt: Receipt) -> None:
        heard.append(receipt.item.action)  # type: ignore[union-attr]  # it is that of a change
        crossed(self, product, receipt)

    monkeypatch.setattr(Holdings, "_crossed", noted)
    with Station(config(state_dir, "castings")):
        pass
    assert heard == ["adopt"], "what was carried over is needed until the change itself is on record"
    with Reader(state_dir) as reader:
        newest = reader.teachings(2)
    rows = {row.action: row for row in newest}
    assert [row.action for row in newest] == ["adopt", "overrule"]
    assert (rows["overrule"].who, rows["overrule"].sources) == ("Ben", ("good would suffer.",))
    assert rows["adopt"].after == adopted["knowledge"]


def test_what_has_changed_since_is_said_and_carried_over_again(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = station_file(state_dir)
    assert typed("adopt", "castings", "--yes", "--json", *where) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["adopted"] | {"seconds": 0, "knowledge": ""} == {
        "bundle": answer["proof"]["occasion"]["bundle"],
        "instead_of": answer["adopted"]["instead_of"],
        "examples": 13,
        "losses": [],
        "knowledge": "",
        "seconds": 0,
        "carried": True,
        "overruled": [],
    }
    with Station(config(state_dir)) as station:
        station.teach("stain", several("stain", 1))

    assert typed("learned", *station_file(state_dir, "castings")) == 78
    said = capsys.readouterr().err
    assert "changed since it was carried over" in said and re.search(r"edge-agent adopt -c \S+ castings` again", said)
    with pytest.raises(ConfigError, match="changed since"):
        Station(config(state_dir, "castings"))
    assert typed("adopt", "castings", "--yes", *where) == 0
    assert "stain" in {label for _, label, *_ in known(config(state_dir, "castings"))}


def test_a_station_that_has_not_started_with_its_bundle_yet_is_started_first(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("adopt", "castings", "--yes", *station_file(state_dir)) == 0

    assert typed("adopt", "steel", *station_file(state_dir, "castings")) == 78
    assert "start it once" in capsys.readouterr().err
    assert carried_files(state_dir)


def test_beside_a_running_station_nothing_of_it_changes_before_the_restart(
    state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = station_file(state_dir)
    with running(config(state_dir)) as (agent, socket):
        before, blobs = agent.holdings.recipe.judge.digest, sorted((state_dir / "blobs").rglob("*"))
        assert typed("adopt", "castings", "--yes", *where) == 0
        assert agent.holdings.recipe.judge.digest == before
        assert sorted((state_dir / "blobs").rglob("*")) == blobs
        wait_until(lambda: judged(state_dir, before))
        capsys.readouterr()

        def teach_meanwhile(sheet: ProofSheet) -> ProofSheet:
            api.call(socket, "teach", {"label": "stain", "who": "Anna", "now": True}, pack(several("stain", 1)))
            return sheet

        kept = {path: path.read_bytes() for path in carried_files(state_dir)}
        proving(monkeypatch, teach_meanwhile)
        assert typed("adopt", "castings", "--yes", *where) == 1
        assert "changed meanwhile" in capsys.readouterr().err
        assert {path: path.read_bytes() for path in carried_files(state_dir)} == kept
        assert api.call(socket, "undo", {"who": "Anna"})["after"] == before
    with running(config(state_dir, "castings")) as (agent, _):
        assert agent.holdings.recipe.bundle.name == "castings"
        assert agent.holdings.recipe.judge.digest != before
        wait_until(lambda: judged(state_dir, agent.holdings.recipe.judge.digest))
    with Reader(state_dir) as reader:
        assert {part.knowledge for part in reader.parts()} >= {before, agent.holdings.recipe.judge.digest}
        assert reader.teachings(1)[0].action == "adopt"
        assert "bundle_changed" in {event.kind for event in reader.events(50)}


def test_parts_that_another_bundle_judged_are_not_ranked_among(state_dir: Path) -> None:
    with Station(config(state_dir)) as station:
        before = station.recipe.judge.digest
        assert before in station.recipe.digests
    assert typed("adopt", "castings", "--yes", *station_file(state_dir)) == 0
    with Station(config(state_dir, "castings")) as station:
        assert station.recipe.digests == {station.recipe.judge.digest}
    with Station(config(state_dir)) as station:
        assert before in station.recipe.digests


def test_examples_whose_pictures_are_gone_are_said_and_end_it_where_none_is_left(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Station(config(state_dir)) as station:
        scratches = [e for e in station.recipe.learned.exemplars if e.label == "kratzer"]
    digests = [digest for e in scratches for digest in (e.picture, e.window)]
    where = station_file(state_dir)
    (state_dir / "blobs/sha256" / digests[0][:2] / digests[0][2:]).write_bytes(b"something else")
    assert typed("adopt", "castings", "--yes", *where) == 0
    assert "left behind: 1 of 3 learned of Kratzer: blobs/sha256/" in capsys.readouterr().out
    for digest in digests[1:]:
        (state_dir / "blobs/sha256" / digest[:2] / digest[2:]).write_bytes(b"something else")

    assert typed("adopt", "castings", "--yes", *where) == 1
    assert "would lose all 3 learned examples of Kratzer" in capsys.readouterr().err


def test_a_start_that_cannot_take_over_leaves_the_ledger_free(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed("adopt", "castings", "--yes", *station_file(state_dir)) == 0
    with monkeypatch.context() as patched:
        patched.setattr("edge_agent.learning.carried.CarriedFolder.copy_to", refuse)
        with pytest.raises(BadData, match="no"):
            Station(config(state_dir, "castings"))

    assert known(config(state_dir, "castings")) == known(config(state_dir))


def refuse(*arguments: object) -> None:
    raise BadData("no")
