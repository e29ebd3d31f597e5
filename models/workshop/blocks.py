"""Whose dimensions are whose in a fusion model's embedding, and how far the classes of its training spread in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.manifest import Block, ModalityName
from models.workshop.corpus import Corpus
from models.workshop.fit import Material, loosened, prior_of, within
from models.workshop.fusion import IMAGE_DIMS, VIBRATION_DIMS, FusionModel

DIMS: Final[Mapping[ModalityName, int]] = {"image": IMAGE_DIMS, "vibration": VIBRATION_DIMS}

STRENGTH: Final = 12.0
"""How many samples the prior is worth."""


def blocks_of(modalities: Sequence[ModalityName]) -> tuple[Block, ...]:
    """Give the blocks of an embedding of some modalities; each has the same weight."""
    blocks, at = [], 0
    for modality in modalities:
        blocks.append(Block(modality, at, at + DIMS[modality], 1.0 / len(modalities), f"{modality}_embedding"))
        at += DIMS[modality]
    return tuple(blocks)


def prior_covariance(
    z: NDArray[np.float64], blocks: Sequence[Block], corpus: Corpus, model: FusionModel
) -> NDArray[np.float64]:
    """Give the covariance inside the classes of the lines; modalities are taken as independent.

    Args:
        z: of the samples of training, shape (n, d).
        blocks: who owns which dimensions.
        corpus: these samples.
        model: what was trained: its dimensions are loosened.

    Returns:
        Shape (d, d).
    """
    covariances = []
    for block in blocks:
        there = corpus.present[:, list(DIMS).index(block.modality)]
        material = Material(z[there, block.start : block.stop], corpus.lines[there], corpus.labels[there])
        covariance = within(material.features, material)
        untouched = model.design.untouched_dims if block.modality == "image" else 0
        covariances.append(loosened(covariance, material.features, untouched))
    return prior_of(covariances)
