"""Which cameras the kernel knows, and whether one may be opened: names, links, permissions, capabilities.

Looks at `/dev` and `/sys` and asks the driver one question; pictures are the door's affair.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.errors import ConfigError, EdgeAgentError, Unavailable

VIDIOC_QUERYCAP: Final = 0x80685600
"""Asks a V4L2 driver what it is: `_IOR('V', 0, struct v4l2_capability)`, 104 bytes (linux/videodev2.h)."""

CAPABILITY: Final = struct.Struct("16s32s32sIII3I")
"""struct v4l2_capability: driver, card, bus, version, capabilities of all its devices, of this one, reserved."""

PICTURES: Final = 0x0000_0001 | 0x0000_1000
"""V4L2_CAP_VIDEO_CAPTURE and V4L2_CAP_VIDEO_CAPTURE_MPLANE."""

OF_THIS_DEVICE: Final = 0x8000_0000
"""V4L2_CAP_DEVICE_CAPS: the driver tells the capabilities of its devices apart."""

LIST_HINT: Final = "edge-agent camera list shows which cameras are there"
GROUP_HINT: Final = "put the user into the group `video` (sudo usermod -aG video USER) and start the program again"


@dataclass(frozen=True)
class Device:
    """A camera that the kernel knows.

    Attributes:
        node: `/dev/videoN`, which changes.
        card: what it calls itself.
        stable: a name that stays its own, under `/dev/v4l/by-id` or else `by-path`; "" where there is none.
        problem: why it cannot be used as it is; "" when it can.
        hint: what to do about that.
    """

    node: str
    card: str
    stable: str = ""
    problem: str = ""
    hint: str = ""


def check_device(path: str) -> Path:
    """Say which device a name leads to now, and make sure that it may be opened and gives pictures.

    Args:
        path: `/dev/videoN`, or a link to it; looked up anew each time.

    Returns:
        The device.

    Raises:
        Unavailable: it is not there, may not be opened, or is busy.
        ConfigError: it is no camera.
    """
    node = Path(path).resolve()
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise _cannot_open(path, error) from None
    try:
        if not capabilities(descriptor) & PICTURES:
            raise ConfigError(f"{path} gives no pictures; it may be the camera's metadata", hint=LIST_HINT)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):
            raise ConfigError(f"{path} is no camera", hint=LIST_HINT) from None
        raise _cannot_open(path, error) from None
    finally:
        os.close(descriptor)
    return node


def capabilities(descriptor: int) -> int:
    """Ask an open V4L2 device what it can do; raises `OSError` where it is none."""
    answer = bytearray(CAPABILITY.size)
    fcntl.ioctl(descriptor, VIDIOC_QUERYCAP, answer)
    of_all, of_this = CAPABILITY.unpack(answer)[4:6]
    return int(of_this if of_all & OF_THIS_DEVICE else of_all)


def list_devices(root: Path = Path("/")) -> list[Device]:
    """Give the cameras that the kernel knows, by the number of their node; devices without pictures are left out."""
    names = sorted((root / "sys/class/video4linux").glob("video*"), key=lambda path: int(_digits(path.name)))
    links = {
        link.resolve(): str(Path("/") / link.relative_to(root))
        for folder in ("by-path", "by-id")  # the latter last: it stays its own in another socket, too
        for link in sorted((root / "dev/v4l" / folder).glob("*"))
    }
    found = []
    for name in names:
        node = root / "dev" / name.name
        problem = hint = ""
        try:
            check_device(str(node))
        except ConfigError:
            continue
        except EdgeAgentError as error:
            problem, hint = error.message, error.hint
        stable = links.get(node.resolve(), "")
        found.append(Device(f"/dev/{name.name}", _card(name), stable, problem, hint))
    return found


def _cannot_open(path: str, error: OSError) -> Unavailable:
    match error.errno:
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            return Unavailable(f"{path} is not there", hint=f"plug the camera in; {LIST_HINT}")
        case errno.EACCES | errno.EPERM:
            return Unavailable(f"{path} may not be opened by this user", hint=GROUP_HINT)
        case errno.EBUSY:
            return busy(path)
        case _:
            return Unavailable(f"{path} cannot be opened: {error.strerror}", hint=LIST_HINT)


def busy(path: str) -> Unavailable:
    """Give the error for a camera that is there and does not let itself be used."""
    return Unavailable(
        f"{path} is used by another program, or gives no pictures that can be read",
        hint=f"fuser -v {path} says who has it; set [camera] pixel_format to one that it has",
    )


def _card(name: Path) -> str:
    try:
        return (name / "name").read_text(errors="replace").strip()
    except OSError:
        return ""


def _digits(name: str) -> str:
    return re.sub(r"\D", "", name) or "0"
