"""The image part of `generic`: pooled stages of a frozen network, and the projection behind them.

What goes into the projection and which pictures calibrate it is decided elsewhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.workshop.efficientnet import EfficientNetLite0, pretrained
from models.workshop.export import OPSET, exported

BLOCKS: Final = (4, 7, 10, 14, 15)
"""Whose outputs are pooled, counted from 0: fine texture at a stride of 8 pixels up to whole shapes at 32."""

CHANNELS: Final = (40, 80, 112, 192, 320)

FEATURES: Final = 2 * sum(CHANNELS)
"""Mean and maximum of every channel."""

MATRIX: Final = "projection.matrix"
OFFSET: Final = "projection.offset"

MEAN: Final = 127.0
STD: Final = 128.0
"""What the published weights expect: grey levels brought to -1…1."""


class PooledStages(nn.Module):
    """Means and maxima of the outputs of `BLOCKS` over the picture, one after the other."""

    def __init__(self, network: EfficientNetLite0) -> None:
        super().__init__()
        self._network = network

    def forward(self, picture: Tensor) -> Tensor:
        """Give (1, FEATURES) of a picture (1, 3, height, width)."""
        outputs = self._network.block_outputs(picture)
        pooled = []
        for index in BLOCKS:
            pooled += [outputs[index].mean(dim=(2, 3)), outputs[index].amax(dim=(2, 3))]
        return torch.cat(pooled, dim=1)


def export(side_px: int, path: Path) -> onnx.ModelProto:
    """Export the pooled pretrained network in float32.

    Args:
        side_px: side of the square picture [px].
        path: where the exporter writes.

    Returns:
        The model: `picture` (1, 3, side, side) to `image_features` (1, FEATURES).
    """
    model = PooledStages(pretrained().with_folded_norms()).eval()
    picture = torch.zeros(1, 3, side_px, side_px)
    return exported(model, {"picture": picture}, ["image_features"], path)


def projected(
    model: onnx.ModelProto, matrix: NDArray[np.floating], offset: NDArray[np.floating], output: str
) -> onnx.ModelProto:
    """Put the projection behind the pooled features, in float32: it is where small differences count.

    Args:
        model: gives `image_features` (1, F).
        matrix: shape (F, d).
        offset: added to what the matrix gives, shape (d,).
        output: name of the result, (1, d).

    Returns:
        The model `picture` to `output`.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    features = whole.graph.output[0].name
    whole.graph.node.append(_gemm(features, output))
    whole.graph.initializer.extend(_affine(matrix, offset))
    del whole.graph.output[:]
    whole.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, (1, matrix.shape[1])))
    onnx.checker.check_model(whole, full_check=True)
    return whole


def projection(source: str, mean: NDArray[np.float64], matrix: NDArray[np.float64], output: str) -> onnx.ModelProto:
    """Give a part that is nothing but a projection of `source`, (1, F), to `output`, (1, d)."""
    graph = helper.make_graph(
        [_gemm(source, output)],
        "projection",
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, (1, matrix.shape[0]))],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, (1, matrix.shape[1]))],
        _affine(matrix, -mean @ matrix),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _gemm(source: str, output: str) -> onnx.NodeProto:
    return helper.make_node("Gemm", [source, MATRIX, OFFSET], [output], name="projection")


def affine_of(part: onnx.ModelProto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give matrix and offset of the projection in a part."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in part.graph.initializer}
    return stored[MATRIX], stored[OFFSET]


def _affine(matrix: NDArray[np.floating], offset: NDArray[np.floating]) -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(matrix.astype(np.float32), MATRIX),
        numpy_helper.from_array(offset.astype(np.float32), OFFSET),
    ]
