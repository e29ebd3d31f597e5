"""What is measured: one trained model as files, in the forms that runtimes take, with real inputs and torch's answers.

It describes what is on disk; `subjects` writes it, because that needs torch. `runner/service.py` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DESCRIPTION: Final = "subject.json"
SAMPLES: Final = "samples.npz"
REFERENCE: Final = "reference.npz"


@dataclass(frozen=True)
class Part:
    """One model; what it does not get from outside, a part before it gives.

    Attributes:
        name: of its files: `name.pt2` (torch's program), `name.onnx` (float32), `name.int8.onnx`.
        inputs: names of its inputs, in order.
        outputs: names of its outputs, in order.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """A trained model on disk.

    Attributes:
        folder: where its files are.
        title: what the model is, for people.
        parts: in the order in which one inference runs them.
        answers: names of the outputs in which peers must agree.
    """

    folder: Path
    title: str
    parts: tuple[Part, ...]
    answers: tuple[str, ...]

    def artefacts(self, folder: Path, suffix: str) -> list[Path]:
        """Give the files of all parts with one ending."""
        return [folder / f"{part.name}.{suffix}" for part in self.parts]

    def reference(self) -> dict[str, NDArray[Any]]:
        """Give what torch answers to the samples, (samples, …) by name."""
        return read_arrays(self.folder / REFERENCE)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Give the arrays of a `.npz` file by name."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
