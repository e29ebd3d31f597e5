"""The engine protocol: as wide as the need, checked once on the way in and once on the way out.

No driver is known here; the engines translate theirs and share these checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData, DeviceFault
from models.tensor import TensorSpec

Array = NDArray[Any]


class Engine(Protocol):
    """Runs one loaded model. Not thread-safe: one engine belongs to one thread.

    Attributes:
        inputs: what it takes.
        outputs: what it gives.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once.

        Args:
            tensors: exactly the declared inputs, by name.

        Returns:
            Every declared output by name; the arrays are the caller's own.

        Raises:
            BadData: the inputs are not as declared, or not finite.
            DeviceFault: the device failed, or gave numbers that are not finite.
            RuntimeError: the engine is closed.
        """
        ...

    def close(self) -> None:
        """Release the model; never raises, and twice is fine."""
        ...


def checked(specs: tuple[TensorSpec, ...], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Return exactly the declared tensors, or raise `BadData` naming every mismatch."""
    wrong = [
        f"{spec.name}: want {spec.shape} {spec.dtype}, got {_form(tensors.get(spec.name))}"
        for spec in specs
        if spec.name not in tensors or not spec.accepts(tensors[spec.name])
    ]
    wrong += [f"{name}: not an input" for name in sorted(tensors.keys() - {spec.name for spec in specs})]
    if wrong:
        raise BadData("; ".join(wrong), hint="compare with manifest.toml of the bundle")
    return {spec.name: tensors[spec.name] for spec in specs}


def finite(outputs: dict[str, Array], inputs: Mapping[str, Array], device: str = "") -> dict[str, Array]:
    """Return `outputs`, or blame whoever brought numbers that are none: the inputs, or `device`.

    The inputs are looked at only after an output failed, so that a good inference pays for its outputs alone.
    """
    if strange := _strange(outputs):
        if given := _strange(inputs):
            raise BadData(f"not finite: {', '.join(given)}", hint="look at what the source delivers")
        raise DeviceFault(
            f"the device gave numbers that are not finite: {', '.join(strange)}",
            hint="try another runtime: [engine] runtime",
            device=device,
        )
    return outputs


def together(spec: TensorSpec, pieces: int) -> TensorSpec:
    """Give a tensor that holds so many pieces, one after the other along its first axis.

    Args:
        spec: of one piece.
        pieces: how many.

    Returns:
        Its own for one piece.

    Raises:
        BadData: it has no axis, and there are several.
    """
    if pieces == 1:
        return spec
    if not spec.shape:
        raise BadData(f"{spec.name}: one number cannot be given for {pieces} pieces", hint="run one piece at a time")
    return TensorSpec(spec.name, (pieces * spec.shape[0], *spec.shape[1:]), spec.dtype)


def joined(feeds: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Give the tensors of several pieces as those of all together."""
    return {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}


def parted(outputs: Mapping[str, Array], pieces: int) -> list[dict[str, Array]]:
    """Give the tensors of several pieces that were computed together, piece by piece."""
    rows = {name: np.split(array, pieces) for name, array in outputs.items()}
    return [{name: each[at] for name, each in rows.items()} for at in range(pieces)]


def _form(array: Array | None) -> str:
    return "nothing" if array is None else f"{array.shape} {array.dtype}"


def _strange(tensors: Mapping[str, Array]) -> list[str]:
    return [name for name, array in tensors.items() if not np.isfinite(array).all()]
