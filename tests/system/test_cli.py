"""The verbs as a person types them, with good input and with bad: one clear line for each thing that is wrong."""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from status_values import status_of

from edge_agent import api, cli
from edge_agent.agent.status import Trouble
from edge_agent.config import Config
from edge_agent.errors import BadData, Unavailable
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.example import unpack
from edge_agent.learning.label import slug_of
from edge_agent.learning.outcome import Changed, Proposal, Taught
from edge_agent.records import Frame
from edge_agent.station import Station
from edge_agent.verbs import gather
from edge_agent.verbs import teach as teachwork
from edge_agent.verbs.parts import parse_since
from models.bundle import shipped_bundle
from models.castings import CastingLine

LINE = CastingLine(77)
pytestmark = pytest.mark.system


def no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")


def run(*words: object) -> int:
    return cli.main([str(word) for word in words], no_agent)


def write_parts(folder: Path, truth: str, count: int, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + count):
        casting = LINE.example(truth, i)
        cv2.imwrite(str(folder / f"{truth}_{i:03d}.png"), casting.image)
        np.savez(folder / f"{truth}_{i:03d}.npz", samples=casting.samples, rate_hz=casting.rate_hz)
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory that knows good parts and two defects."""
    folder = tmp_path_factory.mktemp("taught")
    state = folder / "state"
    for truth, count in (("good", 60), ("stain", 5), ("crack", 5)):
        assert run("teach", truth, write_parts(folder / truth, truth, count), "--yes", "--state", state) == 0
    return state


def test_a_taught_station_tells_good_from_bad(taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_parts(tmp_path / "new", "good", 5, first=100)
    write_parts(tmp_path / "new", "stain", 5, first=100)

    assert run("inspect", tmp_path / "new", "--state", taught, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    outcomes = {Path(line["source"]).name[:4]: [] for line in lines}
    for line in lines:
        outcomes[Path(line["source"]).name[:4]].append(line["verdict"]["outcome"])
    assert outcomes["stai"].count("NG") >= 4
    assert "NG" not in outcomes["good"]
    assert outcomes["good"].count("OK") >= 3


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def damage(folder: Path) -> dict[str, str]:
    """Make one of each bad file; give what must be said about each."""
    image = LINE.example("good", 0).image
    good, jpeg = cv2.imencode(".jpg", image)
    assert good
    (folder / "cut.jpg").write_bytes(jpeg.tobytes()[: len(jpeg) // 2])
    (folder / "text.png").write_text("not a picture")
    (folder / "none.png").write_bytes(png(0, 0))
    (folder / "huge.png").write_bytes(png(20_000, 20_000))
    (folder / "empty.bmp").write_bytes(b"")
    samples = LINE.example("good", 0).samples
    nan = samples.copy()
    nan[5] = np.nan
    np.savez(folder / "nan.npz", samples=nan, rate_hz=26667.0)
    np.savez(folder / "short.npz", samples=samples[:100], rate_hz=26667.0)
    return {
        "cut.jpg": "cut.jpg",
        "text.png": "text.png",
        "none.png": "none.png",
        "huge.png": "20000",
        "empty.bmp": "empty.bmp",
        "nan.npz": "nan.npz",
        "short.npz": "short.npz",
    }


def test_each_bad_file_gets_one_line_and_the_rest_goes_on(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = damage(tmp_path)
    write_parts(tmp_path, "good", 1, first=200)

    assert run("inspect", tmp_path, "--state", taught) == 0
    out, err = capsys.readouterr()
    assert "1 judged, 7 could not be" in out
    assert len(err.splitlines()) == len(said)
    assert all(any(word in line for line in err.splitlines()) for word in said.values()), err
    assert "Traceback" not in err


def test_a_picture_that_is_too_bad_to_judge_by_is_said_to_be_so(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "night.png"), np.zeros((64, 64, 3), np.uint8))

    assert run("inspect", tmp_path, "--state", taught) == 1
    assert "night.png: its picture is dark" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["grey", "16 bit", "alpha"])
def test_a_picture_of_another_kind_is_judged_as_what_it_shows(
    taught: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image = LINE.example("good", 300).image
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    converted, plain = {
        "grey": (grey, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)),
        "16 bit": (image.astype(np.uint16) * 257, image),
        "alpha": (np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]), image),
    }[kind]
    cv2.imwrite(str(tmp_path / "converted.png"), converted)
    cv2.imwrite(str(tmp_path / "plain.png"), plain)
    assert (tmp_path / "converted.png").read_bytes() != (tmp_path / "plain.png").read_bytes()

    assert run("inspect", tmp_path, "--state", taught, "--json") == 0
    first, second = (json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines())
    assert first == second


def test_a_part_with_one_unreadable_file_is_judged_by_the_other_and_never_ok(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parts(tmp_path, "good", 6, first=100)
    pictures = sorted(tmp_path.glob("*.png"))
    assert run("inspect", *pictures, "--state", taught, "--json") == 0
    alone = [json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines()]
    assert "OK" in [verdict["outcome"] for verdict in alone]
    for window in tmp_path.glob("*.npz"):
        window.write_text("no archive")

    assert run("inspect", tmp_path, "--state", taught) == 0
    out, err = capsys.readouterr()
    assert "6 judged" in out and "could not" not in out
    assert [line.split(": ")[1] for line in err.splitlines()] == [str(p.with_suffix(".npz")) for p in pictures]
    assert run("inspect", tmp_path, "--state", taught, "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for verdict, whole in zip((line["verdict"] for line in lines[:6]), alone, strict=True):
        assert verdict["degraded"] == ["no_window"]
        assert verdict["label"] == whole["label"]
        if whole["outcome"] == "OK":
            assert (verdict["outcome"], verdict["cause"]) == ("UNSURE", "degraded")
    assert [set(line) for line in lines[6:]] == [{"error", "hint"}] * 6


@pytest.fixture
def station(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A running station that takes two batches and then refuses; gives the sources of each batch and of what was read.

    The last entries of a batch say how many pictures had been read when it came, and how many are said to follow.
    """
    batches: list[list[str]] = []
    reads: list[Path] = []
    read_picture = gather.read_picture

    def read(path: Path) -> object:
        reads.append(path)
        return read_picture(path)

    def call(path: Path, name: str, arguments: Mapping[str, object], body: bytes) -> object:
        if len(batches) == 2:
            raise Unavailable("the station is stopping", hint="try again when it runs")
        sources = [example.source for example in unpack(body)]
        batches.append([*sources, f"{len(reads)} read", f"{arguments['following']} follow"])
        taught = Taught(str(arguments["label"]), tuple(sources), (), 9, 0, "", 1.0, promoted=False)
        return msgspec.to_builtins(Proposal(taught, None))

    monkeypatch.setattr(gather, "read_picture", read)
    monkeypatch.setattr(api, "is_listening", lambda path: True)
    monkeypatch.setattr(api, "call", call)
    monkeypatch.setattr(teachwork, "BATCH_BYTES", 2 * LINE.example("pit", 0).image.nbytes + 10)
    return batches


def write_pictures(folder: Path, count: int) -> list[str]:
    paths = [folder / f"{i}.png" for i in range(count)]
    for i, path in enumerate(paths):
        cv2.imwrite(str(path), LINE.example("pit", i).image)
    return [str(path) for path in paths]


def write_pictures_of(folder: Path, truth: str) -> None:
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "0.png"), LINE.example(truth, 0).image)


def test_a_running_station_is_taught_in_batches_that_are_read_one_at_a_time(
    station: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = write_pictures(tmp_path, 4)

    assert run("teach", "pit", tmp_path, "--state", tmp_path, "--json") == 0
    assert station == [[*paths[:2], "3 read", "2 follow"], [*paths[2:], "4 read", "0 follow"]]
    assert json.loads(capsys.readouterr().out)["taught"]["taught"] == paths


def test_when_a_later_batch_fails_it_is_said_what_was_learned_before(
    station: list[list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path, 5)

    assert run("teach", "pit", tmp_path, "--state", tmp_path) == 1
    said = "edge-agent: 4 examples of pit were taken, then: the station is stopping\n  try again when it runs\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "crak",
            ["nobody has taught a class crak yet; the word is recorded (if crack is meant: ", "crack)"],
        ),
        ("dross", ["nobody has taught a class dross yet", "(`edge-agent learned --state ", "` lists the classes)"]),
        ("crack", []),
        ("Crack", []),
        (" crack!", []),
    ],
    ids=["typing error", "new", "known", "in capitals", "as a person writes it"],
)
def test_a_word_that_names_no_taught_class_is_recorded_and_said(
    taught: Path, word: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with Station(Config.defaults(taught)) as station:
        part = station.judge(Frame(LINE.example("good", 700).image, 0.0))
    capsys.readouterr()

    assert run("label", part.id, word, "--state", taught) == 0
    out, err = capsys.readouterr()
    assert out == f"part {part.id}: {slug_of(word)}\n"
    assert all(words in err for words in said) and bool(err) == bool(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("label", 0, "good"), "part"),
        (("label", 1, "x" * 81), "label"),
        (("label", 1, "good", "--who", "x" * 81), "who"),
        (("teach", "good", ".", "--who", ""), "who"),
        (("teach", "x" * 81, "."), "label"),
    ],
    ids=["no part", "label", "who", "nobody", "long label"],
)
def test_a_stopped_station_refuses_what_a_running_one_refuses(
    taught: Path, words: tuple[object, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words, "--state", taught) == 2
    line, hint = capsys.readouterr().err.splitlines()
    assert f"`: {said}: " in line
    assert not set("$^") & set(line)
    assert hint == "  see docs/commands.md"


def test_a_change_that_an_older_release_made_is_called_by_its_slug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edge_agent.verbs.learned.change", lambda *_, **__: Changed("forget", "pit_mark", (), "a", "b"))

    assert run("forget", "pit_mark", "--state", tmp_path) == 0
    assert capsys.readouterr().out.startswith("forgot pit_mark\n")


@pytest.mark.parametrize("part", [2**63, 2**64, 10**30])
@pytest.mark.parametrize("word", ["good", "--confirm", "--undo"])
def test_a_number_that_no_part_can_have_is_one_line(
    taught: Path, part: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("label", part, word, "--state", taught) == 2
    line, hint = capsys.readouterr().err.splitlines()
    assert "part" in line and "SQLite" not in line
    assert hint


@pytest.mark.parametrize("verb", ["inspect", "teach", "evaluate", "bench", "demo"])
def test_ctrl_c_is_one_line_and_releases_the_engines(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed: list[Encoder] = []
    close = Encoder.close

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    def closing(encoder: Encoder) -> None:
        closed.append(encoder)
        close(encoder)

    monkeypatch.setattr(Encoder, "encode", interrupt)
    monkeypatch.setattr(Encoder, "close", closing)
    for truth in ("good", "stain"):
        write_parts(tmp_path / truth, truth, 2)
    words = {
        "inspect": (tmp_path / "good", "--state", tmp_path),
        "teach": ("good", tmp_path / "good", "--state", tmp_path),
        "evaluate": (tmp_path, "--shots", 1),
        "bench": ("--parts", 1),
        "demo": ("--state", tmp_path),
    }[verb]

    assert run(verb, *words) == 130
    out, err = capsys.readouterr()
    said = {"bench": "this measures for some minutes", "inspect": "was taught nothing: it is sure of no part"}
    *before, last = err.splitlines()
    assert (out, last) == ("", "edge-agent: interrupted") and len(before) == (verb in said)
    assert all(said[verb] in line for line in before)
    assert len(closed) == 1


def test_a_line_is_judged_where_nobody_can_ask_how_it_is_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    station = tmp_path / "station.toml"
    station.write_text('api.socket = "none/a.sock"\n')
    served: list[object] = []

    assert cli.main(["run", "-c", str(station)], lambda make: served.append(make) or 0) == 0
    assert served and "api.socket" in capsys.readouterr().err
    assert run("check", "-c", station) == 78


def test_nothing_but_bad_files_is_a_failure(taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    damage(tmp_path)

    assert run("inspect", tmp_path, "--state", taught) == 1
    assert "0 judged" in capsys.readouterr().out


def test_an_empty_folder_and_a_wrong_path_are_named(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("inspect", tmp_path, "--state", taught) == 1
    assert "no pictures and no vibration files" in capsys.readouterr().err
    assert run("teach", "pit", tmp_path / "nowhere", "--state", taught) == 1
    assert "no such file or folder" in capsys.readouterr().err


def test_a_class_that_has_no_slug_is_refused_and_nothing_is_learned(
    taught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (taught / "slots.json").read_bytes()

    assert run("teach", "Царапина", write_parts(tmp_path, "pit", 1), "--state", taught) == 1
    assert "letters that are not Latin" in capsys.readouterr().err
    assert (taught / "slots.json").read_bytes() == before


def flip_a_byte(folder: Path) -> None:
    data = bytearray((folder / "image.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "image.onnx").write_bytes(data)


def edit(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / "manifest.toml").read_text()
        assert old in text
        (folder / "manifest.toml").write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (flip_a_byte, "image.onnx: SHA-256"),
        (lambda folder: (folder / "vibration.onnx").unlink(), "vibration.onnx: missing"),
        (edit("shape = [1, 3, 320, 320]", "shape = [1, 3, 224, 224]"), "golden.npz: want (16, 1, 3, 224, 224)"),
        (edit("manifest = 3", "manifest = 99"), "manifest.toml: manifest version 99 is newer"),
    ],
    ids=["flipped byte", "missing part", "wrong shape", "newer manifest"],
)
def test_a_bundle_that_is_not_as_declared_is_refused_by_name(
    tmp_path: Path, harm: Callable[[Path], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "generic"
    shutil.copytree(shipped_bundle("generic"), folder)
    harm(folder)
    (tmp_path / "station.toml").write_text('[recipe]\nbundle = "./generic"\n')

    assert run("inspect", write_parts(tmp_path / "parts", "good", 1), "-c", tmp_path / "station.toml") == 78
    assert f"bundle generic: {said}" in capsys.readouterr().err


def test_evaluate_says_what_it_leaves_out_and_counts_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for truth, count in (("good", 6), ("stain", 6), ("pit", 2)):
        write_parts(tmp_path / truth, truth, count)
    for i in range(6):  # numbers far apart, so that no picture is a neighbour of an example
        for truth in ("good", "stain"):
            (tmp_path / truth / f"{truth}_{i:03d}.png").rename(tmp_path / truth / f"{i * 10:03d}.png")
    (tmp_path / "good" / "900.png").write_text("no picture")
    (tmp_path / "empty").mkdir()

    assert run("evaluate", tmp_path, "--shots", 3, "--episodes", 2, "--json") == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["tested"] == 2 * 2 * 3
    assert set(report["recall"]) == {"good", "stain"}
    assert {"mean", "low", "high"} == set(report["balanced_accuracy"])
    assert len(report["left_out"]) == len(err.splitlines()) == 3
    assert run("evaluate", tmp_path, "--shots", 6, "--json") == 1
    assert "fewer than two classes" in capsys.readouterr().err


def test_a_configuration_with_errors_is_named_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "station.toml"
    path.write_text("[source.simline]\nparts_per_s = 500\nsede = 3\n[engine]\nthreads = 'two'\n")

    assert run("check", "-c", path) == 78
    assert [line.split(": ")[0].rsplit(":", 1)[1] for line in capsys.readouterr().out.splitlines()] == ["2", "3", "5"]
    assert run("run", "-c", path) == 78
    assert "simline.seed" in capsys.readouterr().err


def test_status_without_a_station_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("status", "--state", tmp_path) == 1
    assert "edge-agent run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("troubles", "said"),
    [
        ((Trouble("disk", "the ledger cannot be written: no space", "make room"),), "no answer: the ledger cannot"),
        ((Trouble("untaught", "nothing is known"),), "no answer\n"),
    ],
)
def test_a_word_that_is_not_recorded_says_where_the_disk_is_why(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    troubles: tuple[Trouble, ...],
    said: str,
) -> None:
    def call(path: Path, name: str, arguments: object = None) -> object:
        if name == "label":
            raise Unavailable("no answer")
        return msgspec.to_builtins(dataclasses.replace(status_of(), troubles=troubles))

    monkeypatch.setattr(api, "is_listening", lambda path: True)
    monkeypatch.setattr(api, "call", call)

    assert run("label", 3, "pit", "--state", tmp_path) == 1
    assert said in capsys.readouterr().err


def test_a_word_that_is_taken_back_warns_of_no_class(taught: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Station(Config.defaults(taught)) as station:
        part = station.judge(Frame(LINE.example("good", 701).image, 0.0))
    for word in ("dross", "crack"):
        assert run("label", part.id, word, "--state", taught) == 0
    capsys.readouterr()

    assert run("label", part.id, "--undo", "--state", taught) == 0
    assert capsys.readouterr() == (f"part {part.id}: dross\n", "")


@pytest.mark.parametrize("words", [(), ("--json",)])
@pytest.mark.parametrize(("troubles", "code"), [((), 0), ((Trouble("no_device", "none works", ""),), 1)])
def test_status_says_by_its_code_whether_something_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], troubles: tuple[Trouble, ...], code: int
) -> None:
    status = dataclasses.replace(status_of(), troubles=troubles)
    monkeypatch.setattr(api, "call", lambda path, name: msgspec.to_builtins(status))

    assert run("status", "--state", tmp_path, *words) == code


@pytest.mark.parametrize("words", [(), ("--good-only",)])
def test_a_bundle_is_looked_for_from_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    for truth in ("good", "pit"):
        write_pictures_of(tmp_path / "parts" / truth, truth)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)

    assert run("evaluate", "parts", "--bundle", "./mine", *words) == 78
    assert str(tmp_path / "mine") in capsys.readouterr().err


def test_when_is_a_date_a_time_or_how_long_ago() -> None:
    assert parse_since("8h", 100_000.0) == 100_000.0 - 8 * 3600
    assert parse_since("2026-11-24T06:00+00:00", 0.0) == 1795500000.0
    with pytest.raises(BadData):
        parse_since("yesterday", 0.0)
