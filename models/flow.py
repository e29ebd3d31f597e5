"""How tensors flow through a bundle: which parts run for what a piece is perceived by, and what each is given.

Pure: it is told how to run a part and runs none itself. The station and the desk use the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.manifest import Manifest, Part
from models.source import MASKS, SOURCES
from models.tensor import TensorSpec

Tensors = Mapping[str, NDArray[Any]]


class Flown(NamedTuple):
    """What came of a piece.

    Attributes:
        raw: the raw values of the embedding's blocks, by modality.
        tensors: everything on the way, by name.
    """

    raw: Tensors
    tensors: Tensors


class Flow:
    """The way from source tensors to the raw values of the embedding's blocks.

    Args:
        manifest: of the bundle.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        needs: dict[str, frozenset[str]] = {name: frozenset({SOURCES[name]}) for name in manifest.sources}
        self._steps: list[tuple[Part, frozenset[str]]] = []
        for part in manifest.judging:
            needed = _needed(part, needs)
            needs |= dict.fromkeys((tensor.name for tensor in part.outputs), needed)
            self._steps.append((part, needed))

    def beginnings(self, sources: Tensors) -> dict[str, Tensors]:
        """Give the parts that wait for no other part, by role, with their inputs; in the order in which they run.

        Args:
            sources: source tensors by name; those of a modality are all there, or all missing.

        Returns:
            Those that run for what is there.
        """
        present = frozenset(SOURCES[name] for name in sources)
        return {
            part.role: {t.name: _given(t, sources, present) for t in part.inputs}
            for part, needed in self._steps
            if needed <= present and all(t.name in MASKS or t.name in self._manifest.sources for t in part.inputs)
        }

    def run(self, sources: Tensors, infer: Callable[[str, Tensors], Tensors]) -> Flown:
        """Run every part that can and that the embedding comes from.

        Args:
            sources: source tensors by name; those of a modality are all there, or all missing.
            infer: runs the part of a role on its inputs and gives its outputs.

        Returns:
            The raw values of the block of each modality that is there, and every tensor on the way.
        """
        return self.run_together([sources], lambda role, feeds: [infer(role, feeds[0])])[0]

    def run_together(
        self, pieces: Sequence[Tensors], infer: Callable[[str, Sequence[Tensors]], Sequence[Tensors]]
    ) -> list[Flown]:
        """Do the same with several pieces, part by part.

        Args:
            pieces: the source tensors of each.
            infer: runs the part of a role on the inputs of the pieces that it runs for; gives the outputs of each.

        Returns:
            What came of each piece, in the same order.
        """
        known = [dict(sources) for sources in pieces]
        present = [frozenset(SOURCES[name] for name in sources) for sources in pieces]
        for part, needed in self._steps:
            able = [at for at in range(len(pieces)) if needed <= present[at]]
            feeds = [{t.name: _given(t, known[at], present[at]) for t in part.inputs} for at in able]
            for at, made in zip(able, infer(part.role, feeds) if able else (), strict=True):
                known[at] |= made
        return [self._flown(each, there) for each, there in zip(known, present, strict=True)]

    def _flown(self, known: Tensors, present: frozenset[str]) -> Flown:
        blocks = self._manifest.blocks
        raw: Tensors = {b.modality: known[b.output] for b in blocks if b.modality in present and b.output in known}
        return Flown(raw, known)


def _needed(part: Part, needs: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Give the modalities that a part cannot do without; `needs` says it of its inputs."""
    masked = {MASKS[tensor.name] for tensor in part.inputs if tensor.name in MASKS}
    return frozenset(m for t in part.inputs if t.name not in MASKS for m in needs[t.name]) - masked


def _given(tensor: TensorSpec, known: Tensors, present: frozenset[str]) -> NDArray[Any]:
    """Give the mask, the tensor, or, where its modality is masked, zeros that nobody looks at."""
    if tensor.name in MASKS:
        return np.full(tensor.shape, MASKS[tensor.name] in present, dtype=tensor.dtype)
    return known[tensor.name] if tensor.name in known else np.zeros(tensor.shape, dtype=tensor.dtype)
