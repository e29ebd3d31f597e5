"""Writes a bundle: files, digests and manifest into a new folder that takes the old one's place when it is whole.

What the manifest says is checked by loading the bundle back before the old one goes.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from models.bundle import Bundle
from models.manifest import MANIFEST_VERSION, Block, FittedOn
from models.source import PictureSpec, VibrationSpec


@dataclass(frozen=True, eq=False)
class Contents:
    """What goes into a bundle.

    Attributes:
        name: the bundle's name.
        version: of the bundle.
        licence: of the bundle.
        origin: where weights and data come from.
        created_by: program and version.
        opset: ONNX operator set of all parts.
        normal: slug of good parts.
        blocks: who owns which dimensions.
        picture: pre-processing of pictures, where there are any.
        vibration: pre-processing of vibration, where there is any.
        parts: models by role, in the order they run.
        prior: covariance inside the classes, shape (d, d).
        strength: how many samples the prior is worth.
        golden: source tensors and `z` by name, each (vectors, …).
        tolerance: largest allowed distance of a golden vector.
        fitted_on: what data shaped it.
        card: text for people, Markdown.
    """

    name: str
    version: str
    licence: str
    origin: str
    created_by: str
    opset: int
    normal: str
    blocks: Sequence[Block]
    picture: PictureSpec | None
    vibration: VibrationSpec | None
    parts: Mapping[str, onnx.ModelProto]
    prior: NDArray[np.float64]
    strength: float
    golden: Mapping[str, NDArray[Any]]
    tolerance: float
    fitted_on: Sequence[FittedOn]
    card: str


def write_bundle(contents: Contents, folder: Path) -> Bundle:
    """Write a bundle and load it back.

    Args:
        contents: what goes in.
        folder: where it ends up; a bundle that is there is replaced.

    Returns:
        The bundle, verified.

    Raises:
        BundleRefused: what was written is no bundle; the old one is still there.
    """
    fresh = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    files = {f"{role}.onnx": plain(model).SerializeToString() for role, model in contents.parts.items()}
    files |= {"prior.npy": _npy(contents.prior), "golden.npz": _npz(contents.golden)}
    for name, data in files.items():
        (fresh / name).write_bytes(data)
    (fresh / "card.md").write_text(contents.card)
    (fresh / "manifest.toml").write_text(_manifest(contents, files))
    Bundle.load(fresh)
    former = folder.with_name(f".{folder.name}.former")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    fresh.rename(folder)
    shutil.rmtree(former, ignore_errors=True)
    return Bundle.load(folder)


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Give a model without what its exporter wrote about where it ran, so that the same model is the same bytes."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for described in (
        bare,
        bare.graph,
        *bare.graph.node,
        *bare.graph.value_info,
        *bare.graph.input,
        *bare.graph.output,
    ):
        del described.metadata_props[:]
        described.ClearField("doc_string")
    return bare


def largest_weight(models: Iterable[onnx.ModelProto]) -> int:
    """Give the largest magnitude of an integer weight of models; 128 where one has unsigned weights.

    Those of depthwise convolutions do not count: both runtimes add their products in 32 bits on every processor.
    """
    return max((_largest(model) for model in models), default=0)


def _largest(model: onnx.ModelProto) -> int:
    scaling = [node for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    skipped = {name for node in scaling for name in node.input[2:]}
    stored = {node.output[0]: node.input[0] for node in scaling}
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        weights = stored.get(node.input[1], "") if node.op_type == "Conv" else ""
        if shapes.get(weights, ())[:2] == (groups(node), 1):
            skipped.add(weights)
    largest = 0
    for tensor in model.graph.initializer:
        if tensor.name in skipped:
            continue
        if tensor.data_type == TensorProto.UINT8:
            return 128
        if tensor.data_type == TensorProto.INT8:
            largest = max(largest, int(np.abs(numpy_helper.to_array(tensor).astype(int)).max()))
    return largest


def groups(convolution: onnx.NodeProto) -> int:
    """Give into how many groups a convolution parts its channels."""
    return next((int(a.i) for a in convolution.attribute if a.name == "group"), 1)


def _manifest(contents: Contents, files: Mapping[str, bytes]) -> str:
    lines = [_line("manifest", MANIFEST_VERSION)]
    for key in ("name", "version", "licence", "origin", "created_by", "opset"):
        lines.append(_line(key, getattr(contents, key)))
    lines.append(_line("largest_weight", largest_weight(contents.parts.values())))
    lines += [_line("embedding", len(contents.prior)), "", "[label_policy]", _line("normal", contents.normal)]
    for block in contents.blocks:
        lines += ["", "[[block]]", *_struct(block)]
    for name, spec in (("picture", contents.picture), ("vibration", contents.vibration)):
        lines += ["", f"[{name}]", *_struct(spec)] if spec is not None else []
    for role, model in contents.parts.items():
        lines += ["", "[[part]]", _line("role", role), *_file(f"{role}.onnx", files)]
        for kind, tensors in (("input", model.graph.input), ("output", model.graph.output)):
            for tensor in tensors:
                shape = [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
                dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type).name
                lines += [f"[[part.{kind}]]", _line("name", tensor.name), _line("shape", shape), _line("dtype", dtype)]
    lines += ["", "[prior]", *_file("prior.npy", files), _line("strength", contents.strength)]
    vectors = len(contents.golden["z"])
    lines += ["", "[golden]", *_file("golden.npz", files), _line("vectors", vectors)]
    lines += [_line("tolerance", contents.tolerance)]
    for data in contents.fitted_on:
        lines += ["", "[[fitted_on]]", *_struct(data)]
    return "\n".join(lines) + "\n"


def _struct(struct: Any) -> list[str]:
    return [_line(name, getattr(struct, name)) for name in struct.__struct_fields__]


def _file(name: str, files: Mapping[str, bytes]) -> list[str]:
    data = files[name]
    return [_line("file", name), _line("sha256", hashlib.sha256(data).hexdigest()), _line("bytes", len(data))]


def _line(key: str, value: object) -> str:
    """Write a TOML key; JSON writes strings, numbers and lists the same way."""
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def _npy(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), _npy(array), zipfile.ZIP_DEFLATED)
    return stream.getvalue()
