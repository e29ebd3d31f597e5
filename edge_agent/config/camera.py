"""One camera as a person describes it: which device, what is asked of it, and how its pictures get their time.

Pure; whether a device is there is found out when it is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from edge_agent.config.section import Conflict, OptionalPath, Section, Slug

Side = Annotated[int, Meta(ge=0, le=8192)]
FourCC = Annotated[str, Meta(pattern=r"\A(?:[A-Z0-9 ]{4})?\Z", description='4 of A-Z, 0-9 and space, or ""')]

STREAM_SCHEMES: Final = ("http", "https", "rtsp", "rtsps")
"""What a device begins with that is a stream on the network."""

PLAIN_NAME: Final = re.compile(r"/dev/video\d+")
"""A name that a camera loses when it is plugged in again, or the machine is started."""


class DeviceKind(StrEnum):
    """What a device is, told from how it is written and, for a path, from what lies there."""

    NONE = "none"
    V4L2 = "v4l2"
    STREAM = "stream"
    FOLDER = "folder"
    VIDEO = "video"


class RoiConfig(Section, frozen=True):
    """The part of the picture that is used."""

    x_px: Side = 0
    y_px: Side = 0
    width_px: Side = 0
    height_px: Side = 0

    @property
    def is_set(self) -> bool:
        """Whether a part is cut out; otherwise the whole picture is used."""
        return bool(self.width_px and self.height_px)


class CameraConfig(Section, frozen=True):
    """One camera."""

    name: Slug = "main"
    device: OptionalPath = ""
    trigger: Literal["free", "hardware"] = "free"
    width_px: Side = 0
    height_px: Side = 0
    fps: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    pixel_format: FourCC = ""
    exposure_us: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    gain: Annotated[int, Meta(ge=-1, le=1_000_000)] = -1
    latency_ms: Annotated[float, Meta(ge=0, le=10_000)] = 0.0
    uncertainty_ms: Annotated[float, Meta(ge=0.01, le=1000)] = 3.0
    delay_ms: Annotated[float, Meta(ge=0, le=10_000)] = 0.0
    stall_ms: Annotated[float, Meta(ge=100, le=60_000)] = 1000.0
    roi: RoiConfig = RoiConfig()

    @property
    def kind(self) -> DeviceKind:
        """What the device is; looks at the disk only for a path that is no device."""
        if not self.device:
            return DeviceKind.NONE
        if self.device.startswith("/dev/"):
            return DeviceKind.V4L2
        if is_stream(self.device):
            return DeviceKind.STREAM
        return DeviceKind.FOLDER if Path(self.device).is_dir() else DeviceKind.VIDEO

    @property
    def shown_device(self) -> str:
        """The device as people may see it: without the user and the password of a stream."""
        return re.sub(r"(?<=://)[^/]*@", "", self.device)

    def resolved(self, folder: Path) -> CameraConfig:
        """Make the path of a file or folder absolute, as seen from `folder`."""
        if not self.device or is_stream(self.device):
            return self
        return msgspec.structs.replace(self, device=str(folder / self.device))


def is_stream(device: str) -> bool:
    """Say whether a device is written as a stream on the network, whether or not that can be."""
    return "://" in device


def camera_conflicts(camera: CameraConfig, max_uncertainty_ms: float, wait_ms: float) -> Iterator[Conflict]:
    """Give what cannot work together in one camera, though each value is within its own limits.

    Args:
        camera: resolved.
        max_uncertainty_ms: what pairing takes [ms].
        wait_ms: how long after its trigger a picture is waited for [ms].

    Yields:
        What is wrong.
    """
    if not camera.device:
        return
    if is_stream(camera.device) and (reason := _wrong_address(camera.device)):
        yield Conflict(("camera.device",), reason, "a stream is written like rtsp://camera-1/live")
    if camera.trigger == "hardware" and not camera.device.startswith("/dev/"):
        yield Conflict(
            ("camera.trigger", "camera.device"),
            'must be "free", not "hardware", for a camera that is no /dev/ device',
            "a stream or a file goes on by itself",
        )
    if bool(camera.width_px) != bool(camera.height_px):
        yield Conflict(("camera.height_px", "camera.width_px"), "width_px and height_px must both be 0, or neither")
    for at, size, whole in (("x_px", "width_px", camera.width_px), ("y_px", "height_px", camera.height_px)):
        end_px = getattr(camera.roi, at) + getattr(camera.roi, size)
        if whole and end_px > whole:
            yield Conflict(
                (f"camera.roi.{size}", f"camera.roi.{at}", f"camera.{size}"),
                f"{at} + {size} must be at most camera.{size} ({whole}), not {end_px}",
            )
    if bool(camera.roi.width_px) != bool(camera.roi.height_px):
        yield Conflict(("camera.roi.height_px", "camera.roi.width_px"), "both sides must be 0, or neither")
    if camera.trigger == "free" and camera.fps and camera.stall_ms < 2000.0 / camera.fps:
        yield Conflict(
            ("camera.stall_ms", "camera.fps"),
            f"must be at least two pictures long ({2000.0 / camera.fps:.4g}), not {camera.stall_ms:g}",
            "a camera that delivers as it should would count as lost",
        )
    if camera.delay_ms + camera.latency_ms >= wait_ms:
        yield Conflict(
            ("camera.delay_ms", "camera.latency_ms", "pairing.wait_ms"),
            f"must, with latency_ms, be less than pairing.wait_ms ({wait_ms:g}), not {camera.delay_ms:g}",
            "the picture would come when its part has left",
        )
    if camera.uncertainty_ms > max_uncertainty_ms:
        yield Conflict(
            ("camera.uncertainty_ms", "pairing.max_uncertainty_ms"),
            f"must be at most pairing.max_uncertainty_ms ({max_uncertainty_ms:g}), not {camera.uncertainty_ms:g}",
            "no picture would be paired",
        )


def _wrong_address(device: str) -> str:
    """Say why a stream cannot be at this address; "" where it may be."""
    try:
        parts = urlsplit(device)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"is no address: {error}"
    if parts.scheme not in STREAM_SCHEMES:
        return f"must begin with {', '.join(STREAM_SCHEMES)}, not {parts.scheme}"
    return "" if host else "names no computer"
