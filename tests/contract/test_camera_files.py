"""Cameras in the configuration: what is read, from which file, and what a person hears of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.camera import CameraConfig, DeviceKind
from edge_agent.config.file import check_config, load_cameras, load_config
from edge_agent.errors import ConfigError

SIDE = '[camera]\nname = "side"\ndevice = "/dev/v4l/by-id/usb-side"\n'


def station(folder: Path, text: str = "", *files: str) -> Path:
    names = ", ".join(f'"{file}"' for file in files)
    path = folder / "station.toml"
    path.write_text(f"[source]\ncameras = [{names}]\n{text}")
    return path


def said_of(folder: Path, text: str, *files: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load_config(station(folder, text, *files))
    return refused.value.message


def test_without_a_device_there_is_no_camera(tmp_path: Path) -> None:
    assert load_cameras(load_config(station(tmp_path))) == ()


def test_cameras_are_that_of_the_station_and_those_in_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "pictures").mkdir()
    (tmp_path / "more" / "top.toml").write_text('[camera]\nname = "top"\ndevice = "pictures"\n')
    (tmp_path / "side.toml").write_text(SIDE)
    text = '[camera]\nname = "front"\ndevice = "/dev/video0"\n[recipe]\ncamera = "side"\n'
    path = station(tmp_path, text, "side.toml", "more/top.toml")
    cameras = load_cameras(load_config(path))

    assert check_config(path) == []
    assert [camera.name for camera in cameras] == ["front", "side", "top"]
    assert [camera.kind for camera in cameras] == [DeviceKind.V4L2, DeviceKind.V4L2, DeviceKind.FOLDER]
    assert cameras[2].device == str(tmp_path / "more" / "pictures")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SIDE.replace("side", "main"), "camera.name: .main. is the name of another camera already"),
        (SIDE + "colour = 1\n", "side.toml:4: camera.colour: there is no such key"),
        (SIDE + "[station]\n", r"side.toml:4: station: only \[camera\] belongs in a camera's file"),
        ('[camera]\nname = "side"\n', "camera.device: is not there"),
        (SIDE + "width_px = 640\n", "camera.height_px: width_px and height_px must both be 0, or neither"),
        ("", "camera: is not there"),
        (None, "side.toml: cannot be read"),
    ],
)
def test_a_mistake_in_a_camera_s_file_is_said_with_its_place(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "side.toml").write_text(text)
    path = station(tmp_path, '[camera]\ndevice = "/dev/video0"\n[recipe]\ncamera = "main"\n', "side.toml")

    with pytest.raises(ConfigError, match=said):
        load_config(path)
    assert [problem.line for problem in check_config(path)] == [2]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('device = "rtps://cam/live"', "camera.device: must begin with http, https, rtsp, rtsps, not rtps"),
        ('device = "rtsp:///live"', "camera.device: names no computer"),
        ('device = "rtsp://cam:99999/live"', "camera.device: is no address"),
        ('device = "0"', "camera.device: .*/0. does not exist"),
        ('device = "http://cam/live"\ntrigger = "hardware"', "camera.trigger: must be .free., not .hardware."),
        ('device = "/dev/video0"\nfps = 1', "camera.stall_ms: must be at least two pictures long"),
        ('device = "/dev/video0"\ndelay_ms = 149\nlatency_ms = 1', "camera.delay_ms: must, with latency_ms, be less"),
        ('device = "/dev/video0"\nuncertainty_ms = 9', "camera.uncertainty_ms: must be at most pairing"),
        ('device = "/dev/video0"\nroi.width_px = 8', "camera.roi.height_px: both sides must be 0, or neither"),
        (
            'device = "/dev/video0"\nwidth_px = 64\nheight_px = 48\nroi = {x_px = 60, width_px = 8, height_px = 8}',
            "camera.roi.width_px: x_px . width_px must be at most camera.width_px .64., not 68",
        ),
        ('device = "/dev/video0"\npixel_format = "mjpg"', "camera.pixel_format: must be 4 of A-Z"),
    ],
)
def test_what_cannot_work_is_said_of_its_key(tmp_path: Path, keys: str, said: str) -> None:
    (problem,) = check_config(station(tmp_path, f"[camera]\n{keys}\n"))
    with pytest.raises(ConfigError, match=said):
        load_config(station(tmp_path, f"[camera]\n{keys}\n"))

    assert problem.line is not None


@pytest.mark.parametrize(
    "keys",
    [
        'device = "/dev/v4l/by-id/not-plugged-in"\ntrigger = "hardware"\nfps = 1',
        'device = "rtsp://anna:secret@cam:554/live"',
        "fps = 1\nuncertainty_ms = 900",
    ],
)
def test_what_can_work_is_not_complained_about(tmp_path: Path, keys: str) -> None:
    assert check_config(station(tmp_path, f"[camera]\n{keys}\n")) == []


def test_a_recipe_says_which_of_several_cameras_it_is_seen_by(tmp_path: Path) -> None:
    (tmp_path / "side.toml").write_text(SIDE)
    two = '[camera]\ndevice = "/dev/video0"\n'

    assert "recipe.camera: must say which camera" in said_of(tmp_path, two, "side.toml")
    assert 'no camera "top" is configured' in said_of(tmp_path, two + '[recipe]\ncamera = "top"\n', "side.toml")
    assert 'there is "main"' in said_of(tmp_path, two + '[recipe]\ncamera = "top"\n')
    unseen = two + '[recipe]\nmodalities = ["vibration"]\n'
    assert check_config(station(tmp_path, unseen, "side.toml")) == []


def test_recipes_in_files_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "bolts.toml").write_text('[recipe]\nname = "bolts"\ncamera = "top"\n')
    path = station(tmp_path, '[camera]\ndevice = "/dev/video0"\n[station]\nrecipes = ["bolts.toml"]\n')

    assert ["bolts.toml:3: recipe.camera: no camera" in problem.reason for problem in check_config(path)] == [True]


def test_a_password_is_not_shown() -> None:
    assert CameraConfig(device="rtsp://anna:p@ss@cam:554/live").shown_device == "rtsp://cam:554/live"
