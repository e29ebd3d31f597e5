"""Files that a person asked for, written when they are whole, and pictures small enough for a page."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge_agent.errors import BadData

SIDE_PX: Final = 160
"""Longer side of a thumbnail [px]."""


def write_file(path: Path, data: bytes) -> None:
    """Write a file when it is whole.

    Args:
        path: where to; a file that is there is replaced.
        data: what is in it.

    Raises:
        BadData: it cannot be written there.
    """
    fresh = path.parent / f".{path.name}.part"
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # half of it helps nobody, and fills a disk that may be full
            fresh.unlink(missing_ok=True)
        raise BadData(
            f"{path}: {error.strerror or error}", hint="name a file in a folder that you may write"
        ) from error


def check_folder(path: Path) -> None:
    """Raise `BadData` where there is no folder to write a file into, before work is done for it."""
    if not path.parent.is_dir():
        raise BadData(f"{path}: there is no folder {path.parent}", hint="name a file in a folder that you may write")


def thumbnail(png: bytes | None, side_px: int = SIDE_PX) -> bytes | None:
    """Give a picture small, as PNG; None for what is none."""
    image = None if png is None else cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return None
    scale = side_px / max(image.shape[:2])
    if scale < 1.0:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", image)[1].tobytes()
