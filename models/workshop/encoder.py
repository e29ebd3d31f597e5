"""The image part of a bundle: pooled stages of a frozen network, exported to ONNX and quantised to INT8.

It knows torch, onnx and nncf; what goes into the projection and which pictures calibrate it is decided elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import nncf
import numpy as np
import onnx
import torch
from nncf.quantization.advanced_parameters import QuantizationParameters
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from models.workshop.efficientnet import EfficientNetLite0, pretrained

BLOCKS: Final = (4, 7, 10, 14, 15)
"""Whose outputs are pooled, counted from 0: fine texture at a stride of 8 pixels up to whole shapes at 32."""

CHANNELS: Final = (40, 80, 112, 192, 320)

FEATURES: Final = 2 * sum(CHANNELS)
"""Mean and maximum of every channel."""

OPSET: Final = 18

DEPTHWISE_IN_FLOAT: Final = 8
"""So many of the 16 depthwise convolutions, from the front, stay in float32, as does the very first convolution: their
channels differ so much in range that INT8 turned embeddings by 28 degrees (median cosine 0.884); so it is 0.997."""

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
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, side_px, side_px),),
        path,
        input_names=["picture"],
        output_names=["image_features"],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    return _pads_folded(onnx.load(path))


def _pads_folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Move every zero padding into the convolution behind it, where a quantised convolution can be fused."""
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    constants |= {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"
    }
    pads = {node.output[0]: node for node in model.graph.node if node.op_type == "Pad"}
    for node in model.graph.node:
        if node.op_type == "Conv" and node.input[0] in pads:
            pad = pads[node.input[0]]
            begin_end = constants[pad.input[1]].reshape(2, -1)[:, -2:].reshape(-1)
            kept = [attribute for attribute in node.attribute if attribute.name not in ("pads", "auto_pad")]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("pads", [int(p) for p in begin_end])])
            node.input[0] = pad.input[0]
    left = [node for node in model.graph.node if node.op_type != "Pad"]
    del model.graph.node[:]
    model.graph.node.extend(left)
    onnx.checker.check_model(model, full_check=True)
    return model


def quantised(model: onnx.ModelProto, pictures: Sequence[NDArray[np.float32]]) -> onnx.ModelProto:
    """Quantise weights and activations to INT8, as QDQ nodes that every runtime understands.

    Activations have one scale per tensor, because onnxruntime computes nothing else in integers.

    Args:
        model: from `export`.
        pictures: calibration tensors (1, 3, side, side).

    Returns:
        The INT8 model, same input and output.
    """
    logging.getLogger("nncf").setLevel(logging.ERROR)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    depthwise = [node for node in convolutions if _groups(node) > 1]
    in_float = [node.name for node in (convolutions[0], *depthwise[:DEPTHWISE_IN_FLOAT])]
    dataset = nncf.Dataset(list(pictures), lambda picture: {"picture": picture})
    integers = nncf.quantize(
        model,
        dataset,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(pictures),
        fast_bias_correction=True,
        ignored_scope=nncf.IgnoredScope(names=in_float, types=["ReduceMean", "ReduceMax", "Concat"], validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_quantization_params=QuantizationParameters(per_channel=False)
        ),
    )
    return _fusable(integers)


def _fusable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Change how quantised activations are written, not what they are, so that onnxruntime computes in integers.

    It runs a convolution in integers only where input and output have the same type and every reader of the output
    reads it in integers. So signed activations become unsigned (zero point + 128 stands for the same values), and a
    pooling or an addition that still reads a float tensor of which a quantised one exists reads that.
    """
    zeros = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    signed: set[str] = set()
    pairs: dict[str, str] = {}
    for node in model.graph.node:
        quantise = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if quantise is not None and quantise.op_type == "QuantizeLinear":
            pairs.setdefault(quantise.input[0], node.output[0])
            signed |= {name for name in (quantise.input[2], node.input[2]) if zeros[name].dtype == np.int8}
    for tensor in model.graph.initializer:
        if tensor.name in signed:
            unsigned = (zeros[tensor.name].astype(np.int16) + 128).astype(np.uint8)
            tensor.CopyFrom(numpy_helper.from_array(unsigned, tensor.name))
    del model.graph.value_info[:]
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear":
            for i, name in enumerate(node.input):
                node.input[i] = pairs.get(name, name)
    return model


def _groups(convolution: onnx.NodeProto) -> int:
    return next((int(a.i) for a in convolution.attribute if a.name == "group"), 1)


def projected(
    model: onnx.ModelProto, mean: NDArray[np.float64], matrix: NDArray[np.float64], output: str
) -> onnx.ModelProto:
    """Put the projection behind the pooled features, in float32: it is where small differences count.

    Args:
        model: gives `image_features` (1, F).
        mean: subtracted from the features, shape (F,).
        matrix: shape (F, d).
        output: name of the result, (1, d).

    Returns:
        The model `picture` to `output`.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    features = whole.graph.output[0].name
    whole.graph.node.append(_gemm(features, output))
    whole.graph.initializer.extend(_affine(mean, matrix))
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
        _affine(mean, matrix),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _gemm(source: str, output: str) -> onnx.NodeProto:
    return helper.make_node("Gemm", [source, "projection.matrix", "projection.offset"], [output], name="projection")


def _affine(mean: NDArray[np.float64], matrix: NDArray[np.float64]) -> list[onnx.TensorProto]:
    return [
        numpy_helper.from_array(matrix.astype(np.float32), "projection.matrix"),
        numpy_helper.from_array((-mean @ matrix).astype(np.float32), "projection.offset"),
    ]
