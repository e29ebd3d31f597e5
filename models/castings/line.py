"""The simulated production line: castings in sequence, each with its picture, its tap test and its truth.

Pure and deterministic: a casting follows from the seeds alone, in any order, from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.castings.picture import Camera, Look, Scene
from models.castings.ring import Ring
from models.castings.surface import edge_chip, open_crack, pit, scratch, stain
from models.castings.tap import RATE_HZ, TapTest


@dataclass(frozen=True)
class Fault:
    """What a class does to a casting; the default does nothing.

    Attributes:
        mark: draws it on the surface; None where the camera sees nothing.
        crack_drop: relative frequency drop of the cracked modes at the lowest severity and what severity 1 adds.
        loose: share of the severity with which the fixture is loose.
    """

    mark: Callable[[Scene, float, np.random.Generator], None] | None = None
    crack_drop: tuple[float, float] = (0.0, 0.0)
    loose: float = 0.0


NORMAL: Final = "good"
FAULTS: Final[Mapping[str, Fault]] = {
    NORMAL: Fault(),
    "scratch": Fault(mark=scratch),
    "pit": Fault(mark=pit),
    "stain": Fault(mark=stain),
    "edge_chip": Fault(mark=edge_chip),
    "crack": Fault(crack_drop=(0.005, 0.025)),
    "loose_fixture": Fault(loose=1.0),
    "open_crack": Fault(mark=open_crack, crack_drop=(0.002, 0.010)),
}
"""Every class of the line: the camera sees `scratch` to `edge_chip`, the tap test hears the next two, both the last."""
CLASSES: Final = tuple(FAULTS)
LIMIT: Final = 2**32
"""Seeds and numbers are below it, so that each is one word of the generator's seed and no two parts share one."""


@dataclass(frozen=True, eq=False)
class Casting:
    """One casting as camera and accelerometer see it.

    Attributes:
        number: its place on the line or in the tray.
        truth: class slug.
        severity: above 0 up to 1; 0 for a good one.
        image: BGR, shape (480, 480, 3), uint8.
        samples: acceleration [m/s^2], radial, tangential, axial, shape (2133, 3), float32.
        rate_hz: sample rate [Hz].
        seed: the words that name this casting among all of its design.
    """

    number: int
    truth: str
    severity: float
    image: NDArray[np.uint8]
    samples: NDArray[np.float32]
    rate_hz: float
    seed: tuple[int, int, int, int]


class CastingLine:
    """A line that makes one design of casting, some of them faulty.

    The severity of a faulty part is distributed as P(severity < s) = s^2: three in four are above 0.5 and plain, one
    in sixteen is below 0.25 and hard to tell in one modality.

    Args:
        seed: names the line; lines of different seeds make different castings of the same design.
        defect_share: share of faulty parts, 0 to 1.
        mix: relative frequency of each faulty class, those left out never occur; None for all alike.
        design: names the family: geometry, material, texture and lamp. Design 0 is the demonstration's.
    """

    def __init__(
        self, seed: int, defect_share: float = 0.2, mix: Mapping[str, float] | None = None, design: int = 0
    ) -> None:
        for name, value in (("seed", seed), ("design", design)):
            _check_word(name, value)
        if not 0.0 <= defect_share <= 1.0:
            raise ValueError(f"defect_share must be from 0 to 1, got {defect_share}")
        self._seed, self._defect_share = seed, defect_share
        self._faulty, self._edges = _edges(dict.fromkeys(CLASSES[1:], 1.0) if mix is None else mix)
        rng = np.random.default_rng((design, LIMIT - 1))
        ring = Ring.drawn(rng)
        self._tap_test = TapTest(ring)
        self._camera = Camera(Look.drawn(rng, bore=ring.inner_m / ring.outer_m), rng)

    def part(self, number: int) -> Casting:
        """Make part `number` of the line, 0 or above; it depends on the seeds and the number alone."""
        _check_word("number", number)
        seed = (self._seed, 0, 0, number)
        return self._cast(seed, *self._fate(seed))

    def example(self, truth: str, index: int, severity: float | None = None) -> Casting:
        """Make a labelled example for the teaching tray; it is never a part of the line.

        Args:
            truth: class slug.
            index: which example, 0 or above.
            severity: above 0 up to 1, or 0 for a good one; None for what a quality engineer would pick, 0.5 to 1.

        Returns:
            The example; the same index of another class is another casting.
        """
        _check_word("index", index)
        _check_class(truth)
        seed = (self._seed, 1, CLASSES.index(truth), index)
        plain = np.random.default_rng((*seed, 0)).uniform(0.5, 1.0)
        if severity is None:
            severity = 0.0 if truth == NORMAL else plain
        return self._cast(seed, truth, severity)

    def twin(self, casting: Casting, truth: str = NORMAL, severity: float = 0.0) -> Casting:
        """Make a casting of this design again with another fault or none: same pose, marks, strike and noise."""
        return self._cast(casting.seed, truth, severity)

    def _fate(self, seed: tuple[int, int, int, int]) -> tuple[str, float]:
        """Draw what a part of the line is and how badly."""
        faulty, which, weak = np.random.default_rng((*seed, 0)).random(3)
        if faulty >= self._defect_share:
            return NORMAL, 0.0
        return self._faulty[int(np.searchsorted(self._edges, which, "right"))], float((1.0 - weak) ** 0.5)

    def _cast(self, seed: tuple[int, int, int, int], truth: str, severity: float) -> Casting:
        _check_class(truth)
        if not (severity == 0.0 if truth == NORMAL else 0.0 < severity <= 1.0):
            raise ValueError(f"severity of {truth!r} must be {_allowed(truth)}, got {severity}")
        fault = FAULTS[truth]
        lay, expose, mark, strike, break_ = (np.random.default_rng((*seed, stream)) for stream in range(1, 6))
        scene = self._camera.scene(lay)
        if fault.mark is not None:
            fault.mark(scene, severity, mark)
        least, more = fault.crack_drop
        samples = self._tap_test.record(strike, break_, least + more * severity, fault.loose * severity)
        image = self._camera.exposed(scene, expose)
        return Casting(seed[-1], truth, severity, image, samples, RATE_HZ, seed)


def _allowed(truth: str) -> str:
    return "0" if truth == NORMAL else "above 0 up to 1"


def _check_class(truth: str) -> None:
    if truth not in FAULTS:
        raise ValueError(f"no class {truth!r} on this line; it has {', '.join(CLASSES)}")


def _check_word(name: str, value: int) -> None:
    if not 0 <= value < LIMIT:
        raise ValueError(f"{name} must be from 0 to {LIMIT - 1}, got {value}")


def _edges(mix: Mapping[str, float]) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Give the faulty classes of a mix and the upper edge of each one's share of 0 to 1."""
    for truth, weight in mix.items():
        _check_class(truth)
        if truth == NORMAL or not 0.0 <= weight < np.inf:
            raise ValueError(f"mix gives each faulty class a weight of 0 or more, got {truth!r}: {weight}")
    faulty = tuple(truth for truth in CLASSES if mix.get(truth, 0.0) > 0.0)
    if not faulty:
        raise ValueError(f"mix needs a weight above 0, got {dict(mix)}")
    edges = np.cumsum([mix[truth] for truth in faulty])
    return faulty, edges / edges[-1]
