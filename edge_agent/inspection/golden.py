"""The golden vectors of a bundle, as pieces that can be encoded again, and what of them has come out right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import DeviceFault, EdgeAgentError
from edge_agent.inspection.proofstamp import ProofStamp
from edge_agent.records import Modality
from models import Bundle
from models.flow import Tensors
from models.source import SOURCES

SOME: Final = 2
"""Vectors that are encoded before the first part in any case, beside the first of each kind."""


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


def samples_of(bundle: Bundle) -> Iterator[Sample]:
    """Give the golden vectors one at a time, their file read now; each lacks the modalities whose block is zero."""
    rows, tolerance = bundle.golden_rows(), bundle.manifest.golden.tolerance

    def sample(number: int, sources: Tensors, want: NDArray[np.float32]) -> Sample:
        present = frozenset(Modality(b.modality) for b in bundle.blocks if np.any(want[b.start : b.stop]))
        tensors = {name: row for name, row in sources.items() if SOURCES[name] in present}
        return Sample(number, tensors, present, want, tolerance)

    return (sample(number, *row) for number, row in enumerate(rows))


Encode = Callable[[Sequence[Sample]], Sequence[NDArray[np.float64]]]
"""Gives what samples come out as, (d,) each."""


class GoldenProof:
    """The proof that an encoder gives the numbers of the desk.

    Args:
        bundle: whose golden vectors.
        stamp: put where all come out right, taken away as soon as one does not; None where nobody remembers.
    """

    def __init__(self, bundle: Bundle, stamp: ProofStamp | None = None) -> None:
        self._bundle = bundle
        self._stamp = stamp
        self._again: Sample | None = None
        self._rest: Iterator[Sample] = iter(())
        self._left: set[int] = set()

    @property
    def left(self) -> int:
        """How many vectors a quick proof has left to `one`."""
        return len(self._left)

    def prove(self, encode: Encode, *, quick: bool = False) -> int:
        """Encode every vector.

        Args:
            encode: encodes them.
            quick: where a stamp says that all came out right here before, some of each kind are enough for now.

        Returns:
            How many it encoded; `one` has the others.

        Raises:
            BundleRefused: they cannot be read.
            DeviceFault: one comes out differently, or not at all.
        """
        some = quick and self._stamp is not None and self._stamp.there
        self._rest, self._left = iter(()), set()
        kinds: set[frozenset[Modality]] = set()
        again, count = None, 0
        for sample in samples_of(self._bundle):
            if some and sample.number >= SOME and sample.present in kinds:
                self._left.add(sample.number)
                continue
            self._checked(sample, encode)
            kinds.add(sample.present)
            count += 1
            if again is None or len(sample.present) > len(again.present):
                again = sample
        self._again = again
        if self._left:
            self._rest = samples_of(self._bundle)
        elif self._stamp is not None:
            self._stamp.put()
        return count

    def again(self, encode: Encode) -> tuple[Sample, NDArray[np.float64]]:
        """Encode the first of the completest vectors once more; proven it must be.

        Args:
            encode: encodes it.

        Returns:
            It, and what it came out as, (d,).

        Raises:
            DeviceFault: it comes out differently, or not at all.
        """
        if self._again is None:
            raise RuntimeError("nothing was proven yet")
        return self._again, self._checked(self._again, encode)

    def one(self, encode: Encode) -> tuple[Sample, NDArray[np.float64]]:
        """Encode one vector: the next of those that are left, or else as `again`, whose results it gives."""
        for sample in self._rest:
            if sample.number in self._left:
                self._left.remove(sample.number)
                return sample, self._checked(sample, encode)
        return self.again(encode)

    def compare(self, samples: Sequence[Sample], made: Sequence[NDArray[np.float64]]) -> None:
        """Raise `DeviceFault` where one of the samples comes out differently from the desk."""
        for sample, z in zip(samples, made, strict=True):
            distance = float(np.linalg.norm(z - sample.want))
            if not distance <= sample.tolerance:
                raise DeviceFault(
                    f"bundle {self._bundle.name}: golden vector {sample.number} comes out {distance:.2g} away from the "
                    f"desk's, at most {sample.tolerance:.2g} is allowed",
                    hint="try the other runtime: [engine] runtime",
                )

    def _checked(self, sample: Sample, encode: Encode) -> NDArray[np.float64]:
        try:
            (made,) = encode([sample])
            self.compare([sample], [made])
        except EdgeAgentError:
            if self._stamp is not None:
                self._stamp.take_away()
            raise
        return made
