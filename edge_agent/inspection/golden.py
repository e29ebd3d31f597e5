"""The golden vectors of a bundle, as pieces that can be encoded again, and what of them has come out right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
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


def samples_of(bundle: Bundle) -> list[Sample]:
    """Read the golden vectors; each lacks the modalities whose block is zero."""
    golden, found = bundle.golden(), []
    for i, want in enumerate(golden.z):
        present = frozenset(Modality(b.modality) for b in bundle.blocks if np.any(want[b.start : b.stop]))
        tensors = {name: rows[i] for name, rows in golden.sources.items() if SOURCES[name] in present}
        found.append(Sample(i, tensors, present, want, golden.tolerance))
    return found


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
        self._left: list[Sample] = []

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
            DeviceFault: one comes out differently, or not at all.
        """
        samples = samples_of(self._bundle)
        now: Collection[int] = range(len(samples))
        if quick and self._stamp is not None and self._stamp.there:
            firsts = {sample.present: sample.number for sample in reversed(samples)}
            now = {*firsts.values(), *range(min(SOME, len(samples)))}
        for number in now:
            self._checked(samples[number], encode)
        by_kind = sorted(samples, key=lambda sample: len(sample.present))
        again = max(samples, key=lambda sample: len(sample.present))
        self._again = replace(again, tensors={name: array.copy() for name, array in again.tensors.items()})
        self._left = [sample for sample in by_kind if sample.number not in now]  # the rest of the rows may go
        if self._stamp is not None and not self._left:
            self._stamp.put()
        return len(now)

    def one(self, encode: Encode) -> tuple[Sample, NDArray[np.float64]]:
        """Encode one vector: of those that are left the completest, or the first of these again; proven it must be.

        Args:
            encode: encodes it.

        Returns:
            It, and what it came out as, (d,).

        Raises:
            DeviceFault: it comes out differently, or not at all.
        """
        if self._again is None:
            raise RuntimeError("nothing was proven yet")
        sample = self._left.pop() if self._left else self._again
        return sample, self._checked(sample, encode)

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
