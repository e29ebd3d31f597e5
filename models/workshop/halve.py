"""Gives half of a trained picture's block to what the frozen backbone sees untouched.

Training on some classes makes a model blind to others, so the other half stays what it was before. The trained half
keeps the directions in which its embeddings are longest: where the classes of training lie.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.workshop.corpus import Corpus
from models.workshop.fusion import IMAGE_DIMS, FusionModel
from models.workshop.untouched import Untouched


def halve(model: FusionModel, corpus: Corpus, untouched_dims: int) -> None:
    """Halve a model's block, for good.

    Args:
        model: trained as a whole, with a frozen backbone.
        corpus: what it was trained on, or a share of it that is like it.
        untouched_dims: how many of the picture's dimensions are given up.
    """
    halve_by(model, corpus, corpus.embedded(model), untouched_dims)


def halve_by(model: FusionModel, corpus: Corpus, z: Tensor, untouched_dims: int) -> None:
    """Halve a model's block by embeddings that are known, (n, d); see `halve`."""
    there = torch.from_numpy(corpus.present[:, 0])
    untouched = Untouched(sum(model.image_encoder.backbone.channels), untouched_dims)
    untouched.fit(corpus.pooled(model)[there])
    block = z[there, :IMAGE_DIMS].double()
    _, directions = torch.linalg.eigh(block.T @ block)
    model.halve(untouched, directions.flip(1)[:, : IMAGE_DIMS - untouched_dims].T.float())
