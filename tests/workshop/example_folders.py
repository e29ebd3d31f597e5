"""Small folders of pictures and recordings that the tests of the data room write."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def picture(number: int, side: int = 16) -> NDArray[np.uint8]:
    """Give a picture that no other number has."""
    return np.random.default_rng(number).integers(0, 256, (side, side, 3), dtype=np.uint8)


def encoded(suffix: str, image: NDArray[np.generic]) -> bytes:
    return bytes(cv2.imencode(suffix, image)[1])


def write_pictures(folder: Path, numbers: Iterable[int], suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{number:04}{suffix}").write_bytes(encoded(suffix, picture(number)))


def write_recording(path: Path, number: int, samples: int = 256) -> None:
    wave = np.random.default_rng(number).standard_normal((samples, 3))
    np.savez(path, samples=wave, rate_hz=12_000)


def write_bearings(folder: Path, windows: int = 32, rate_hz: int = 12_000) -> None:
    """Write a test bench of ten bearings: one healthy, three of each kind of damage, two loads."""
    folder.mkdir(parents=True, exist_ok=True)
    families = ["normal", *(f"{kind}_{size}" for kind in ("B", "IR", "OR@6") for size in ("007", "014", "021"))]
    for number, family in enumerate(families):
        for load in range(1 if family == "normal" else 2):
            signal = np.random.default_rng((number, load)).standard_normal(windows * 960 + 7).astype(np.float32)
            np.savez(folder / f"{family}_load{load}.npz", DE=signal, fs=rate_hz, rpm=1797, load_hp=load)
