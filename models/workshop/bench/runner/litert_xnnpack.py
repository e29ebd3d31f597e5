"""LiteRT with its XNNPACK delegate, which its interpreter uses unless told otherwise; converted by litert-torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

PACKAGES: Final = ("ai-edge-litert", "litert-torch", "litert-converter", "torch")


def convert(program: Path, target: Path) -> None:
    """Convert a program with the sample inputs that it was exported with."""
    import litert_torch
    import torch

    exported = torch.export.load(program)
    arguments, _ = exported.example_inputs
    litert_torch.convert(exported.module(), arguments).export(str(target))


def load(path: Path, precision: str, threads: int) -> tuple[Callable[[list[NDArray[Any]]], list[NDArray[Any]]], str]:
    """Load a converted model; see `service.Runtime`."""
    from ai_edge_litert.interpreter import Interpreter

    del precision  # float32 is the only one here
    interpreter = Interpreter(str(path), num_threads=threads)
    interpreter.allocate_tensors()
    signature = interpreter.get_signature_runner()
    inputs_at = _places(signature.get_input_details())
    outputs_at = _places(signature.get_output_details())

    def run(inputs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        for place, array in zip(inputs_at, inputs, strict=True):
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in outputs_at]

    return run, ""


def _places(details: dict[str, dict[str, Any]]) -> list[int]:
    """Give the tensors' places in the order of the arguments: the converter calls them args_0, args_1, …, args_10."""
    return [details[name]["index"] for name in sorted(details, key=lambda name: int(name.rpartition("_")[2]))]
