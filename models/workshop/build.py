"""From a trained fusion model to a bundle: export, INT8, prior, golden vectors, and the proof that they are one model.

What the model was trained on and what its card says is decided by whoever calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.bundle import Bundle
from models.castings import NORMAL
from models.embedding import assemble
from models.manifest import Block, FittedOn, ModalityName
from models.workshop.agreement import agreement, worst_layers
from models.workshop.blocks import DIMS, STRENGTH, blocks_of, prior_covariance
from models.workshop.collect import picture_spec, tensor_of
from models.workshop.corpus import Corpus
from models.workshop.errors import WorkshopError
from models.workshop.export import OPSET, parts_of, shares_of
from models.workshop.fusion import FusionModel
from models.workshop.pack import Contents, write_bundle
from models.workshop.progress import tracked
from models.workshop.quantize import quantised
from models.workshop.runner import RUNTIMES, Model

CALIBRATION: Final = 320
"""Pictures that activations are calibrated on, of every class and line alike; agreement is proven on them too."""

AGREES: Final = 0.99
"""Share of the calibration pictures that INT8 must give the same class as float32, or there is no bundle."""

GOLDEN: Final = 32
TILE_PX: Final = 32
"""Golden pictures are one small crop repeated, so that they take some kilobytes instead of megabytes."""

TOLERANCE_FACTOR: Final = 2.0
"""Golden vectors may be this many times farther away than the two runtimes are from each other here."""


@dataclass(frozen=True)
class Facts:
    """What a bundle says about itself.

    Attributes:
        name: of the bundle and its folder.
        version: of the bundle.
        created_by: program and seed.
        origin: where weights and data come from.
        licence: of the bundle.
        fitted_on: data that took part.
    """

    name: str
    version: str
    created_by: str
    origin: str
    licence: str
    fitted_on: tuple[FittedOn, ...]


@dataclass(frozen=True)
class Proof:
    """How far the INT8 model is from the one that was trained.

    Attributes:
        agrees: share of the calibration samples that get the same class.
        cosine: between INT8 and float32 embeddings: median and lowest 1 %.
        apart: largest distance between the two runtimes on the golden vectors.
        tolerance: what the station allows.
    """

    agrees: float
    cosine: tuple[float, float]
    apart: float
    tolerance: float


def build(
    model: FusionModel, corpus: Corpus, facts: Facts, folder: Path, *, seed: int, card: str
) -> tuple[Bundle, Proof]:
    """Build a bundle.

    Args:
        model: trained.
        corpus: the samples of training, which give prior, calibration and golden vectors.
        facts: what it says about itself.
        folder: where it goes; a bundle that is there is replaced when the new one is whole.
        seed: of what is chosen.
        card: text for people; `{proof}` stands for how exact it is.

    Returns:
        The bundle and how exact it is.

    Raises:
        WorkshopError: INT8 gives too many samples another class; says which layers lose most.
    """
    modalities = [name for name, there in zip(DIMS, corpus.modalities, strict=True) if there]
    blocks = blocks_of(modalities)
    parts = parts_of(model, modalities)
    chosen = stratified(corpus.labels, corpus.lines, CALIBRATION, seed)
    exact = embedded(parts, blocks, corpus, chosen, "float32")
    dense = parts.get("image")
    if dense is not None:
        calibration = [tensor_of(corpus.pictures[i]) for i in chosen if corpus.present[i, 0]]
        parts["image"] = quantised(dense, calibration)
    z = embedded(parts, blocks, corpus, np.arange(len(corpus)), "INT8")
    agrees = agreement(exact, z, chosen, corpus.labels, corpus.lines)
    if agrees < AGREES:
        layers = ", ".join(worst_layers(dense, parts["image"], calibration[:4])) if dense is not None else "none"
        raise WorkshopError(
            f"INT8 gives {1 - agrees:.1%} of the calibration samples another class, at most {1 - AGREES:.0%} may be",
            hint=f"train longer or on more samples, so that rounding decides nothing; most is lost in {layers}",
        )
    cosine = (exact * z[chosen]).sum(axis=1) / np.square(exact).sum(axis=1)
    vectors, apart = _golden(parts, blocks, corpus, seed)
    proof = Proof(
        agrees,
        (float(np.median(cosine)), float(np.quantile(cosine, 0.01))),
        apart,
        round(max(TOLERANCE_FACTOR * apart, 0.002), 4),
    )
    bundle = write_bundle(
        Contents(
            name=facts.name,
            version=facts.version,
            licence=facts.licence,
            origin=facts.origin,
            created_by=facts.created_by,
            opset=OPSET,
            normal=NORMAL,
            blocks=blocks,
            picture=picture_spec(model.design.side_px) if "image" in modalities else None,
            vibration=model.design.vibration if "vibration" in modalities else None,
            parts=parts | {"shares": shares_of(model, modalities)},
            prior=prior_covariance(z, blocks, corpus, model),
            strength=STRENGTH,
            golden=vectors,
            tolerance=proof.tolerance,
            fitted_on=facts.fitted_on,
            card=card.replace("{proof}", proof_text(proof)),
        ),
        folder,
    )
    return bundle, proof


def stratified(labels: NDArray[np.int64], lines: NDArray[np.int64], count: int, seed: int) -> NDArray[np.intp]:
    """Choose samples so that every class has the same share, and every line inside it.

    Args:
        labels: shape (n,).
        lines: shape (n,).
        count: how many, at most.
        seed: of the choice.

    Returns:
        Sorted rows.
    """
    rng = np.random.default_rng((seed, 2))
    queues = {label: rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)}
    for label, rows in queues.items():
        turn = np.array([np.sum(lines[rows[:i]] == lines[row]) for i, row in enumerate(rows)])
        queues[label] = rows[np.argsort(turn, kind="stable")]
    order = [rows[i] for i in range(max(map(len, queues.values()))) for rows in queues.values() if i < len(rows)]
    return np.sort(np.array(order[:count], dtype=np.intp))


class Parts:
    """Parts that are not in a bundle yet, on one runtime.

    Args:
        parts: models by role; a fusion model's.
        blocks: who owns which dimensions.
        runtime: one of `RUNTIMES`.
    """

    def __init__(self, parts: Mapping[str, onnx.ModelProto], blocks: Sequence[Block], runtime: str) -> None:
        self._blocks = blocks
        self._models = {role: Model(model.SerializeToString(), runtime) for role, model in parts.items()}
        self._sources = {b.modality: parts[b.modality].graph.input[0].name for b in blocks}
        self._shapes = {
            tensor.name: [dim.dim_value for dim in tensor.type.tensor_type.shape.dim]
            for tensor in parts["fusion"].graph.input
        }

    def sources(self, corpus: Corpus, rows: Mapping[ModalityName, int]) -> dict[ModalityName, NDArray[np.float32]]:
        """Give the source tensors of a sample by modality; `rows` says of which row each is, and leaves some out."""
        made: Mapping[ModalityName, Callable[[int], NDArray[np.float32]]] = {
            "image": lambda i: tensor_of(corpus.pictures[i]),
            "vibration": lambda i: corpus.vibration[i][None],
        }
        return {modality: made[modality](row) for modality, row in rows.items() if modality in self._sources}

    def embed(self, sources: Mapping[ModalityName, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Give z, shape (d,), of source tensors by modality."""
        feed = {name: np.zeros(shape, np.float32) for name, shape in self._shapes.items()}
        for modality, tensor in sources.items():
            feed |= self._models[modality].run({self._sources[modality]: tensor})
            feed[f"{modality}_mask"][:] = 1.0
        raw = self._models["fusion"].run(feed)
        return assemble(self._blocks, {b.modality: raw[b.output] for b in self._blocks if b.modality in sources})


def embedded(
    parts: Mapping[str, onnx.ModelProto],
    blocks: Sequence[Block],
    corpus: Corpus,
    rows: NDArray[np.intp],
    what: str,
) -> NDArray[np.float64]:
    """Give z of samples as parts on OpenVINO make them, with every modality that they have.

    Args:
        parts: models by role; a fusion model's.
        blocks: who owns which dimensions.
        corpus: has the samples.
        rows: which ones.
        what: named beside the progress.

    Returns:
        Shape (n, d).
    """
    run, present = Parts(parts, blocks, "openvino"), corpus.present
    out = []
    for i in tracked(rows, len(rows), f"embeddings in {what}"):
        there = {name: int(i) for name, has in zip(DIMS, present[i], strict=True) if has}
        out.append(run.embed(run.sources(corpus, there)))
    return np.array(out)


def _golden(
    parts: Mapping[str, onnx.ModelProto], blocks: Sequence[Block], corpus: Corpus, seed: int
) -> tuple[dict[str, NDArray[Any]], float]:
    """Make golden vectors and say how far the two runtimes are apart.

    Of every eight, one has no picture and one no vibration (where there are both), one a picture that is nearly dark,
    one a picture that is nearly white.
    """
    rng = np.random.default_rng((seed, 1))
    here, there = (Parts(parts, blocks, runtime) for runtime in RUNTIMES)
    names = {block.modality: parts[block.modality].graph.input[0].name for block in blocks}
    arrays: dict[str, list[NDArray[Any]]] = {name: [] for name in (*names.values(), "z")}
    apart = 0.0
    for number in range(GOLDEN):
        rows = {m: int(rng.choice(np.flatnonzero(corpus.present[:, i]))) for i, m in enumerate(DIMS) if m in names}
        sources = here.sources(corpus, rows)
        if "image" in sources:
            picture = _tiled(corpus.pictures[rows["image"]], rng) * {4: 0.12, 5: 1.8}.get(number % 8, 1.0)
            sources["image"] = tensor_of(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        left_out = {6: "image", 7: "vibration"}.get(number % 8, "") if len(names) > 1 else ""
        given = {modality: tensor for modality, tensor in sources.items() if modality != left_out}
        z = here.embed(given)
        apart = max(apart, float(np.linalg.norm(z - there.embed(given))))
        for modality, name in names.items():
            arrays[name].append(given.get(modality, np.zeros_like(sources[modality])))
        arrays["z"].append(z.astype(np.float32))
    return {name: np.stack(values) for name, values in arrays.items()}, apart


def _tiled(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    side_px = len(picture)
    top, left = rng.integers(0, side_px - TILE_PX, 2, endpoint=True)
    times = side_px // TILE_PX
    return np.tile(picture[top : top + TILE_PX, left : left + TILE_PX], (times, times, 1))


def proof_text(proof: Proof) -> str:
    """Give the lines of the card."""
    return (
        f"- **INT8 against float32.** The same class for {proof.agrees:.1%} of the calibration samples; cosine of the "
        f"embeddings: median {proof.cosine[0]:.4f}, lowest 1 % {proof.cosine[1]:.4f}.\n"
        f"- **OpenVINO against onnxruntime.** At most {proof.apart:.4f} apart on {GOLDEN} golden vectors; "
        f"{proof.tolerance:g} is allowed."
    )
