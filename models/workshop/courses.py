"""What a fusion model can be trained on: the simulated casting, steel with bearings, or somebody's own data.

A course has its sides split by physical thing, and refuses to be one where they leak.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.castings.line import FAULTS
from models.source import VibrationSpec
from models.workshop.data import (
    CastingsData,
    Dataset,
    DrawnData,
    Entry,
    FolderData,
    JoinedData,
    PairedData,
    SteelData,
    check_leak,
    describe,
    split,
    survey,
)
from models.workshop.errors import BadSample, WorkshopError
from models.workshop.fusion import UNTOUCHED_DIMS, VIBRATION

CASTINGS_TRAINING: Final = range(1, 41)
CASTINGS_VALIDATION: Final = range(41, 49)
CASTINGS_TEST: Final = (0, *range(49, 57))
"""Designs; 0 is the demonstration's, and that of the figures of `measure`."""

CASTINGS_EACH: Final = 11
CASTINGS_SEED: Final = 101

DRAWN_TRAINING: Final = range(60, 120)
DRAWN_VALIDATION: Final = range(1000, 1012)
"""Seeds of imaginary lines."""

DRAWN_EACH: Final = 8
"""Pictures of each class of a line."""

BEARINGS: Final = VibrationSpec(duration_ms=80.0, window_ms=9.6, hop_ms=2.0, bands=64, low_hz=60.0, high_hz=6_000.0)
"""As a tap test, up to half of the 12 kHz that the recordings have."""

OWN_SHARES: Final = {"train": 0.7, "val": 0.3}


@dataclass(frozen=True, eq=False)
class Side:
    """Samples of one side of a split.

    Attributes:
        dataset: where they are.
        entries: which ones.
    """

    dataset: Dataset
    entries: tuple[Entry, ...]


@dataclass(frozen=True, eq=False)
class Course:
    """Everything about the data of a training.

    Attributes:
        title: for the card.
        training: what is learned from.
        validation: what the best epoch is chosen by.
        test: what nothing was chosen by; the side of validation again where the data have two sides only.
        table: how many samples and things each side has of each class, for people.
        shows: whether a class differs from good parts in picture and vibration; both where it is not named.
        line_of: names the line of a sample; only samples of one line are compared with each other.
        vibration: how a window is looked at.
        unusable: samples that could not be read, and why.
        licence: of a bundle that is trained on it.
        untouched_dims: of the picture's block, for what a frozen backbone sees untouched, unless somebody chooses
            otherwise.
    """

    title: str
    training: Side
    validation: Side
    test: Side
    table: str
    shows: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    line_of: Callable[[Entry], str] = lambda entry: ""
    vibration: VibrationSpec = VIBRATION
    unusable: Mapping[str, BadSample] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    untouched_dims: int = UNTOUCHED_DIMS


def named(data: str, pictures: Path | None, recordings: Path | None, seed: int) -> Course:
    """Give the course that a command line names.

    Args:
        data: `castings`, `drawn`, `steel`, or the path of somebody's own data.
        pictures: folder of X-SDD, for steel.
        recordings: folder of CWRU, for steel.
        seed: of the sides.

    Returns:
        The course.

    Raises:
        WorkshopError: the data are not there, or cannot be learned from.
    """
    if data == "castings":
        return castings()
    if data == "drawn":
        return drawn()
    if data != "steel":
        return own(Path(data), seed)
    if pictures is None or recordings is None:
        raise WorkshopError("steel needs its data", hint="--pictures X-SDD --recordings CWRU")
    return steel(pictures, recordings, seed)


def castings() -> Course:
    """Designs of the simulated casting: a line is a design, and no design is on two sides.

    Every class that can come is known, so nothing of the picture's block is left untouched (decision 36).
    """
    training = CastingsData(CASTINGS_TRAINING, CASTINGS_EACH, CASTINGS_SEED)
    validation = CastingsData(CASTINGS_VALIDATION, CASTINGS_EACH, CASTINGS_SEED)
    test = CastingsData(CASTINGS_TEST, CASTINGS_EACH, CASTINGS_SEED)
    return Course(
        title=f"simulated castings, designs {CASTINGS_TRAINING.start} to {CASTINGS_TRAINING.stop - 1}",
        training=Side(training, training.entries),
        validation=Side(validation, validation.entries),
        test=Side(test, test.entries),
        table=describe({"train": training.entries, "val": validation.entries, "test": test.entries}),
        shows=_castings_show(),
        line_of=lambda entry: entry.traits["design"],
        untouched_dims=0,
    )


def drawn() -> Course:
    """Imaginary lines and designs of the casting, as the bundle `generic` is fitted on: nothing of it is real."""
    training = JoinedData([DrawnData(DRAWN_TRAINING, DRAWN_EACH), CastingsData(CASTINGS_TRAINING, 6, CASTINGS_SEED)])
    validation = JoinedData(
        [DrawnData(DRAWN_VALIDATION, DRAWN_EACH), CastingsData(CASTINGS_VALIDATION, DRAWN_EACH, CASTINGS_SEED)]
    )
    return Course(
        title="imaginary lines and simulated castings",
        training=Side(training, training.entries),
        validation=Side(validation, validation.entries),
        test=Side(validation, validation.entries),
        table=describe({"train": training.entries, "val": validation.entries}),
        shows=_castings_show(),
        line_of=lambda entry: " ".join(next(iter(entry.traits.items()))),
    )


def _castings_show() -> dict[str, tuple[bool, bool]]:
    return {slug: (fault.mark is not None, bool(fault.crack_drop[1] or fault.loose)) for slug, fault in FAULTS.items()}


def steel(pictures: Path, recordings: Path, seed: int) -> Course:
    """X-SDD with CWRU, artificially paired; its test side takes no part."""
    data = SteelData(pictures, recordings, seed=seed)
    sides = split(data.entries, seed=seed)
    check_leak(sides, survey(data, data.entries).prints)
    return Course(
        title=data.name,
        training=Side(data, sides["train"]),
        validation=Side(data, sides["val"]),
        test=Side(data, sides["test"]),
        table=describe(sides),
        shows=data.shows,
        vibration=BEARINGS,
        unusable=data.unusable,
    )


def own(path: Path, seed: int) -> Course:
    """Somebody's own data: a folder with a folder for each class, or a manifest (.csv) of paired files.

    Args:
        path: of the folder or the manifest.
        seed: of the split.

    Returns:
        The course; every sample was read once.

    Raises:
        WorkshopError: there is nothing to learn from, or the sides would leak.
    """
    if not path.exists():
        raise WorkshopError(
            f"there is no {path}", hint="name a folder with a folder for each class, or a manifest .csv"
        )
    data: Dataset = FolderData(path) if path.is_dir() else PairedData(path)
    found = survey(data, data.entries)
    sides = split(found.usable, OWN_SHARES, seed=seed, prints=found.prints)
    check_leak(sides, found.prints)
    return Course(
        title=data.name,
        training=Side(data, sides["train"]),
        validation=Side(data, sides["val"]),
        test=Side(data, sides["val"]),
        table=describe(sides),
        unusable=found.unusable,
        licence="not stated",
    )


def opened(path: Path) -> Dataset:
    """Open a folder with a folder for each class, or a manifest (.csv) of paired files; raises `WorkshopError`."""
    if not path.exists():
        raise WorkshopError(
            f"there is no {path}", hint="name a folder with a folder for each class, or a manifest .csv"
        )
    return FolderData(path) if path.is_dir() else PairedData(path)
