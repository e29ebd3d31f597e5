"""Writes subjects: a trained torch model becomes the files that every peer starts from. It needs torch.

A subject is a few lines: its parts as torch modules with their ONNX forms, and some real inputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.castings import CastingLine
from models.features import prepare_picture, vibration_features, vibration_frames
from models.source import MASKS, PictureSpec
from models.workshop import encoder
from models.workshop.bench.subject import DESCRIPTION, REFERENCE, SAMPLES, Part, Subject
from models.workshop.collect import picture_spec
from models.workshop.efficientnet import pretrained
from models.workshop.errors import WorkshopError
from models.workshop.export import FusionPart, ImagePart, parts_of
from models.workshop.quantize import quantised
from models.workshop.weights import load_weights

SAMPLE_COUNT: Final = 8
CALIBRATION_PICTURES: Final = 64
ENCODER_SIDE_PX: Final = 256
LINE_SEED: Final = 21


@dataclass(frozen=True, eq=False)
class Trained:
    """One part of a model after training.

    Attributes:
        name: of its files.
        module: in evaluation mode; takes and gives tensors in the order of the ONNX graph.
        dense: in float32; its names of inputs and outputs are the part's.
        integers: quantised, with the same inputs and outputs.
    """

    name: str
    module: nn.Module
    dense: onnx.ModelProto
    integers: onnx.ModelProto


def write_subject(
    folder: Path,
    title: str,
    trained: Sequence[Trained],
    samples: Mapping[str, NDArray[Any]],
    answers: Sequence[str] = (),
) -> Subject:
    """Write a subject and what torch answers to its samples.

    Args:
        folder: an existing folder.
        title: what the model is, for people.
        trained: its parts, in the order in which they run.
        samples: what comes from outside, by name, (samples, …): each sample in its batch of one.
        answers: names of the outputs in which peers must agree; the last part's unless given.

    Returns:
        The subject.

    Raises:
        WorkshopError: a part wants an input that nothing gives, or its forms differ in their names.
    """
    parts = tuple(_part(t) for t in trained)
    subject = Subject(folder, title, parts, tuple(answers) or parts[-1].outputs)
    counts = {len(array) for array in samples.values()}
    if len(counts) != 1 or counts == {0}:
        raise WorkshopError(
            f"samples of {title} do not come in one number: {sorted(counts)}", hint="give every input for every sample"
        )
    rows: list[dict[str, Tensor]] = []
    for i in range(counts.pop()):
        values = {name: torch.from_numpy(np.ascontiguousarray(array[i])) for name, array in samples.items()}
        for part, module in zip(parts, (t.module for t in trained), strict=True):
            missing = [name for name in part.inputs if name not in values]
            if missing:
                raise WorkshopError(
                    f"part {part.name} of {title} wants {', '.join(missing)}, which no part before it gives",
                    hint="add it to the samples or change the order of the parts",
                )
            with torch.inference_mode():
                outputs = module(*(values[name] for name in part.inputs))
            given = outputs if isinstance(outputs, tuple | list) else (outputs,)
            values |= dict(zip(part.outputs, given, strict=True))
        rows.append(values)
    for part, t in zip(parts, trained, strict=True):
        arguments = tuple(rows[0][name].clone(memory_format=torch.contiguous_format) for name in part.inputs)
        torch.export.save(torch.export.export(t.module, arguments, strict=False), folder / f"{t.name}.pt2")
        onnx.save(t.dense, folder / f"{t.name}.onnx")
        onnx.save(t.integers, folder / f"{t.name}.int8.onnx")
    _save(folder / SAMPLES, samples)
    _save(folder / REFERENCE, {name: np.stack([row[name].numpy() for row in rows]) for name in subject.answers})
    described = {"title": title, "parts": [asdict(part) for part in parts], "answers": subject.answers}
    (folder / DESCRIPTION).write_text(json.dumps(described))
    return subject


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    np.savez(path, allow_pickle=False, **arrays)


def _part(trained: Trained) -> Part:
    names = [
        (tuple(i.name for i in model.graph.input), tuple(o.name for o in model.graph.output))
        for model in (trained.dense, trained.integers)
    ]
    if names[0] != names[1]:
        raise WorkshopError(
            f"part {trained.name}: float32 has inputs and outputs {names[0]}, INT8 has {names[1]}",
            hint="export both with the same names in the same order",
        )
    return Part(trained.name, *names[0])


def image_encoder(folder: Path) -> Subject:
    """Write the picture encoder of the generic bundle: EfficientNet-Lite0, pooled, on castings."""
    spec = PictureSpec(
        width=ENCODER_SIDE_PX,
        height=ENCODER_SIDE_PX,
        colour="rgb",
        mean=(encoder.MEAN,) * 3,
        std=(encoder.STD,) * 3,
        fit="squash",
    )
    line = CastingLine(LINE_SEED, defect_share=0.5)
    count = SAMPLE_COUNT + CALIBRATION_PICTURES
    pictures = [prepare_picture(line.part(number).image, spec) for number in range(count)]
    network = pretrained().with_folded_norms()
    for unused in ("_conv_head", "_bn1", "_fc"):  # the ImageNet head would count as bytes and is never run
        delattr(network, unused)
    dense = encoder.export(ENCODER_SIDE_PX, folder / "image.onnx")
    image = Trained(
        "image",
        encoder.PooledStages(network).eval(),
        dense,
        quantised(dense, pictures[SAMPLE_COUNT:]),
    )
    title = f"EfficientNet-Lite0, pooled stages, {ENCODER_SIDE_PX} x {ENCODER_SIDE_PX}"
    return write_subject(folder, title, [image], {"picture": np.stack(pictures[:SAMPLE_COUNT])})


def fused(folder: Path, weights: Path) -> Subject:
    """Write a fusion model that `models.workshop.learn` has trained, on castings; raises what `load_weights` does."""
    model = load_weights(weights)
    modalities = ("image", "vibration")
    spec, encoder_of = picture_spec(model.design.side_px), model.vibration_encoder
    hear = vibration_features if encoder_of.source == "vibration" else vibration_frames
    line = CastingLine(LINE_SEED, defect_share=0.5)
    made = [line.part(number) for number in range(SAMPLE_COUNT + CALIBRATION_PICTURES)]
    pictures = [prepare_picture(casting.image, spec) for casting in made]
    heard = [hear(c.samples, c.rate_hz, model.design.vibration) for c in made[:SAMPLE_COUNT]]
    dense = parts_of(model, modalities)
    integers = dense | {"image": quantised(dense["image"], pictures[SAMPLE_COUNT:])}
    modules = {"image": ImagePart(model), "vibration": encoder_of, "fusion": FusionPart(model, modalities)}
    masks = {
        tensor.name: np.ones((SAMPLE_COUNT, *(dim.dim_value for dim in tensor.type.tensor_type.shape.dim)), np.float32)
        for tensor in dense["fusion"].graph.input
        if tensor.name in MASKS
    }
    design = model.design
    encoders = f"{design.image_encoder} at {design.side_px} x {design.side_px} and {design.vibration_encoder}"
    return write_subject(
        folder,
        f"{encoders}, {design.fusion_method}",
        [Trained(role, modules[role].eval(), dense[role], integers[role]) for role in dense],
        {"picture": np.stack(pictures[:SAMPLE_COUNT]), encoder_of.source: np.stack(heard), **masks},
        answers=("image_embedding", "vibration_embedding"),
    )


SUBJECTS: Final[dict[str, Callable[[Path], Subject]]] = {"encoder": image_encoder}
"""What `--subject` offers; each writes into an empty folder."""
