"""Gives half of the picture's block of a bundle to what the frozen network sees untouched, without training it anew.

`python -m models.workshop.halved models/bundles/castings castings`

What was trained is read back from the bundle, so the new one is what `learn` would have made of the same training.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from models.bundle import Bundle
from models.workshop.blocks import prior_covariance
from models.workshop.build import embedded
from models.workshop.courses import Course
from models.workshop.errors import WorkshopError
from models.workshop.export import MAPS, parts_of, shares_of, with_maps
from models.workshop.fusion import UNTOUCHED_DIMS
from models.workshop.halve import halve_by
from models.workshop.learn import Choice, halves
from models.workshop.renewal import Samples, command, replaced, samples
from models.workshop.requantise import recovered

LAYERS: Final = ("_score.1.weight", "_score.3.weight", "_value.weight")
"""Of a pool, in the order in which they run; the exporter writes them transposed."""


def halved(old: Bundle, course: Course, seed: int) -> Bundle:
    """Replace a bundle.

    Args:
        old: made by `learn` with EfficientNet-Lite0, `filterbank` and attention, integers of seven bits.
        course: what it was trained on.
        seed: that it was trained with, and of what is chosen.

    Returns:
        The bundle.

    Raises:
        WorkshopError: it is of another kind, or INT8 gives too many samples another class.
    """
    manifest = old.manifest
    parts = {part.role: onnx.load_from_string(old.part_bytes(part.role)) for part in manifest.parts}
    modalities = [block.modality for block in old.blocks]
    if manifest.picture is None or manifest.overflows or MAPS[0] in {t.name for t in parts["image"].graph.output}:
        raise WorkshopError(
            f"{old.name} {manifest.version} has no whole picture block with integers of seven bits",
            hint="quantise it anew first: python -m models.workshop.requantise; or nothing is left to do",
        )
    choice = Choice(seed=seed, side_px=manifest.picture.width)
    model = choice.model(course.training.dataset.classes, manifest.vibration or course.vibration)
    pools = (model.image_pool, model.vibration_pool)
    for pool, state in zip(pools, trained_pools(parts["fusion"], len(modalities)), strict=False):
        pool.load_state_dict(state)
    corpus = samples(course, choice)
    everyone = np.arange(len(corpus))
    before = embedded(parts, old.blocks, corpus, everyone, "INT8")
    halve_by(model, corpus, torch.from_numpy(before), UNTOUCHED_DIMS)
    dense = with_maps(recovered(parts["image"], manifest.picture.width))
    parts["image"] = with_maps(parts["image"])
    parts |= {"fusion": parts_of(model, modalities)["fusion"], "shares": shares_of(model, modalities)}
    exact = embedded(parts | {"image": dense}, old.blocks, corpus, everyone, "float32")
    z = embedded(parts, old.blocks, corpus, everyone, "INT8")
    how = (
        f"- **Halved** by `models.workshop.halved`, with the trained weights of {manifest.version}. {halves(model)}\n"
        "  The prior is wider in every trained dimension."
    )
    prior = prior_covariance(z, old.blocks, corpus, model)
    return replaced(old, parts, Samples(corpus, exact, z), prior, "halved", how)


def trained_pools(fusion: onnx.ModelProto, count: int) -> list[Mapping[str, Tensor]]:
    """Read what was trained back from a part `fusion`.

    Args:
        fusion: of pools with attention, as `export` writes it.
        count: how many pools it has.

    Returns:
        The state of each `fusion.Pool`.

    Raises:
        WorkshopError: it is built of other layers.
    """
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in fusion.graph.initializer}
    products = [stored[n.input[1]] for n in fusion.graph.node if n.op_type == "MatMul" and n.input[1] in stored]
    if len(products) != count * len(LAYERS):
        raise WorkshopError(
            "the part fusion does not weigh tokens by learned queries",
            hint="train it anew: python -m models.workshop.learn",
        )
    states: list[Mapping[str, Tensor]] = []
    for i in range(count):
        own: dict[str, NDArray[np.float32]] = {
            name.removeprefix(f"_pools.{i}."): array
            for name, array in stored.items()
            if name.startswith(f"_pools.{i}.")
        }
        own |= {
            name: array.T for name, array in zip(LAYERS, products[i * len(LAYERS) : (i + 1) * len(LAYERS)], strict=True)
        }
        states.append({name: torch.from_numpy(array.copy()) for name, array in own.items()})
    return states


if __name__ == "__main__":
    sys.exit(command(__doc__, halved))
