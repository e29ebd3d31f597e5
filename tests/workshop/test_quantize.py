"""Integers of a picture part keep to seven bits, so that no processor cuts a sum of them off."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

pytest.importorskip("nncf", reason="needs the extra [workshop]: nncf")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 (nncf may be missing)

from models.manifest import LARGEST_THAT_FITS  # noqa: E402
from models.workshop.pack import largest_weight  # noqa: E402
from models.workshop.quantize import quantised  # noqa: E402
from models.workshop.runner import RUNTIMES, Model  # noqa: E402

pytestmark = pytest.mark.workshop

CHANNELS = 16


def dense() -> onnx.ModelProto:
    """Three convolutions with weights of both signs; the first one stays in float32."""
    rng = np.random.default_rng(5)
    channels = (3, CHANNELS, CHANNELS, CHANNELS)
    nodes, constants = [], []
    for i in range(3):
        source, output = ("picture", f"y{i}") if i == 0 else (f"r{i - 1}", f"y{i}")
        weights = rng.normal(size=(channels[i + 1], channels[i], 1, 1)).astype(np.float32)
        constants.append(numpy_helper.from_array(weights, f"w{i}"))
        nodes += [
            helper.make_node("Conv", [source, f"w{i}"], [output], name=f"conv{i}"),
            helper.make_node("Relu", [output], [f"r{i}"], name=f"relu{i}"),
        ]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, count, 8, 8))
        for name, count in (("picture", 3), ("r2", CHANNELS))
    ]
    graph = helper.make_graph(nodes, "dense", ports[:1], ports[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_weights_keep_to_seven_bits_and_the_quick_way_gives_what_the_exact_way_gives() -> None:
    rng = np.random.default_rng(6)
    pictures = [rng.normal(size=(1, 3, 8, 8)).astype(np.float32) for _ in range(8)]
    integers = quantised(dense(), pictures)

    assert 32 < largest_weight([integers]) <= LARGEST_THAT_FITS
    exact = Model(integers.SerializeToString(), "onnxruntime", overflows=True).run({"picture": pictures[0]})["r2"]
    for runtime in RUNTIMES:
        quick = Model(integers.SerializeToString(), runtime).run({"picture": pictures[0]})["r2"]
        np.testing.assert_allclose(quick, exact, atol=0.02 * np.abs(exact).max())
