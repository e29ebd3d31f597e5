"""The verb that looks at cameras before a line does: `camera`. It records nothing."""

from __future__ import annotations

import os
import statistics
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import cv2

from edge_agent.config import Config
from edge_agent.config.camera import CameraConfig
from edge_agent.config.file import load_cameras
from edge_agent.errors import BadData, ConfigError, Unavailable
from edge_agent.records import Frame
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.sources.camera import Camera, CameraStats
from edge_agent.sources.camera.capture import Settings
from edge_agent.sources.camera.device import list_devices
from edge_agent.sources.imagehealth import ImageHealth, brightness_and_sharpness
from edge_agent.terminal.printing import say, say_json, warn
from edge_agent.terminal.printout import check_folder, write_file

PATIENCE_S: Final = 10.0
"""How long the next picture is waited for [s]."""

WAITING: Final = 8
"""Pictures that may wait to be looked at."""

LOOK_S: Final = 0.02
"""How often there is a look for new pictures [s]."""


@dataclass(frozen=True)
class ShotReport:
    """What a camera gave.

    Attributes:
        camera: its name.
        device: as it is configured, without a password.
        frames: pictures that it was measured by.
        refused: pictures that were not good enough, for their size or because they were stale or damaged.
        width_px: of the last picture, after the region of interest was cut out [px].
        height_px: of the last picture [px].
        asked: what the configuration asks for.
        read_back: what the camera says that it does.
        ignored: the names of what it does otherwise.
        rate_hz: pictures per second [1/s]; None of fewer than two.
        jitter_ms: standard deviation of the time between two pictures [ms]; None of fewer than three.
        uncertainty_ms: how well the time of the last picture is known [ms].
        dated_by_driver: whether that is the driver's time.
        brightness: mean of the last picture [grey levels].
        sharpness: share of its contrast that lies in its finest detail [%].
        faults: what makes it unfit to judge by.
        out: file that it was written to; "" for none.
    """

    camera: str
    device: str
    frames: int
    refused: int
    width_px: int
    height_px: int
    asked: Settings
    read_back: Settings
    ignored: tuple[str, ...]
    rate_hz: float | None
    jitter_ms: float | None
    uncertainty_ms: float
    dated_by_driver: bool
    brightness: float
    sharpness: float
    faults: tuple[str, ...]
    out: str


def list_cameras(*, as_json: bool) -> int:
    """Print the cameras that this machine has; 0 when one can be used, else 1."""
    found = list_devices()
    if as_json:
        say_json(found)
    for device in () if as_json else found:
        say(f"{device.stable or device.node}  {device.card}  ({device.node})")
        if device.problem:
            warn(Unavailable(device.problem, hint=device.hint))
    if not found and not as_json:
        say("no camera: plug one in, or name a stream, a video or a folder in [camera] device")
    return 0 if any(not device.problem for device in found) else 1


def take_shot(config: Config, name: str, out: Path | None, frames: int, *, as_json: bool) -> int:
    """Look through one camera of a station, as the station would, and say what it gives.

    Args:
        config: the station's.
        name: of the camera; "" for the first.
        out: where to write the last picture; None for nowhere.
        frames: pictures to measure by.
        as_json: print JSON.

    Returns:
        0 when the camera does what was asked of it and its last picture is fit to judge by, else 1.

    Raises:
        BadData: there is no such camera, or no such folder.
        Unavailable: no picture came in time.
        ConfigError: the device is no camera.
    """
    chosen = _chosen(load_cameras(config), name)
    if out is not None:
        check_folder(out)
    clock = SystemClock()
    box = Mailbox[Frame](WAITING, Overflow.DROP_OLDEST)
    camera = Camera(chosen, clock, ImageHealth(config.image_health), box.offer, _tell)
    camera.open()
    try:
        shots, stats = _taken(camera, box, frames, clock)
        report = _report(chosen, shots, stats, out)
        if out is not None:
            write_file(out, cv2.imencode(".png", shots[-1].image)[1].tobytes())
        _print(report, as_json)
        return 1 if report.ignored or report.faults else 0
    finally:
        camera.close()
        if not camera.join(clock.now() + PATIENCE_S):
            sys.stdout.flush()
            sys.stderr.write("edge-agent: the camera's driver hangs; unplug the camera before the next try\n")
            os._exit(1)  # a thread that hangs in a driver cannot be ended


def _chosen(cameras: Sequence[CameraConfig], name: str) -> CameraConfig:
    found = next((camera for camera in cameras if name in ("", camera.name)), None)
    if found is not None:
        return found
    if not cameras:
        raise ConfigError("no camera is configured", hint="set [camera] device; edge-agent camera list names them")
    raise BadData(f"there is no camera {name}", hint=f"there is {', '.join(camera.name for camera in cameras)}")


def _taken(camera: Camera, box: Mailbox[Frame], frames: int, clock: Clock) -> tuple[list[Frame], CameraStats]:
    never = threading.Event()
    shots: list[Frame] = []
    give_up_s = clock.now() + PATIENCE_S
    while len(shots) < frames:
        new = box.take_all()
        if new:
            shots = [replace(shot, image=shot.image[:1, :1].copy()) for shot in shots] + new  # a thousand are gigabytes
            give_up_s = clock.now() + PATIENCE_S
        camera.check()
        if clock.now() > give_up_s:
            if reason := camera.stats().reason:
                raise Unavailable(reason)
            hint = "where [camera] trigger is hardware, it takes pictures only when it is fired"
            raise Unavailable(f"no picture came within {PATIENCE_S:g} s", hint=hint)
        camera.step(clock.now())
        clock.wait(never, clock.now() + LOOK_S)
    return shots[:frames], camera.stats()


def _report(config: CameraConfig, shots: Sequence[Frame], stats: CameraStats, out: Path | None) -> ShotReport:
    last = shots[-1]
    height, width = last.image.shape[:2]
    between_s = [b.time_s - a.time_s for a, b in zip(shots, shots[1:], strict=False)]
    asked, got = Settings.asked(config), stats.settings or Settings()
    brightness, sharpness = brightness_and_sharpness(last.image)
    return ShotReport(
        config.name,
        config.shown_device,
        len(shots),
        stats.refused,
        width,
        height,
        asked,
        got,
        asked.ignored(got),
        1.0 / statistics.fmean(between_s) if between_s else None,
        statistics.stdev(between_s) * 1e3 if len(between_s) > 1 else None,
        last.uncertainty_s * 1e3,
        bool(stats.dated_by_driver),
        brightness,
        sharpness,
        last.faults,
        "" if out is None else str(out),
    )


def _print(report: ShotReport, as_json: bool) -> None:
    if as_json:
        say_json(report)
        return
    say(f"{report.camera}  {report.device}")
    say(f"  {'':<13} {'asked':>10} {'read back':>10}")
    asked, got = asdict(report.asked), asdict(report.read_back)
    for name in asked:
        mark = "  ignored" if name in report.ignored else ""
        say(f"  {name:<13} {_shown(asked[name]):>10} {_shown(got[name]):>10}{mark}")
    rate = "" if report.rate_hz is None else f", {report.rate_hz:.2f} per second"
    jitter = "" if report.jitter_ms is None else f", {report.jitter_ms:.2f} ms of jitter"
    say(f"{report.frames} pictures of {report.width_px} x {report.height_px}{rate}{jitter}; {report.refused} refused")
    by = "driver" if report.dated_by_driver else "arrival"
    say(f"dated by {by}, known to {report.uncertainty_ms:.1f} ms")
    faults = ", ".join(report.faults) or "nothing wrong with it"
    say(f"brightness {report.brightness:.0f}, sharpness {report.sharpness:.1f} %: {faults}")
    if report.out:
        say(f"written to {report.out}")


def _shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:g}"


def _tell(severity: str, kind: str, message: str, data: dict[str, object]) -> None:
    """Say what is wrong at once; settings are in the report."""
    if severity != "info" and kind != "camera_settings":
        sys.stderr.write(f"edge-agent: {message}\n")
