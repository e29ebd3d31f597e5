"""Quantises the picture part of a trained bundle anew, the way bundles are quantised now; nothing is trained.

`python -m models.workshop.requantise models/bundles/castings castings`

The network in front is published in float32, and the bundle holds what was trained behind it: the projections to tokens
in the bytes that they were rounded to once, and everything else in float32. So the float32 model is put together
again, but for the rounding of those bytes. Prior, golden sources and all other parts stay as they are.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from models.bundle import Bundle
from models.workshop.build import CALIBRATION, embedded, stratified
from models.workshop.collect import tensor_of
from models.workshop.courses import Course
from models.workshop.errors import WorkshopError
from models.workshop.export import ImagePart, exported, with_maps
from models.workshop.fusion import VIBRATION
from models.workshop.learn import Choice
from models.workshop.quantize import quantised
from models.workshop.renewal import Samples, command, replaced, samples


def requantise(old: Bundle, course: Course, seed: int) -> Bundle:
    """Quantise the picture part of a bundle anew and replace the bundle.

    Args:
        old: made by `learn`, with EfficientNet-Lite0.
        course: what it was trained on.
        seed: that it was trained with, and of what is chosen.

    Returns:
        The bundle.

    Raises:
        WorkshopError: it has another network, or INT8 gives too many samples another class.
    """
    manifest = old.manifest
    if manifest.picture is None:
        raise WorkshopError(f"{old.name} looks at no picture", hint="nothing of it is in INT8")
    parts = {part.role: onnx.load_from_string(old.part_bytes(part.role)) for part in manifest.parts}
    dense = recovered(parts["image"], manifest.picture.width)
    choice = Choice(seed=seed, side_px=manifest.picture.width, image_encoder="resnet18")  # nobody needs maps here
    corpus = samples(course, choice)
    exact = embedded(parts | {"image": dense}, manifest.blocks, corpus, np.arange(len(corpus)), "float32")
    chosen = stratified(corpus.labels, corpus.lines, CALIBRATION, seed)
    parts["image"] = quantised(dense, [tensor_of(corpus.pictures[i]) for i in chosen])
    z = embedded(parts, manifest.blocks, corpus, np.arange(len(corpus)), "INT8")
    how = f"- **Quantised anew** by `models.workshop.requantise`, with the trained weights of {manifest.version}."
    return replaced(old, parts, Samples(corpus, exact, z), old.prior().covariance, "requantise", how)


def recovered(integers: onnx.ModelProto, side_px: int) -> onnx.ModelProto:
    """Put the float32 model of a quantised picture part together again.

    Args:
        integers: the part, of EfficientNet-Lite0 as it is published.
        side_px: side of its picture [px].

    Returns:
        The part in float32.

    Raises:
        WorkshopError: it is of another network.
    """
    model = Choice(side_px=side_px).model((), VIBRATION)
    for projection in (model.image_encoder.fine, model.image_encoder.coarse):
        projection.standard.mean.fill_(1.0)  # or the exporter would leave out a bias of zero
    with tempfile.TemporaryDirectory() as scratch:
        picture = {"picture": torch.zeros(1, 3, side_px, side_px)}
        dense = exported(ImagePart(model).eval(), picture, ["image_tokens"], Path(scratch) / "part.onnx")
    if len(integers.graph.output) > 1:
        dense = with_maps(dense)
    ours, theirs = (_convolutions(part) for part in (dense, integers))
    constants = {tensor.name: tensor for tensor in dense.graph.initializer}
    if [[a.shape for a in arrays] for _, arrays in ours] != [[a.shape for a in arrays] for _, arrays in theirs]:
        raise WorkshopError(
            "the picture part is of another network than efficientnet_lite0",
            hint="train it anew: python -m models.workshop.learn",
        )
    for (names, mine), (_, stored) in zip(ours, theirs, strict=True):
        if not np.allclose(mine[0], stored[0], atol=np.abs(mine[0]).max() / 100.0):
            for name, array in zip(names, stored, strict=True):
                constants[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))
    return dense


def _convolutions(model: onnx.ModelProto) -> list[tuple[list[str], list[NDArray[Any]]]]:
    """Give the constants of each convolution, by the names they are read by; bytes as the numbers they stand for."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            integers, scales = stored[node.input[0]], stored[node.input[1]]
            stored[node.output[0]] = integers * scales.reshape(-1, *[1] * (integers.ndim - 1))
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    return [(list(node.input[1:]), [stored[name] for name in node.input[1:]]) for node in nodes]


if __name__ == "__main__":
    sys.exit(command(__doc__, requantise))
