"""What a labelled sample is, before and after it is read, and what every source of samples can do.

Frozen records and one protocol; it opens nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from models.castings import NORMAL
from models.knowledge import SLUG
from models.workshop.errors import WorkshopError

IMAGE: Final = "image"
VIBRATION: Final = "vibration"


@dataclass(frozen=True)
class Entry:
    """What is known of a sample before it is read.

    Attributes:
        key: names it in its dataset; no other sample has the same.
        label: slug of its class.
        things: every physical thing that it shows (a bearing, a casting, a run of neighbouring pictures); samples that
            share one are never on two sides of a split. Where both modalities have their own, the picture's is first.
        modalities: `image`, `vibration` or both, in this order.
        traits: what else is known of it, as text (design, fault size, …).
    """

    key: str
    label: str
    things: tuple[str, ...]
    modalities: tuple[str, ...]
    traits: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample that was read.

    Attributes:
        entry: what was known of it.
        picture: BGR, shape (h, w, 3), uint8; None where nobody looked.
        samples: acceleration [m/s^2], shape (n, 3) for axes x, y, z, float32; None where nobody listened.
        rate_hz: sample rate [Hz], 0 where nobody listened.
    """

    entry: Entry
    picture: NDArray[np.uint8] | None = None
    samples: NDArray[np.float32] | None = None
    rate_hz: float = 0.0


class Dataset(Protocol):
    """A source of labelled samples."""

    @property
    def name(self) -> str:
        """What a model card calls it."""

    @property
    def licence(self) -> str:
        """Under which it may be used; `not stated` where nobody said so."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Slugs, sorted; `good` first where there is one."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All samples, in an order that does not change."""

    def load(self, entry: Entry) -> Sample:
        """Read one sample; raises `BadSample` where this one cannot be used."""


def ordered_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Give each label once, sorted, `good` first."""
    return tuple(sorted(set(labels), key=lambda label: (label != NORMAL, label)))


def refuse_single_examples(entries: Sequence[Entry], where: str) -> None:
    """Make sure that there is something, and that every class has two examples: one to learn from and one as proof.

    Args:
        entries: of the dataset.
        where: what the message calls it.

    Raises:
        WorkshopError: there is no sample, or a class with one example; names all such classes.
    """
    if not entries:
        raise WorkshopError(f"{where}: no samples", hint="name a folder with a folder of pictures for each class")
    counts = Counter(entry.label for entry in entries)
    if poor := [label for label in ordered_classes(counts) if counts[label] == 1]:
        raise WorkshopError(
            f"{where}: one example of {', '.join(poor)}; nothing would be left to prove what is learned from it",
            hint="add examples, at least two of each class, or take the class out",
        )


def not_a_slug(label: str) -> str:
    """Say what is wrong with a class name and what would be right; empty where nothing is."""
    if SLUG.fullmatch(label):
        return ""
    better = "".join(c if SLUG.fullmatch(c) else "_" for c in label.lower()).strip("_")[:40]
    return f"{label!r} is no class name (1 to 40 of a-z, 0-9 and _)" + (f"; {better!r} would be one" if better else "")
