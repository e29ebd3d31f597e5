"""The golden vectors of a bundle, as pieces that can be encoded again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.records import Modality
from models import Bundle
from models.flow import Tensors
from models.source import SOURCES


@dataclass(frozen=True, eq=False)
class Sample:
    """One golden vector.

    Attributes:
        number: its place among them.
        tensors: the source tensors that it is made from.
        present: the modalities that it has.
        want: what it must come out as, (d,).
        tolerance: largest allowed distance.
    """

    number: int
    tensors: Tensors
    present: frozenset[Modality]
    want: NDArray[np.float32]
    tolerance: float


def samples_of(bundle: Bundle) -> list[Sample]:
    """Read the golden vectors; each lacks the modalities whose block is zero."""
    golden, found = bundle.golden(), []
    for i, want in enumerate(golden.z):
        present = frozenset(Modality(b.modality) for b in bundle.blocks if np.any(want[b.start : b.stop]))
        tensors = {name: rows[i] for name, rows in golden.sources.items() if SOURCES[name] in present}
        found.append(Sample(i, tensors, present, want, golden.tolerance))
    return found
