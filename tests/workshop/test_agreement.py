"""INT8 is proven to be the same model, and where it is not, the layer that lost it is named."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.workshop.agreement import agreement, worst_layers
from models.workshop.pack import plain

RNG = np.random.default_rng(3)
LABELS = np.tile(np.repeat(np.arange(3), 10), 2)
LINES = np.repeat([0, 1], 30)


def embeddings() -> NDArray[np.float64]:
    """Classes of the two lines lie elsewhere; line 1 has line 0's classes in another order."""
    centres = np.eye(8)[[0, 1, 2, 1, 2, 0]]
    return centres[LINES * 3 + LABELS] + RNG.normal(0.0, 0.05, (60, 8))


ALL = np.arange(60)


def test_the_same_embeddings_agree_and_a_little_noise_changes_nothing() -> None:
    exact = embeddings()

    assert agreement(exact, exact, ALL, LABELS, LINES) == 1.0
    assert agreement(exact + RNG.normal(0.0, 0.02, exact.shape), exact, ALL, LABELS, LINES) == 1.0


def test_what_goes_to_another_class_is_counted_even_where_one_sample_of_each_class_is_compared() -> None:
    exact = embeddings()
    chosen = np.arange(0, 60, 10)
    moved = exact[chosen]
    moved[0] = exact[10]

    assert agreement(exact[chosen], exact, chosen, LABELS, LINES) == 1.0
    assert agreement(moved, exact, chosen, LABELS, LINES) == 1.0 - 1 / 6


def test_each_line_is_judged_by_its_own_classes() -> None:
    exact = embeddings()
    swapped = np.concatenate([exact[30:], exact[:30]])

    assert agreement(swapped, exact, ALL, LABELS, LINES) < 0.5
    assert agreement(swapped, exact, ALL, LABELS, np.zeros(60, dtype=np.int64)) < agreement(
        exact, exact, ALL, LABELS, LINES
    )


def chain(weights: list[NDArray[np.float32]]) -> onnx.ModelProto:
    """A chain of convolutions, one after the other."""
    nodes, constants = [], []
    for i, weight in enumerate(weights):
        source = "picture" if i == 0 else f"y{i - 1}"
        nodes.append(helper.make_node("Conv", [source, f"w{i}"], [f"y{i}"], name=f"conv{i}"))
        constants.append(numpy_helper.from_array(weight, f"w{i}"))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, 8, 8))],
        [helper.make_tensor_value_info(f"y{len(weights) - 1}", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_the_layer_that_loses_most_is_named_first() -> None:
    weights = [RNG.normal(size=(4, 3, 1, 1)).astype(np.float32), *(RNG.normal(size=(3, 4, 4, 1, 1)).astype(np.float32))]
    spoiled = [w.copy() for w in weights]
    spoiled[0] += np.float32(1e-4)
    spoiled[2] += RNG.normal(0.0, 0.5, spoiled[2].shape).astype(np.float32)
    pictures = [RNG.normal(size=(1, 3, 8, 8)).astype(np.float32) for _ in range(2)]

    assert worst_layers(chain(weights), chain(spoiled), pictures)[0].startswith("y2 (")


def test_a_bundle_does_not_say_where_it_was_made() -> None:
    model = chain([RNG.normal(size=(4, 3, 1, 1)).astype(np.float32)])
    told = onnx.ModelProto()
    told.CopyFrom(model)
    told.graph.node[0].metadata_props.add(key="trace", value="/home/somebody/workshop/encoder.py")
    told.graph.node[0].doc_string = told.graph.doc_string = told.doc_string = "made on a desk"

    assert plain(told).SerializeToString() == plain(model).SerializeToString() == model.SerializeToString()
