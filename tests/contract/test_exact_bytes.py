"""Each engine adds 8-bit products exactly, also on a processor whose quick instructions cut sums off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_agent.engines.base import Engine
from edge_agent.engines.onnxruntime_engine import OnnxEngine
from edge_agent.engines.openvino_engine import OpenVinoEngine
from models.saturation import saturates

CHANNELS = 64


def largest_products(weight: int = 127, *, depthwise: bool = False) -> bytes:
    """A quantised convolution in which each pair of products is as large as can be: two of them pass 16 bits."""
    shape, side = ((CHANNELS, 1, 8, 8), 9) if depthwise else ((CHANNELS, CHANNELS, 1, 1), 16)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["qx"]),
        helper.make_node("DequantizeLinear", ["qx", "sx", "zx"], ["dx"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw"], axis=0),
        helper.make_node("Conv", ["dx", "dw"], ["sum"], group=CHANNELS if depthwise else 1),
        helper.make_node("QuantizeLinear", ["sum", "sy", "zy"], ["qy"]),
        helper.make_node("DequantizeLinear", ["qy", "sy", "zy"], ["y"]),
    ]
    tensors = {
        "sx": np.float32(1 / 255),
        "zx": np.uint8(0),
        "w": np.full(shape, weight, np.int8),
        "sw": np.full(CHANNELS, 1 / abs(weight), np.float32),
        "zw": np.zeros(CHANNELS, np.int8),
        "sy": np.float32(CHANNELS / 127),
        "zy": np.uint8(128),
    }
    graph = helper.make_graph(
        nodes,
        "largest",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, CHANNELS, 16, 16))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, CHANNELS, side, side))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


ENGINES = pytest.mark.parametrize("engine", [OnnxEngine, OpenVinoEngine])


def answered(running: Engine) -> NDArray[np.float32]:
    y: NDArray[np.float32] = running.infer({"x": np.ones((1, CHANNELS, 16, 16), np.float32)})["y"]
    running.close()
    return y


@ENGINES
def test_the_largest_products_are_added_exactly(engine: Callable[[bytes], Engine]) -> None:
    """255 x 127 + 255 x 127 is 64,770 and 16 bits hold 32,767: cut off, half of the answer would be there."""
    assert np.allclose(answered(engine(largest_products())), CHANNELS, rtol=1e-3)


@ENGINES
@pytest.mark.parametrize("weight", [64, -64])
def test_weights_of_seven_bits_are_added_exactly_the_quick_way(engine: type[OpenVinoEngine], weight: int) -> None:
    """255 x 64 + 255 x 64 is 32,640."""
    y = answered(engine(largest_products(weight), overflows=False))

    assert np.allclose(y, np.copysign(CHANNELS, weight), rtol=1e-3)


@ENGINES
def test_depthwise_products_are_added_exactly_the_quick_way_too(engine: type[OpenVinoEngine]) -> None:
    """Of 8 x 8 places 64 products, as large as they can be."""
    y = answered(engine(largest_products(127, depthwise=True), overflows=False))

    assert np.allclose(y, CHANNELS, rtol=1e-3)


@ENGINES
@pytest.mark.skipif(not saturates(), reason="this processor cuts nothing off")
def test_weights_of_eight_bits_that_are_said_to_fit_would_be_cut_off(engine: type[OpenVinoEngine]) -> None:
    y = answered(engine(largest_products(127), overflows=False))

    assert not np.allclose(y, CHANNELS, rtol=0.1)
