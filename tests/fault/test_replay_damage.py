"""Recordings with missing, damaged and hostile files: the part suffers, the run goes on, and somebody hears of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from edge_agent.config import ImageHealthConfig, ReplayConfig
from edge_agent.errors import ConfigError
from edge_agent.records import Event
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.count import TriggerCount
from edge_agent.sources.feed import Feed
from edge_agent.sources.imagehealth import ImageHealth
from edge_agent.sources.recording import INDEX, write_recording
from edge_agent.sources.replay import Replay
from edge_agent.sources.schedule import Material
from edge_agent.testing.clock import ManualClock

RNG = np.random.default_rng(8)
IMAGE = RNG.integers(0, 255, (40, 60, 3), np.uint8)
SAMPLES = RNG.normal(0, 5, (300, 3)).astype(np.float32)


def parts(n: int) -> Iterable[Material]:
    return (Material(i / 5.0, IMAGE, 0.010, SAMPLES, 26_667.0, "good") for i in range(n))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_recording(tmp_path / "line", parts(3))
    return tmp_path / "line"


def replayed(folder: Path) -> tuple[list[Material], list[Event], Replay]:
    events: list[Event] = []
    replay = Replay(ReplayConfig(str(folder)), ManualClock(), events.append)
    replay.open(1)
    return list(iter(replay.take, None)), events, replay


def test_a_whole_recording_makes_no_noise(folder: Path) -> None:
    found, events, replay = replayed(folder)

    assert all(part.image is not None and part.samples is not None for part in found)
    assert (len(found), events, replay.unusable) == (3, [], 0)


def test_a_missing_picture_costs_its_part_the_picture(folder: Path) -> None:
    (folder / "pictures/000002.png").unlink()

    found, (event,), replay = replayed(folder)

    assert [part.image is None for part in found] == [False, True, False]
    assert all(part.samples is not None for part in found)
    assert replay.unusable == 1
    assert (event.severity, event.component, event.kind) == ("warning", "replay", "unusable_recording")
    assert "line 3" in event.message
    assert "pictures/000002.png" in event.message
    assert event.data == {"line": 3, "file": "pictures/000002.png"}


def test_damaged_files_cost_their_parts_what_they_held(folder: Path) -> None:
    picture = folder / "pictures/000001.png"
    picture.write_bytes(picture.read_bytes()[:-100])
    (folder / "vibration/000001.npz").write_bytes(b"junk")
    (folder / "vibration/000003.npz").unlink()

    found, events, replay = replayed(folder)

    assert [(part.image is None, part.samples is None) for part in found] == [
        (True, True),
        (False, False),
        (False, True),
    ]
    assert replay.unusable == len(events) == 3


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    (folder / "pictures/000001.png").rename(secret)
    (folder / "pictures/000001.png").symlink_to(secret)

    found, (event,), _ = replayed(folder)

    assert found[0].image is None
    assert "leads out of the recording" in event.message


def test_the_index_alone_would_not_see_the_link(folder: Path, tmp_path: Path) -> None:
    """The wrong way, to look for `..` in names only, finds nothing here."""
    assert ".." not in (folder / INDEX).read_text()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda index: index.unlink(), "cannot be read"),
        (lambda index: index.write_bytes(b"\xff\xfe\0"), "not UTF-8"),
        (lambda index: index.write_text("time_s,picture,vibration\nx,a.png,\n0,../b.png,\n"), "line 2: .*\n.*line 3: "),
    ],
)
def test_an_index_with_errors_is_a_wrong_configuration(folder: Path, spoil, message: str) -> None:
    spoil(folder / INDEX)

    with pytest.raises(ConfigError, match=message) as caught:
        replayed(folder)
    assert all(line.startswith(f"{folder / INDEX}: ") for line in caught.value.message.splitlines())


def test_a_recording_is_not_written_over_another(folder: Path) -> None:
    with pytest.raises(ConfigError, match="not empty"):
        write_recording(folder, parts(1))


def test_parts_without_increasing_times_are_not_written(tmp_path: Path) -> None:
    for due_s in (None, 0.0):
        spoilt = [*parts(1), Material(due_s, IMAGE, 0.010, None, 0.0, None)]
        with pytest.raises(ValueError, match="part 2 is due at"):
            write_recording(tmp_path / str(due_s), spoilt)


def test_files_are_read_when_their_part_is_near_and_not_before(folder: Path) -> None:
    replay = Replay(ReplayConfig(str(folder)), ManualClock(), lambda event: None)
    replay.open(1)
    replay.take()
    (folder / "pictures/000003.png").unlink()
    replay.take()

    last = replay.take()
    assert last is not None
    assert last.image is None


class BrokenSupply:
    """A supply with a bug."""

    name = "broken"
    counts_anew = False
    unusable = 0

    def open(self, first: int) -> None:
        self.first = first

    def take(self) -> Material | None:
        raise KeyError("bug")


def test_what_ends_the_thread_is_raised_where_somebody_looks() -> None:
    ended = threading.Event()
    feed = Feed(
        BrokenSupply(), TriggerCount(None, lambda: "a"), SystemClock(), ImageHealth(ImageHealthConfig()), ended.set
    )
    feed.open()

    assert ended.wait(5.0)
    with pytest.raises(KeyError):
        feed.check()
    assert not feed.finished()
    feed.close()


def test_a_failed_open_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    (folder / INDEX).unlink()
    feed = Feed(
        Replay(ReplayConfig(str(folder)), ManualClock(), lambda event: None),
        TriggerCount(tmp_path / "triggers", lambda: "a"),
        SystemClock(),
        ImageHealth(ImageHealthConfig()),
    )
    for _ in range(2):
        with pytest.raises(ConfigError):
            feed.open()
        feed.close()
