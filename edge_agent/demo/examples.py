"""Writes example folders of the simulated casting, one for each class, for whoever has no pictures of a line yet."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from edge_agent.errors import BadData, Unavailable
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.progressbar import progress_bar
from models.castings import CLASSES, NORMAL, Casting, CastingLine


def run_examples(folder: Path, count: int, seed: int, *, as_json: bool) -> int:
    """Write the folders, and say what can be done with them.

    Args:
        folder: where they go; made where it is not there, and empty.
        count: parts of each class.
        seed: of the simulated line.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        BadData: something is in the folder.
        Unavailable: the disk does not take it.
    """
    with progress_bar("making examples") as progress:
        write_examples(folder, count, seed, progress)
    if as_json:
        say_json({"folder": str(folder), "classes": dict.fromkeys(CLASSES, count)})
        return 0
    place = shlex.quote(str(folder))
    say(f"{count} parts of each of {', '.join(CLASSES)} in {place}; now, for example:")
    say(f"  edge-agent teach {NORMAL} {place}/{NORMAL} --yes")
    say(f"  edge-agent inspect {place}/{CLASSES[-1]}")
    say(f"  edge-agent evaluate {place}")
    return 0


def write_examples(folder: Path, count: int, seed: int, progress: Callable[[int, int], None]) -> None:
    """Write parts of each class as `CLASS/NUMBER.png` and `CLASS/NUMBER.npz`; raises as `run_examples` does.

    Args:
        folder: where they go.
        count: parts of each class.
        seed: of the simulated line.
        progress: hears how many of how many parts are written.
    """
    line = CastingLine(seed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise BadData(f"{folder} is not empty", hint="name a new folder: edge-agent demo --examples DIR")
        for i, slug in enumerate(CLASSES):
            (folder / slug).mkdir()
            for number in range(count):
                _write(folder / slug / f"{number:03d}", line.example(slug, number))
                progress(i * count + number + 1, len(CLASSES) * count)
    except OSError as error:
        raise Unavailable(f"{folder}: {error.strerror}", hint="name a folder that can be written") from error


def _write(stem: Path, casting: Casting) -> None:
    stem.with_suffix(".png").write_bytes(cv2.imencode(".png", casting.image)[1].tobytes())
    np.savez(stem.with_suffix(".npz"), samples=casting.samples, rate_hz=casting.rate_hz)
