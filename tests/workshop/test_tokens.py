"""Tokens come beside an embedding that stays the same to the bit, each region where it is in the picture."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

import onnx  # noqa: E402 (torch may be missing)
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from models.workshop.runner import RUNTIMES, Model  # noqa: E402
from models.workshop.tokens import EACH, OUTPUT, maps_only, projection, with_tokens  # noqa: E402

pytestmark = pytest.mark.workshop

CHANNELS = (3, 3, 70, 80, 3)
SIDES = (8, 8, 8, 4, 4)


def pooled() -> onnx.ModelProto:
    """A picture part with five pooled stages: convolutions of a picture of 16 x 16."""
    rng = np.random.default_rng(1)
    nodes, arrays, means = [], [numpy_helper.from_array(np.array([2, 3]), "axes")], []
    for i, (channels, side) in enumerate(zip(CHANNELS, SIDES, strict=True)):
        kernel = 16 // side
        weights = rng.normal(size=(channels, 3, kernel, kernel)).astype(np.float32)
        arrays.append(numpy_helper.from_array(weights, f"w{i}"))
        nodes.append(helper.make_node("Conv", ["picture", f"w{i}"], [f"map{i}"], strides=[kernel, kernel]))
        nodes.append(helper.make_node("ReduceMean", [f"map{i}", "axes"], [f"mean{i}"], keepdims=0))
        means.append(f"mean{i}")
    nodes.append(helper.make_node("Concat", means, ["image_features"], axis=1))
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, 16, 16))],
        [helper.make_tensor_value_info("image_features", TensorProto.FLOAT, (1, sum(CHANNELS)))],
        arrays,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


PICTURE = np.random.default_rng(2).normal(size=(1, 3, 16, 16)).astype(np.float32)


def maps() -> list[np.ndarray]:
    return [
        values[0].astype(float)
        for values in Model(maps_only(pooled()).SerializeToString()).run({"picture": PICTURE}).values()
    ]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_was_given_before_is_given_to_the_bit(runtime: str) -> None:
    fine, coarse = (projection([one.reshape(len(one), -1)]) for one in maps())
    before, after = pooled(), with_tokens(pooled(), fine, coarse)
    old, new = (Model(model.SerializeToString(), runtime).run({"picture": PICTURE}) for model in (before, after))

    assert list(new) == ["image_features", OUTPUT]
    np.testing.assert_array_equal(old["image_features"], new["image_features"])
    assert new[OUTPUT].shape == (1, 64, 2 * EACH)


def test_each_region_has_the_fine_and_the_coarse_of_its_place() -> None:
    fine_map, coarse_map = maps()
    fine, coarse = (projection([one.reshape(len(one), -1)]) for one in (fine_map, coarse_map))
    model = Model(with_tokens(pooled(), fine, coarse).SerializeToString())
    tokens = model.run({"picture": PICTURE})[OUTPUT][0].reshape(8, 8, 2 * EACH)

    for row, column in ((0, 0), (2, 5), (7, 1)):
        want = np.concatenate([fine @ fine_map[:, row, column], coarse @ coarse_map[:, row // 2, column // 2]])
        np.testing.assert_allclose(tokens[row, column], want, atol=0.02 * np.abs(want).max())


def test_both_count_alike_and_most_of_what_is_long_stays() -> None:
    rng = np.random.default_rng(3)
    loud = rng.normal(size=(200, 90)) @ np.diag([50.0] * 10 + [1.0] * 80)
    quiet = loud / 100.0

    for examples in (loud, quiet):
        projected = examples @ projection([examples.T]).T
        assert 0.9 < float(np.square(projected).sum(axis=1).mean()) <= 1.0 + 1e-9
