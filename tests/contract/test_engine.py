"""One suite for every engine: what `Engine` promises, and engines that break a promise and must not pass."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_agent.engines.base import Array, Engine, checked, finite, joined, parted
from edge_agent.engines.onnxruntime_engine import OnnxEngine
from edge_agent.engines.openvino_engine import BATCHES, OpenVinoEngine
from edge_agent.errors import BadData, ConfigError, DeviceFault, Unavailable
from edge_agent.testing.engine import TableEngine
from models.tensor import TensorSpec

INPUTS = (
    TensorSpec("picture", (1, 3, 4, 5), "float32"),
    TensorSpec("vibration", (1, 3), "float32"),
    TensorSpec("count", (2,), "int64"),
)
OUTPUTS = (
    TensorSpec("level", (1, 3), "float32"),
    TensorSpec("root", (1, 3), "float32"),
    TensorSpec("echo", (2,), "int64"),
)
ONNX_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}


def model(inputs: tuple[TensorSpec, ...] = INPUTS) -> bytes:
    """level = mean of each channel + vibration; root = sqrt(vibration); echo = count."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Add", ["flat", "vibration"], ["level"]),
        helper.make_node("Sqrt", ["vibration"], ["root"]),
        helper.make_node("Identity", ["count"], ["echo"]),
    ]
    ports = [
        [helper.make_tensor_value_info(t.name, ONNX_TYPES[t.dtype], t.shape) for t in tensors]
        for tensors in (inputs, OUTPUTS)
    ]
    graph = helper.make_graph(nodes, "mixed", *ports)
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def answer(feed: Mapping[str, Array]) -> dict[str, Array]:
    with np.errstate(invalid="ignore"):
        root = np.sqrt(feed["vibration"])
    level = feed["picture"].mean(axis=(2, 3), dtype=np.float32) + feed["vibration"]
    return {"level": level, "root": root, "echo": feed["count"]}


def table() -> Engine:
    return TableEngine(INPUTS, OUTPUTS, answer)


ENGINES: dict[str, Callable[[], Engine]] = {
    "onnxruntime": lambda: OnnxEngine(model()),
    "openvino": lambda: OpenVinoEngine(model()),
    "table": table,
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = ENGINES[request.param]()
    yield made
    made.close()


def tensors(seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        "picture": rng.normal(size=(1, 3, 4, 5)).astype(np.float32),
        "vibration": rng.uniform(0.5, 1.0, size=(1, 3)).astype(np.float32),
        "count": rng.integers(-5, 5, size=2),
    }


def check_mixed_ranks(engine: Engine) -> None:
    given = tensors()
    got = engine.infer(given)

    assert got.keys() == {"level", "root", "echo"}
    for name, want in answer(given).items():
        np.testing.assert_allclose(got[name], want, rtol=1e-5)


def check_declares_its_tensors(engine: Engine) -> None:
    assert set(engine.inputs) == set(INPUTS)
    assert set(engine.outputs) == set(OUTPUTS)


def check_every_mismatch_is_named_at_once(engine: Engine) -> None:
    given = tensors()
    given["picture"] = given["picture"][0]
    given["count"] = given["count"].astype(np.int32)
    given["stray"] = given.pop("vibration")
    with pytest.raises(BadData) as caught:
        engine.infer(given)

    for words in (
        "picture: want (1, 3, 4, 5) float32, got (3, 4, 5) float32",
        "vibration: want (1, 3) float32, got nothing",
        "count: want (2,) int64, got (2,) int32",
        "stray: not an input",
    ):
        assert words in caught.value.message


def check_still_works_after_a_refusal(engine: Engine) -> None:
    with pytest.raises(BadData):
        engine.infer({})
    check_mixed_ranks(engine)


def check_results_are_the_callers_own(engine: Engine) -> None:
    given = tensors(1)
    first = engine.infer(given)
    kept = {name: array.copy() for name, array in first.items()}
    second = engine.infer(tensors(2))
    for array in second.values():
        array.fill(0)
    for array in given.values():
        array.fill(0)

    for name, array in first.items():
        np.testing.assert_array_equal(array, kept[name])
        assert not any(np.shares_memory(array, other) for other in (*second.values(), *given.values()))


def check_takes_any_memory_layout(engine: Engine) -> None:
    given = tensors()
    given["picture"] = np.asfortranarray(given["picture"])
    given["vibration"] = np.repeat(given["vibration"], 2, axis=1)[:, ::2]
    given["vibration"].flags.writeable = False
    got = engine.infer(given)

    np.testing.assert_allclose(got["level"], answer(given)["level"], rtol=1e-5)


def check_strange_inputs_are_the_inputs_fault(engine: Engine) -> None:
    given = tensors()
    given["vibration"][0, 1] = np.nan
    with pytest.raises(BadData, match="vibration"):
        engine.infer(given)


def check_strange_outputs_are_the_devices_fault(engine: Engine) -> None:
    given = tensors()
    given["vibration"][0, 1] = -1.0
    with pytest.raises(DeviceFault, match="root"):
        engine.infer(given)


def check_closed_is_closed_and_twice_is_fine(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.infer(tensors())


CHECKS = [
    check_mixed_ranks,
    check_declares_its_tensors,
    check_every_mismatch_is_named_at_once,
    check_still_works_after_a_refusal,
    check_results_are_the_callers_own,
    check_takes_any_memory_layout,
    check_strange_inputs_are_the_inputs_fault,
    check_strange_outputs_are_the_devices_fault,
    check_closed_is_closed_and_twice_is_fine,
]


@pytest.mark.parametrize("check", CHECKS)
def test_contract(check: Callable[[Engine], None], engine: Engine) -> None:
    check(engine)


class Broken:
    """A correct engine, to be broken in one place."""

    inputs, outputs = INPUTS, OUTPUTS
    closed = False

    def infer(self, given: Mapping[str, Array]) -> dict[str, Array]:
        if self.closed:
            raise RuntimeError("closed")
        feed = self.check(given)
        return self.finish({name: array.copy() for name, array in answer(feed).items()}, feed)

    def check(self, given: Mapping[str, Array]) -> dict[str, Array]:
        return checked(INPUTS, given)

    def finish(self, outputs: dict[str, Array], feed: dict[str, Array]) -> dict[str, Array]:
        return finite(outputs, feed)

    def close(self) -> None:
        self.closed = True


class ReusesItsBuffers(Broken):
    def __init__(self) -> None:
        self.held = answer(tensors())

    def finish(self, outputs: dict[str, Array], feed: dict[str, Array]) -> dict[str, Array]:
        for name, array in finite(outputs, feed).items():
            self.held[name][...] = array
        return self.held


class HandsTheInputOut(Broken):
    def finish(self, outputs: dict[str, Array], feed: dict[str, Array]) -> dict[str, Array]:
        return finite(outputs, feed) | {"echo": feed["count"]}


class StopsAtTheFirstMismatch(Broken):
    def check(self, given: Mapping[str, Array]) -> dict[str, Array]:
        for spec in INPUTS:
            checked((spec,), {spec.name: given[spec.name]} if spec.name in given else {})
        return dict(given)


class CastsSilently(Broken):
    def check(self, given: Mapping[str, Array]) -> dict[str, Array]:
        return {spec.name: np.resize(given[spec.name], spec.shape).astype(spec.dtype) for spec in INPUTS}


class PassesNanOn(Broken):
    def finish(self, outputs: dict[str, Array], feed: dict[str, Array]) -> dict[str, Array]:
        return outputs


class BlamesTheDeviceAlways(Broken):
    def finish(self, outputs: dict[str, Array], feed: dict[str, Array]) -> dict[str, Array]:
        return finite(outputs, {})


class StaysOpen(Broken):
    def close(self) -> None:
        pass


def test_the_intact_engine_passes_the_whole_suite() -> None:
    for check in CHECKS:
        check(Broken())


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        (ReusesItsBuffers, check_results_are_the_callers_own),
        (HandsTheInputOut, check_results_are_the_callers_own),
        (StopsAtTheFirstMismatch, check_every_mismatch_is_named_at_once),
        (CastsSilently, check_every_mismatch_is_named_at_once),
        (PassesNanOn, check_strange_outputs_are_the_devices_fault),
        (BlamesTheDeviceAlways, check_strange_inputs_are_the_inputs_fault),
        (StaysOpen, check_closed_is_closed_and_twice_is_fine),
    ],
)
def test_the_suite_has_teeth(wrong: type[Broken], check: Callable[[Engine], None]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, KeyError, DeviceFault)):
        check(wrong())


@pytest.mark.parametrize("load", [OnnxEngine, OpenVinoEngine])
@pytest.mark.parametrize("junk", [b"", b"not a model", model()[:100]], ids=["empty", "text", "cut"])
def test_what_is_no_model_is_refused(load: Callable[[bytes], Engine], junk: bytes) -> None:
    with pytest.raises(BadData):
        load(junk)


@pytest.mark.parametrize("load", [OnnxEngine, OpenVinoEngine])
def test_a_dynamic_shape_is_refused(load: Callable[[bytes], Engine]) -> None:
    dynamic = onnx.load_from_string(model())
    dynamic.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    with pytest.raises(BadData, match="picture has no static shape"):
        load(dynamic.SerializeToString())


def test_a_device_that_is_not_here_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="no device abacus") as caught:
        OpenVinoEngine(model(), "abacus")

    assert "cpu" in caught.value.hint


def test_a_folder_that_cannot_be_made_for_compiled_models_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot keep compiled models there") as caught:
        OpenVinoEngine(model(), cache=tmp_path / "file" / "compiled")

    assert str(tmp_path / "file" / "compiled") in caught.value.message


def reshaped() -> bytes:
    """A model whose reshapes name one piece: first as they are exported, then with a free size beside it."""
    nodes = [
        helper.make_node("Reshape", ["picture", "flat"], ["made"]),
        helper.make_node("Reshape", ["made", "rows"], ["level"]),
    ]
    constants = [
        helper.make_tensor("flat", TensorProto.INT64, [3], [1, 12, 5]),
        helper.make_tensor("rows", TensorProto.INT64, [3], [1, -1, 3]),
    ]
    ports = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in (("picture", [1, 3, 4, 5]), ("level", [1, 20, 3]))
    ]
    graph = helper.make_graph(nodes, "reshaped", ports[:1], ports[1:], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())


@pytest.mark.parametrize("pieces", BATCHES)
def test_openvino_computes_pieces_together_as_it_does_alone(pieces: int) -> None:
    alone, wide = (OpenVinoEngine(reshaped(), pieces=count) for count in (1, pieces))
    feeds = [{"picture": tensors(seed)["picture"]} for seed in range(pieces)]
    made = parted(wide.infer(joined(feeds)), pieces)

    assert wide.inputs == (TensorSpec("picture", (pieces, 3, 4, 5), "float32"),)
    for own, feed in zip(made, feeds, strict=True):
        np.testing.assert_array_equal(own["level"], alone.infer(feed)["level"])
