"""`edge-agent camera` as a person types it: a list, a shot, and one clear line for what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mjpeg_server import MjpegServer

from edge_agent import cli
from edge_agent.sources.camera.device import Device
from edge_agent.verbs import camera as camerawork
from models.castings import CastingLine

pytestmark = pytest.mark.system


def no_agent(make: Callable[[], object]) -> int:
    raise AssertionError("this verb runs no agent")


def run(*words: object) -> int:
    return cli.main([str(word) for word in words], no_agent)


@pytest.fixture
def station(tmp_path: Path) -> Path:
    """A configuration whose camera is a folder of castings."""
    line = CastingLine(3)
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        cv2.imwrite(str(tmp_path / "pictures" / f"{i}.png"), line.part(i + 1).image)
    path = tmp_path / "station.toml"
    path.write_text('[camera]\nname = "front"\ndevice = "pictures"\nfps = 50\n')
    return path


def test_a_shot_is_measured_and_written(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = station.parent / "shot.png"

    assert run("camera", "shot", "-c", station, "--out", out, "--frames", 5) == 0
    said = capsys.readouterr().out
    written = cv2.imread(str(out))
    assert any(np.array_equal(written, cv2.imread(str(p))) for p in (station.parent / "pictures").iterdir())
    assert "5 pictures of 480 x 480, " in said
    assert "nothing wrong with it" in said


def test_as_json_it_says_what_was_asked_and_what_came(station: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("camera", "shot", "-c", station, "--frames", 10, "--json") == 0
    report = json.loads(capsys.readouterr().out)

    assert (report["camera"], report["frames"], report["ignored"], report["faults"]) == ("front", 10, [], [])
    assert 10.0 < report["rate_hz"] < 55.0  # a busy machine gives fewer
    assert report["asked"]["fps"] == report["read_back"]["fps"] == 50.0
    assert 0 < report["brightness"] < 255


def test_what_a_camera_does_otherwise_is_seen_in_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = MjpegServer()
    path = tmp_path / "station.toml"
    path.write_text(f'[camera]\ndevice = "{server.url}"\nfps = 7\n')
    try:
        assert run("camera", "shot", "-c", path, "--frames", 3) == 1
    finally:
        server.close()

    assert "ignored" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("shot",), 2, "edge-agent camera shot -c station.toml"),
        (("shot", "-c", "STATION", "--camera", "top"), 1, "there is front"),
        (("shot", "-c", "STATION", "--out", "no/where/shot.png"), 1, "there is no folder"),
        (("shot", "-c", "NULL"), 78, "is no camera"),
        (("shot", "-c", "NONE"), 78, "no camera is configured"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    station: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    (station.parent / "null.toml").write_text('[camera]\ndevice = "/dev/null"\n')
    (station.parent / "none.toml").write_text("")
    paths = {"STATION": station, "NULL": station.parent / "null.toml", "NONE": station.parent / "none.toml"}

    assert run("camera", *(paths.get(word, word) for word in words)) == code
    assert said in capsys.readouterr().err


def test_a_camera_that_is_away_is_waited_for_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camerawork, "PATIENCE_S", 0.3)
    path = tmp_path / "station.toml"
    path.write_text('[camera]\ndevice = "/dev/v4l/by-id/usb-away"\n')

    assert run("camera", "shot", "-c", path) == 1
    assert "usb-away is not there (plug the camera in" in capsys.readouterr().err


def test_cameras_are_listed_by_the_name_to_configure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Device("/dev/video0", "Front", "/dev/v4l/by-id/usb-Front")
    bad = Device("/dev/video2", "Side", "", "/dev/video2 may not be opened by this user", "put the user into …")
    for found, code in (([good, bad], 0), ([bad], 1), ([], 1)):
        monkeypatch.setattr(camerawork, "list_devices", lambda found=found: found)
        assert run("camera", "list") == code
        assert run("camera", "list", "--json") == code
    output = capsys.readouterr()

    assert "/dev/v4l/by-id/usb-Front  Front  (/dev/video0)\n" in output.out
    assert json.loads(output.out.splitlines()[2])[0]["stable"] == "/dev/v4l/by-id/usb-Front"
    assert "may not be opened by this user (put the user into" in output.err


HUNG = """
import sys, threading
from edge_agent import cli
from edge_agent.verbs import camera as camerawork
from edge_agent.sources.camera import Camera
camerawork.PATIENCE_S = 0.3
Camera.__init__.__defaults__ = (lambda config, clock: threading.Event().wait(),)
sys.exit(cli.main(["camera", "shot", "-c", sys.argv[1]], lambda make: 0))
"""


def test_a_driver_that_hangs_does_not_hold_up_the_end_of_the_program(station: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUNG, station], capture_output=True, text=True, timeout=120, check=False, env=os.environ
    )

    assert done.returncode == 1
    assert "the camera's driver hangs" in done.stderr
