"""The table of peers: which runtime, in which environment, from which file. It starts nothing.

Every version is pinned, so that two people who run the bench compare the same programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Environment:
    """What is installed together.

    Attributes:
        name: of its folder.
        requirements: as pip takes them, with exact versions.
    """

    name: str
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Peer:
    """One runtime with one form of the model.

    Attributes:
        name: as `--peers` takes it.
        title: as the table shows it.
        runner: module in `runner/` that runs it.
        environment: where it is installed.
        suffix: ending of the files that it loads.
        precision: of its arithmetic: fp32, bf16 or int8.
        converts: whether it makes these files itself, from the program that torch exported.
    """

    name: str
    title: str
    runner: str
    environment: Environment
    suffix: str
    precision: str
    converts: bool = False


NUMPY: Final = "numpy==2.4.6"
TORCH: Final = "torch==2.13.0"
"""The version that exports: its programs are read by the same version everywhere."""

PYTORCH: Final = Environment("pytorch", (TORCH, NUMPY))
EXECUTORCH: Final = Environment("executorch", ("executorch==1.5.1", TORCH, NUMPY))
LITERT: Final = Environment("litert", ("litert-torch==0.10.0", TORCH, NUMPY))
ONNXRUNTIME: Final = Environment("onnxruntime", ("onnxruntime==1.32.0", NUMPY))
OPENVINO: Final = Environment("openvino", ("openvino==2026.4.1", NUMPY))

PEERS: Final = (
    Peer("pytorch", "PyTorch eager fp32", "torch_eager", PYTORCH, "pt2", "fp32"),
    Peer("executorch", "ExecuTorch XNNPACK fp32", "executorch_xnnpack", EXECUTORCH, "pte", "fp32", converts=True),
    Peer("litert", "LiteRT XNNPACK fp32", "litert_xnnpack", LITERT, "tflite", "fp32", converts=True),
    Peer("onnxruntime", "onnxruntime fp32", "onnxruntime_cpu", ONNXRUNTIME, "onnx", "fp32"),
    Peer("onnxruntime-int8", "onnxruntime int8", "onnxruntime_cpu", ONNXRUNTIME, "int8.onnx", "int8"),
    Peer("openvino", "OpenVINO fp32", "openvino_cpu", OPENVINO, "onnx", "fp32"),
    Peer("openvino-bf16", "OpenVINO bf16", "openvino_cpu", OPENVINO, "onnx", "bf16"),
    Peer("openvino-int8", "OpenVINO int8", "openvino_cpu", OPENVINO, "int8.onnx", "int8"),
)

EAGER: Final = "pytorch"
PRODUCT: Final = "openvino-int8"
"""What the station runs unless told otherwise; both are what the others are compared with."""


def chosen(names: str) -> tuple[Peer, ...]:
    """Give the peers of a list, in the table's order.

    Args:
        names: comma-separated.

    Returns:
        The peers, each once.

    Raises:
        ValueError: a name that is not in the table, with the ones that are.
    """
    wanted = {name.strip() for name in names.split(",")}
    known = {peer.name for peer in PEERS}
    if not wanted <= known:
        raise ValueError(f"no such peer: {', '.join(sorted(wanted - known))}; there are {', '.join(sorted(known))}")
    return tuple(peer for peer in PEERS if peer.name in wanted)
