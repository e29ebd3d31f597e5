"""The pool loads each part once and refuses a model that is not what the manifest says."""

from dataclasses import dataclass, field
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edge_agent.engines import DeviceName, Spot, load_engines, pool
from edge_agent.errors import ConfigError, DeviceFault
from edge_agent.testing.engine import TableEngine
from models.errors import BundleRefused
from models.manifest import Part
from models.tensor import TensorSpec

PICTURE = TensorSpec("picture", (1, 3, 2, 2), "float32")
EMBEDDING = TensorSpec("image_embedding", (1, 12), "float32")


def flattener(shape: tuple[int, ...] = (1, 3, 2, 2)) -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["picture"], ["image_embedding"])],
        "flattener",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("image_embedding", TensorProto.FLOAT, None)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(onnx.shape_inference.infer_shapes(made).SerializeToString())


def part(
    role: str, inputs: tuple[TensorSpec, ...] = (PICTURE,), outputs: tuple[TensorSpec, ...] = (EMBEDDING,)
) -> Part:
    return Part(role, f"{role}.onnx", "0" * 64, 1, inputs, outputs)


@dataclass
class Manifest:
    parts: tuple[Part, ...]
    overflows: bool = True


@dataclass
class Package:
    """As much of a bundle as the pool looks at."""

    manifest: Manifest
    models: dict[str, bytes]
    name: str = "tiny"
    read: list[str] = field(default_factory=list)

    def part_bytes(self, role: str) -> bytes:
        self.read.append(role)
        return self.models[role]


def package(*parts: Part, model: bytes | None = None) -> Package:
    return Package(Manifest(parts), {p.role: model or flattener() for p in parts})


def cpu(runtime: str) -> Spot:
    return Spot(DeviceName(runtime, "cpu"))


@pytest.mark.parametrize("runtime", pool.RUNTIMES)
def test_each_part_is_loaded_once(runtime: str) -> None:
    bundle = package(part("image"), part("again"))
    engines = load_engines(bundle, cpu(runtime))

    assert list(engines) == bundle.read == ["image", "again"]
    assert engines["image"].inputs == (PICTURE,)
    for engine in engines.values():
        engine.close()


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (
            part("image", (TensorSpec("picture", (1, 3, 4, 4), "float32"),)),
            r"input picture \(1, 3, 4, 4\) float32 is in",
        ),
        (part("image", (TensorSpec("photo", (1, 3, 2, 2), "float32"),)), "input photo .* not in the model"),
        (part("image", (TensorSpec("picture", (1, 3, 2, 2), "uint8"),)), "input picture .* uint8 is in the manifest"),
        (part("image", outputs=(TensorSpec("image_embedding", (1, 8), "float32"),)), "output image_embedding"),
        (part("image", outputs=(EMBEDDING, TensorSpec("more", (1,), "float32"))), "output more"),
        (part("image", (PICTURE, TensorSpec("mask", (1,), "bool"))), "input mask"),
        (part("image", ()), "input picture .* in the model and not in the manifest"),
    ],
)
@pytest.mark.parametrize("runtime", pool.RUNTIMES)
def test_other_tensors_than_declared_are_refused_by_name(declared: Part, reason: str, runtime: str) -> None:
    with pytest.raises(BundleRefused, match=f"bundle tiny: image.onnx: .*{reason}"):
        load_engines(package(declared), cpu(runtime))


@pytest.mark.parametrize("runtime", pool.RUNTIMES)
def test_what_is_no_model_is_refused_by_name(runtime: str) -> None:
    with pytest.raises(BundleRefused, match=r"bundle tiny: image\.onnx: .*cannot"):
        load_engines(package(part("image"), model=b"not a model"), cpu(runtime))


@pytest.mark.parametrize(
    ("runtime", "device", "reason"),
    [
        ("abacus", "cpu", "no runtime abacus"),
        ("onnxruntime", "npu", "no device npu"),
        ("openvino", "abacus", "no device abacus"),
    ],
)
def test_what_is_not_here_is_for_a_person_to_change(runtime: str, device: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        load_engines(package(part("image")), Spot(DeviceName(runtime, device)))

    assert "[engine]" in caught.value.hint


@pytest.mark.parametrize(
    "failure", [DeviceFault("out of memory"), BundleRefused("tiny", "x", "y"), KeyboardInterrupt()]
)
def test_what_was_loaded_before_a_failure_is_closed(monkeypatch: pytest.MonkeyPatch, failure: BaseException) -> None:
    loaded = [TableEngine((PICTURE,), (EMBEDDING,), dict)]

    def load(_model: bytes, _spot: Spot, _cache: Path | None, _overflows: bool) -> TableEngine:
        if loaded[0].closed or waiting:
            raise failure
        waiting.append(True)
        return loaded[0]

    waiting: list[bool] = []
    monkeypatch.setattr(pool, "load_runtime", lambda runtime: load)
    with pytest.raises(type(failure)):
        load_engines(package(part("image"), part("second")), cpu("onnxruntime"))

    assert loaded[0].closed


@pytest.mark.parametrize("overflows", [True, False])
def test_an_engine_is_told_whether_the_weights_of_the_bundle_may_overflow(
    monkeypatch: pytest.MonkeyPatch, overflows: bool
) -> None:
    told: list[bool] = []

    def load(_model: bytes, _spot: Spot, _cache: Path | None, overflows: bool) -> TableEngine:
        told.append(overflows)
        return TableEngine((PICTURE,), (EMBEDDING,), dict)

    monkeypatch.setattr(pool, "load_runtime", lambda runtime: load)
    load_engines(Package(Manifest((part("image"),), overflows), {"image": b""}), cpu("onnxruntime"))

    assert told == [overflows]
