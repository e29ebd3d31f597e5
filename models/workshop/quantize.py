"""From float32 to INT8: weights and activations of a picture's part, in a form that every runtime computes in integers.

Which pictures calibrate it is decided elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import nncf
import numpy as np
import onnx
from nncf.quantization.advanced_parameters import OverflowFix, QuantizationParameters
from numpy.typing import NDArray
from onnx import numpy_helper

from models.workshop.pack import groups

DEPTHWISE_IN_FLOAT: Final = 8
"""So many of the 16 depthwise convolutions, from the front, stay in float32, as does the very first convolution: their
channels differ so much in range that INT8 turned embeddings by 28 degrees (median cosine 0.884); so it is 0.997."""


def quantised(model: onnx.ModelProto, pictures: Sequence[NDArray[np.float32]]) -> onnx.ModelProto:
    """Quantise weights and activations to INT8, as QDQ nodes that every runtime understands.

    Weights use seven of the eight bits where products are added in pairs, so that no sum is cut off in 16 bits
    (decision 33); nncf leaves those of depthwise convolutions, which are not, at eight.
    Activations have one scale per tensor, because onnxruntime computes nothing else in integers.

    Args:
        model: from `export`.
        pictures: calibration tensors (1, 3, side, side).

    Returns:
        The INT8 model, same input and output.
    """
    logging.getLogger("nncf").setLevel(logging.ERROR)
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    depthwise = [node for node in convolutions if groups(node) > 1]
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
            activations_quantization_params=QuantizationParameters(per_channel=False),
            overflow_fix=OverflowFix.ENABLE,
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
