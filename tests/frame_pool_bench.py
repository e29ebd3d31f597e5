"""What a pool of picture buffers would save: page faults and processor time of a picture, in turn with and without.

python tests/frame_pool_bench.py --width 1920 --height 1200

One thread makes pictures as a camera does, another one prepares them for the model, holds three and lets go of the
oldest. Nothing here is used by the station.
"""

from __future__ import annotations

import argparse
import queue
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.config import ImageHealthConfig, RecipeConfig
from edge_agent.inspection.encode import load_bundle
from edge_agent.sources.imagehealth import ImageHealth
from models.features import prepare_picture

Picture = NDArray[np.uint8]
HELD, BUFFERS, ROUNDS, PICTURES = 3, 8, 8, 25


def ways(width_px: int, height_px: int) -> dict[str, Callable[[], Any]]:
    """How a picture can come about: from bytes of a camera or a file, into new memory or into a buffer."""
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, (height_px, width_px, 2), np.uint8)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (height_px, width_px, 3), np.uint8), (0, 0), 2.0)
    jpeg = cv2.imencode(".jpg", smooth)[1]
    buffers = [np.empty((height_px, width_px, 3), np.uint8) for _ in range(BUFFERS)]

    def buffer() -> Picture:
        buffers.append(buffers.pop(0))
        return buffers[-1]

    return {
        "JPEG, new memory": lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR),
        "YUYV, new memory": lambda: cv2.cvtColor(raw, cv2.COLOR_YUV2BGR_YUYV),
        "YUYV, a buffer": lambda: cv2.cvtColor(raw, cv2.COLOR_YUV2BGR_YUYV, dst=buffer()),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1200)
    asked = parser.parse_args()
    spec = load_bundle(RecipeConfig(bundle="castings").resolved(Path()).bundle_dir).manifest.picture
    assert spec is not None
    made: queue.SimpleQueue[Picture | None] = queue.SimpleQueue()
    prepared: queue.SimpleQueue[None] = queue.SimpleQueue()
    kinds = ways(asked.width, asked.height)
    found: dict[str, list[tuple[float, float]]] = {}

    def prepare() -> None:
        held: list[Picture] = []
        while (picture := made.get()) is not None:
            prepare_picture(picture, spec)
            held = [*held[1 - HELD :], picture]
            prepared.put(None)

    def make() -> None:
        health = ImageHealth(ImageHealthConfig())
        for number in range(1 + ROUNDS):
            for name, way in kinds.items():
                before = resource.getrusage(resource.RUSAGE_SELF)
                for _ in range(PICTURES):
                    picture = way()
                    health.check(picture)
                    made.put(picture)
                    prepared.get()
                after = resource.getrusage(resource.RUSAGE_SELF)
                cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                if number:
                    faults = after.ru_minflt - before.ru_minflt
                    found.setdefault(name, []).append((faults / PICTURES, 1e3 * cpu_s / PICTURES))
        made.put(None)

    threads = [threading.Thread(target=work) for work in (prepare, make)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, values in found.items():
        faults, cpu_ms = np.median(values, axis=0)
        sys.stdout.write(f"{asked.width}x{asked.height} {name:<18} {faults:6.1f} page faults, {cpu_ms:6.2f} ms\n")


if __name__ == "__main__":
    main()
