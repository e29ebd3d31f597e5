"""Quantises the picture part of a trained bundle anew, the way bundles are quantised now; nothing is trained.

`python -m models.workshop.requantise models/bundles/castings castings`

The network in front is published in float32, and the bundle holds what was trained behind it: the projections to tokens
in the bytes that they were rounded to once, and everything else in float32. So the float32 model is put together
again, but for the rounding of those bytes. Prior, golden sources and all other parts stay as they are.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from models.bundle import Bundle
from models.errors import BundleRefused
from models.workshop.agreement import agreement
from models.workshop.build import (
    AGREES,
    CALIBRATION,
    TOLERANCE_FACTOR,
    Parts,
    Proof,
    embedded,
    proof_text,
    stratified,
)
from models.workshop.card import CARD
from models.workshop.collect import collect, tensor_of
from models.workshop.corpus import Corpus
from models.workshop.courses import Course, named
from models.workshop.data import ordered_classes
from models.workshop.errors import WorkshopError
from models.workshop.export import ImagePart, exported, with_maps
from models.workshop.fusion import VIBRATION
from models.workshop.learn import VERSION, Choice
from models.workshop.pack import Contents, write_bundle
from models.workshop.quantize import quantised
from models.workshop.runner import RUNTIMES

PROVEN: Final = 3 * CALIBRATION
"""Samples that agreement is proven on; a third of them calibrates."""


def requantise(old: Bundle, course: Course, seed: int) -> tuple[Bundle, Proof]:
    """Quantise the picture part of a bundle anew and replace the bundle.

    Args:
        old: made by `learn`, with EfficientNet-Lite0.
        course: what it was trained on.
        seed: that it was trained with, and of what is chosen.

    Returns:
        The bundle and how exact it is.

    Raises:
        WorkshopError: it has another network, or INT8 gives too many samples another class.
    """
    manifest = old.manifest
    if manifest.picture is None:
        raise WorkshopError(f"{old.name} looks at no picture", hint="nothing of it is in INT8")
    parts = {part.role: onnx.load_from_string(old.part_bytes(part.role)) for part in manifest.parts}
    dense = recovered(parts["image"], manifest.picture.width)
    choice = Choice(seed=seed, side_px=manifest.picture.width, image_encoder="resnet18")  # nobody needs maps here
    corpus = samples(course, choice)
    exact = embedded(parts | {"image": dense}, manifest.blocks, corpus, np.arange(len(corpus)), "float32")
    chosen = stratified(corpus.labels, corpus.lines, CALIBRATION, seed)
    parts["image"] = quantised(dense, [tensor_of(corpus.pictures[i]) for i in chosen])
    z = embedded(parts, manifest.blocks, corpus, np.arange(len(corpus)), "INT8")
    how = f"- **Quantised anew** by `models.workshop.requantise`, with the trained weights of {manifest.version}."
    made_by = f"models.workshop.requantise {VERSION} of {manifest.version} ({manifest.created_by})"
    return replaced(old, parts, Samples(corpus, exact, z), old.prior().covariance, made_by, how)


@dataclass(frozen=True, eq=False)
class Samples:
    """What a bundle is proven on.

    Attributes:
        corpus: samples of the side of training.
        exact: their embeddings in float32, (n, d).
        z: the same in INT8.
    """

    corpus: Corpus
    exact: NDArray[np.float64]
    z: NDArray[np.float64]


def replaced(
    old: Bundle,
    parts: dict[str, onnx.ModelProto],
    proven: Samples,
    prior: NDArray[np.float64],
    made_by: str,
    how: str,
) -> tuple[Bundle, Proof]:
    """Put a bundle with other parts in the place of an old one.

    Args:
        old: whose place it takes.
        parts: by role.
        proven: that the parts are one model in float32 and in INT8.
        prior: covariance inside the classes.
        made_by: program and what it had.
        how: line of the card.

    Returns:
        The bundle and how exact it is.

    Raises:
        WorkshopError: INT8 gives too many samples another class.
    """
    corpus, exact, z = proven.corpus, proven.exact, proven.z
    agrees = agreement(exact, z, np.arange(len(corpus)), corpus.labels, corpus.lines)
    if agrees < AGREES:
        raise WorkshopError(
            f"INT8 gives {1 - agrees:.1%} of {len(corpus)} samples another class, at most {1 - AGREES:.0%} may be",
            hint="train it anew: python -m models.workshop.learn",
        )
    cosine = (exact * z).sum(axis=1) / np.square(exact).sum(axis=1)
    vectors, apart = _golden(old, parts)
    tolerance = round(max(TOLERANCE_FACTOR * apart, 0.002), 4)
    proof = Proof(agrees, (float(np.median(cosine)), float(np.quantile(cosine, 0.01))), apart, tolerance)
    contents = _contents(old, parts, vectors, proof, how)
    return write_bundle(replace(contents, prior=prior, created_by=made_by), old.folder), proof


def recovered(integers: onnx.ModelProto, side_px: int) -> onnx.ModelProto:
    """Put the float32 model of a quantised picture part together again.

    Args:
        integers: the part, of EfficientNet-Lite0 as it is published.
        side_px: side of its picture [px].

    Returns:
        The part in float32.

    Raises:
        WorkshopError: it is of another network.
    """
    model = Choice(side_px=side_px).model((), VIBRATION)
    for projection in (model.image_encoder.fine, model.image_encoder.coarse):
        projection.standard.mean.fill_(1.0)  # or the exporter would leave out a bias of zero
    with tempfile.TemporaryDirectory() as scratch:
        picture = {"picture": torch.zeros(1, 3, side_px, side_px)}
        dense = exported(ImagePart(model).eval(), picture, ["image_tokens"], Path(scratch) / "part.onnx")
    if len(integers.graph.output) > 1:
        dense = with_maps(dense)
    ours, theirs = (_convolutions(part) for part in (dense, integers))
    constants = {tensor.name: tensor for tensor in dense.graph.initializer}
    if [[a.shape for a in arrays] for _, arrays in ours] != [[a.shape for a in arrays] for _, arrays in theirs]:
        raise WorkshopError(
            "the picture part is of another network than efficientnet_lite0",
            hint="train it anew: python -m models.workshop.learn",
        )
    for (names, mine), (_, stored) in zip(ours, theirs, strict=True):
        if not np.allclose(mine[0], stored[0], atol=np.abs(mine[0]).max() / 100.0):
            for name, array in zip(names, stored, strict=True):
                constants[name].CopyFrom(numpy_helper.from_array(array.astype(np.float32), name))
    return dense


def _convolutions(model: onnx.ModelProto) -> list[tuple[list[str], list[NDArray[Any]]]]:
    """Give the constants of each convolution, by the names they are read by; bytes as the numbers they stand for."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            integers, scales = stored[node.input[0]], stored[node.input[1]]
            stored[node.output[0]] = integers * scales.reshape(-1, *[1] * (integers.ndim - 1))
    nodes = [node for node in model.graph.node if node.op_type == "Conv"]
    return [(list(node.input[1:]), [stored[name] for name in node.input[1:]]) for node in nodes]


def samples(course: Course, choice: Choice) -> Corpus:
    """Collect samples of the side of training, of every class and line alike, as a model of `choice` perceives them."""
    side, classes = course.training, ordered_classes(course.training.dataset.classes)
    labels = np.array([classes.index(entry.label) for entry in side.entries])
    lines = np.unique([course.line_of(entry) for entry in side.entries], return_inverse=True)[1].astype(np.int64)
    entries = [side.entries[i] for i in stratified(labels, lines, PROVEN, choice.seed)]
    model = choice.model(classes, course.vibration)
    return collect(side.dataset, entries, model, shows=course.shows, line_of=course.line_of, varied=True)


def _golden(old: Bundle, parts: dict[str, onnx.ModelProto]) -> tuple[dict[str, NDArray[Any]], float]:
    """Let the new parts see the old golden sources; say how far the two runtimes are apart."""
    golden, blocks = old.golden(), old.blocks
    here, there = (Parts(parts, blocks, runtime) for runtime in RUNTIMES)
    names = {block.modality: parts[block.modality].graph.input[0].name for block in blocks}
    made, apart = [], 0.0
    for i, before in enumerate(golden.z):
        given = {b.modality: golden.sources[names[b.modality]][i] for b in blocks if before[b.start : b.stop].any()}
        z = here.embed(given)
        apart = max(apart, float(np.linalg.norm(z - there.embed(given))))
        made.append(z.astype(np.float32))
    return {**golden.sources, "z": np.stack(made)}, apart


def _contents(
    old: Bundle, parts: dict[str, onnx.ModelProto], golden: dict[str, NDArray[Any]], proof: Proof, how: str
) -> Contents:
    manifest, prior = old.manifest, old.prior()
    return Contents(
        name=manifest.name,
        version=VERSION,
        licence=manifest.licence,
        origin=manifest.origin,
        created_by=f"models.workshop.requantise {VERSION} of {manifest.version} ({manifest.created_by})",
        opset=manifest.opset,
        normal=manifest.label_policy.normal,
        blocks=manifest.blocks,
        picture=manifest.picture,
        vibration=manifest.vibration,
        parts=parts,
        prior=prior.covariance,
        strength=prior.strength,
        golden=golden,
        tolerance=proof.tolerance,
        fitted_on=manifest.fitted_on,
        card=_card(old, proof, how),
    )


def _card(old: Bundle, proof: Proof, how: str) -> str:
    """Give the old card with the new proof, without what was measured of the old bundle."""
    facts = (old.folder / CARD).read_text().partition("\n## ")[0]
    facts = re.sub(r"\A# .*", f"# {old.name} {VERSION}", facts)
    facts = re.sub(r"(?m)^- \*\*(INT8 against|OpenVINO against).*\n", "", facts)
    return f"{facts.rstrip()}\n{how}\n{proof_text(proof)}\n"


def main() -> int:
    """Quantise a bundle anew; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder of the bundle, which is replaced")
    parser.add_argument("data", help="what it was trained on: castings, drawn, steel, a folder, or a .csv")
    parser.add_argument("--pictures", type=Path, help="folder of X-SDD, for steel")
    parser.add_argument("--recordings", type=Path, help="folder of CWRU, for steel")
    parser.add_argument("--seed", type=int, default=Choice.seed, help="that it was trained with (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        course = named(arguments.data, arguments.pictures, arguments.recordings, arguments.seed)
        bundle, proof = requantise(Bundle.load(arguments.bundle), course, arguments.seed)
    except (BundleRefused, WorkshopError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{bundle.name} {VERSION} {bundle.digest[:12]}\n{proof_text(proof)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
