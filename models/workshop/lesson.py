"""The station's classifier on what a model makes of samples: teach some, ask about others. It trains nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.embedding import dequantise, quantise
from models.head import Prior
from models.knowledge import Knowledge
from models.manifest import Block
from models.workshop.blocks import DIMS, STRENGTH, blocks_of, prior_covariance
from models.workshop.corpus import Corpus
from models.workshop.fusion import FusionModel
from models.workshop.separation import Chances


@dataclass(frozen=True, eq=False)
class Seen:
    """Embeddings of samples by one model, with what a classifier needs.

    Attributes:
        q: shape (n, d), int16.
        blocks: who owns which dimensions.
        prior: covariance inside the classes.
    """

    q: NDArray[np.int16]
    blocks: tuple[Block, ...]
    prior: Prior


def seen_by(model: FusionModel, training: Corpus, samples: Corpus) -> Seen:
    """Let a model in float32 see samples.

    Args:
        model: trained.
        training: what it learned from, which gives the prior and says by what it perceives.
        samples: what it is to see.

    Returns:
        What the bundle of it would give, but for INT8.
    """
    modalities = [name for name, there in zip(DIMS, training.modalities, strict=True) if there]
    blocks = blocks_of(modalities)
    own, z = (_embedded(model, corpus, modalities) for corpus in (training, samples))
    prior = Prior(prior_covariance(own, blocks, training, model), STRENGTH)
    return Seen(np.array([quantise(row) for row in z]), blocks, prior)


def chances(
    seen: Seen, examples: Mapping[str, NDArray[np.intp]], asked: NDArray[np.intp], view: Sequence[str], normal: str = ""
) -> Chances:
    """Teach and ask.

    Args:
        seen: of all samples.
        examples: rows that are taught, by class.
        asked: rows that are asked about, (n,).
        view: modalities that the classifier looks at.
        normal: the class of good parts; empty where there is none.

    Returns:
        The probability of each class, (n, classes), in the order of `examples`.
    """
    knowledge = Knowledge.empty("lesson", "0" * 64, seen.blocks)
    for slug, rows in examples.items():
        for row in rows:
            knowledge = knowledge.learn(slug, seen.q[row][None])
    head = knowledge.head(seen.prior, view, normal=normal)
    places = [head.classes.index(slug) for slug in examples]
    return head.probabilities(dequantise(seen.q[asked]))[:, places]


def _embedded(model: FusionModel, corpus: Corpus, modalities: Sequence[str]) -> NDArray[np.float64]:
    """Give z in the dimensions of some modalities, (n, d); where that is one, its block has the whole length."""
    dims = np.concatenate([np.full(count, name in modalities) for name, count in DIMS.items()])
    z: NDArray[np.float64] = corpus.embedded(model).double().numpy()[:, dims]
    return z if len(modalities) > 1 else z * 2.0**0.5
