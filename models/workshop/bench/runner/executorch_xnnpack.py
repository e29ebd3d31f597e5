"""ExecuTorch with its XNNPACK backend: converted by its own exporter, run by its own runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from numpy.typing import NDArray

PACKAGES: Final = ("executorch", "torch")


def convert(program: Path, target: Path) -> None:
    """Lower a program; what XNNPACK does not take stays with ExecuTorch's portable kernels."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(torch.export.load(program), partitioner=[XnnpackPartitioner()])
    target.write_bytes(lowered.to_executorch().buffer)


def load(path: Path, precision: str, threads: int) -> tuple[Callable[[list[NDArray[Any]]], list[NDArray[Any]]], str]:
    """Load a converted program; see `service.Runtime`."""
    from executorch.extension.pybindings import portable_lib  # before the runtime, which it registers
    from executorch.runtime import Runtime

    del precision  # float32 is the only one here
    torch.set_num_threads(threads)
    portable_lib._unsafe_reset_threadpool(threads)  # noqa: SLF001 (the only way to say how many threads compute)
    method = Runtime.get().load_program(path).load_method("forward")

    def run(inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        return [output.numpy() for output in method.execute([torch.from_numpy(array) for array in inputs])]

    return run, ""
