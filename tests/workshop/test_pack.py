"""A bundle says of itself how large its integer weights are, as they are, not as somebody meant them to be."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.workshop.pack import largest_weight


def model(weights: list[int], dtype: type = np.int8) -> onnx.ModelProto:
    """A model with integer weights, and a zero point that is no weight."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "s"], ["e"]),
        helper.make_node("Mul", ["d", "e"], ["y"]),
    ]
    tensors = {"s": np.float32(1.0), "z": np.uint8(128), "w": np.array(weights, dtype)}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (len(weights),)) for name in "xy"]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()]
    return helper.make_model(helper.make_graph(nodes, "integers", ports[:1], ports[1:], constants))


@pytest.mark.parametrize(
    ("weights", "dtype", "largest"),
    [
        ([-3, 0, 64], np.int8, 64),
        ([-65, 0, 64], np.int8, 65),
        ([-128, 0, 127], np.int8, 128),
        ([1, 2, 3], np.uint8, 128),
        ([1000, 0, -1000], np.float32, 0),
    ],
)
def test_the_largest_integer_weight_is_found(weights: list[int], dtype: type, largest: int) -> None:
    assert largest_weight([model(weights, dtype)]) == largest


def test_the_largest_of_all_parts_counts() -> None:
    assert largest_weight([model([1]), model([-127]), model([1])]) == 127


@pytest.mark.parametrize(("width", "largest"), [(1, 0), (2, 127)])
def test_depthwise_weights_do_not_count(width: int, largest: int) -> None:
    """Their products are added in 32 bits; those of a convolution over two channels are not."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["e"]),
        helper.make_node("Conv", ["x", "e"], ["y"], group=4),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4 * width, 8, 8)) for name in "xy"]
    constants = [
        numpy_helper.from_array(np.full((4, width, 3, 3), -127, np.int8), "w"),
        numpy_helper.from_array(np.float32(1.0), "s"),
    ]
    graph = helper.make_graph(nodes, "depthwise", ports[:1], ports[1:], constants)

    assert largest_weight([helper.make_model(graph)]) == largest
