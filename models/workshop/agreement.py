"""Whether an INT8 model still says what the float32 model says, and, where it does not, which layer lost it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.workshop.runner import Model

WORST: Final = 3
"""How many layers are named."""


def agreement(
    exact: NDArray[np.float64],
    rounded: NDArray[np.float64],
    chosen: NDArray[np.intp],
    labels: NDArray[np.int64],
    lines: NDArray[np.int64],
) -> float:
    """Give the share of samples whose nearest class of their line is the same in both.

    Args:
        exact: embeddings of the chosen samples in float32, shape (chosen, d).
        rounded: embeddings of all samples in INT8, shape (n, d); the classes lie where these have their means.
        chosen: which samples are compared.
        labels: of all samples, shape (n,).
        lines: of all samples, shape (n,); the classes of each are told apart by themselves.

    Returns:
        From 0 to 1.
    """
    same = np.zeros(len(chosen), dtype=bool)
    for line in np.unique(lines[chosen]):
        here = lines == line
        means = np.array([rounded[here & (labels == c)].mean(axis=0) for c in np.unique(labels[here])])
        asked = np.flatnonzero(lines[chosen] == line)
        said = [((z[:, None] - means) ** 2).sum(axis=2).argmin(axis=1) for z in (exact[asked], rounded[chosen[asked]])]
        same[asked] = said[0] == said[1]
    return float(same.mean())


def worst_layers(
    dense: onnx.ModelProto, integers: onnx.ModelProto, pictures: Sequence[NDArray[np.float32]]
) -> list[str]:
    """Name the convolutions whose output loses most of its signal against the one before.

    Args:
        dense: the model in float32.
        integers: the same in INT8, with the same names.
        pictures: source tensors.

    Returns:
        Names with the signal-to-noise ratio of their output [dB], the greatest loss first.
    """
    names = [node.output[0] for node in dense.graph.node if node.op_type == "Conv"]
    made = {output for node in integers.graph.node for output in node.output}
    names = [name for name in names if name in made]
    runs = [Model(_showing(model, names).SerializeToString(), "onnxruntime") for model in (dense, integers)]
    signal, noise = np.zeros(len(names)), np.zeros(len(names))
    for picture in pictures:
        want, got = (run.run({"picture": picture}) for run in runs)
        signal += [float(np.square(want[name]).sum()) for name in names]
        noise += [float(np.square(want[name] - got[name]).sum()) for name in names]
    ratio_db = 10.0 * np.log10(signal / np.maximum(noise, 1e-12))
    loss_db = np.concatenate([[0.0], ratio_db[:-1] - ratio_db[1:]])
    return [f"{names[i]} ({ratio_db[i]:.0f} dB)" for i in np.argsort(-loss_db)[:WORST]]


def _showing(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    del shown.graph.output[:]
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    return shown
