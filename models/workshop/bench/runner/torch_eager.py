"""PyTorch in eager mode: the exported program, called as the module that it is, without any compiler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from numpy.typing import NDArray

PACKAGES: Final = ("torch",)


def load(path: Path, precision: str, threads: int) -> tuple[Callable[[list[NDArray[Any]]], list[NDArray[Any]]], str]:
    """Load a program; see `service.Runtime`."""
    del precision  # float32 is the only one here
    torch.set_num_threads(threads)
    module = torch.export.load(path).module()

    def run(inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        with torch.inference_mode():
            outputs = module(*map(torch.from_numpy, inputs))
        return [output.numpy() for output in (outputs if isinstance(outputs, tuple | list) else (outputs,))]

    return run, ""
