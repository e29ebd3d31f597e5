"""Attention taken from normality itself: a picture is looked at where it is unlike good ones.

A pooled embedding drowns a small defect, and a bundle whose pooling was not learned on a product has no other. Here the
weight of a region is the softmax of its anomaly (`normality`), in spreads of good parts, and the weighted mean of the
regions' directions, less the mean direction of good parts, becomes a part of the image block of the embedding, beside
what was pooled without it. No training is needed, and as the embedding stays linear in the tokens, shares of regions
stay exact.

A guide is made once from good parts, because embeddings of two guides mean something else. Pure; it runs no model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models import bnk
from models.bundle import Bundle
from models.embedding import SCALE, dequantise, quantise
from models.errors import KnowledgeDamaged
from models.head import Prior
from models.joined import joined, parted
from models.manifest import Block
from models.moments import Floats
from models.normality import Seen
from models.tokenbank import Small, Tokens, rounded

TEMPERATURE: Final = 1.0
"""Spreads of good parts by which a region must be more unusual to weigh e times as much. Measured: 0.5 looks at one
region too often, with 1 the balanced accuracy on solar cells is 2 to 3 points higher."""

FLOOR: Final = 1e-9
"""Least variance inside a class that a dimension is taken to have; that of what good parts never show."""

MEMBERS: Final = 20
"""Good pictures that a guide is made from, at least."""

IMAGE: Final = "image"

_SHARED: Final = 0.5**0.5
"""Plain and guided pooling have one half of the image's weight each."""


@dataclass(frozen=True, eq=False)
class Guide:
    """Where to look.

    Attributes:
        bundle_digest: of the bundle whose tokens it looks at.
        seen: good pictures, which regions are held against.
        centre: mean direction of their regions, (width,) int16 [2^-14].
        variance: of the guided dimensions among them, (width,) float64, as z has them.
    """

    bundle_digest: str
    seen: Seen
    centre: NDArray[np.int16]
    variance: Floats

    @classmethod
    def of(cls, bundle: Bundle, pictures: Sequence[Small]) -> Self:
        """Make a guide from good pictures; as `made`, without their own anomalies."""
        return cls.made(bundle, pictures)[0]

    @classmethod
    def made(cls, bundle: Bundle, pictures: Sequence[Small]) -> tuple[Self, list[Floats]]:
        """Make a guide from good pictures.

        Args:
            bundle: gave their tokens; it has a grid.
            pictures: tokens of each, rounded, (regions, width).

        Returns:
            The guide, for which the order of the pictures makes no difference; and the anomaly of each as the others
            see it, (rows, columns). They must be looked at by that: by itself each would be more usual than any other
            good part, and the classifier would take that for what good parts are like.

        Raises:
            ValueError: too few pictures, or of another shape.
        """
        if bundle.grid is None:
            raise ValueError(f"bundle {bundle.name} gives no tokens of pictures")
        seen, own = Seen.learned(np.stack(pictures), bundle.grid)
        return cls.that_saw(bundle, pictures, seen, own), own

    @classmethod
    def that_saw(cls, bundle: Bundle, pictures: Sequence[Small], seen: Seen, own: Sequence[Floats]) -> Self:
        """Make a guide from good pictures that were learned: `seen`, and the anomaly of each as the others see it."""
        steps = sum(np.rint(_directions(tokens) * SCALE).astype(np.int64).sum(axis=0) for tokens in pictures)
        centre = np.rint(steps / (len(pictures) * len(pictures[0]))).astype(np.int16)
        blind = cls(bundle.digest, seen, centre, np.zeros(len(centre)))
        weight = _image_block(bundle).weight
        rows = [blind.columns(tokens, weight, anomaly) for tokens, anomaly in zip(pictures, own, strict=True)]
        q = np.stack(rows).astype(np.int64)
        count, totals, squares = len(q), q.sum(axis=0), np.square(q).sum(axis=0)
        scatter = (count * squares - np.square(totals)) / (count * (count - 1) * float(SCALE) ** 2)
        return cls(bundle.digest, seen, centre, np.maximum(scatter, FLOOR))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote; raise `KnowledgeDamaged` with the reason where it is anything else."""
        seen, numbers = parted(data)
        normality = bnk.decode(seen)
        if normality.seen is None or normality.heard is not None:
            raise KnowledgeDamaged("a guide knows pictures and nothing else")
        width = normality.seen.tokens.shape[3]
        if len(numbers) != 10 * width:
            raise KnowledgeDamaged(f"{len(numbers)} bytes of mean and variances, {10 * width} expected")
        centre = np.frombuffer(numbers, "<i2", count=width).astype(np.int16)
        variance = np.frombuffer(numbers, "<f8", offset=centre.nbytes).astype(np.float64)
        if not (np.isfinite(variance) & (variance >= FLOOR)).all():
            raise KnowledgeDamaged("variances that no good parts have")
        return cls(normality.bundle_digest, normality.seen, centre, variance)

    def to_bytes(self) -> bytes:
        """Give the one form of this guide."""
        seen = bnk.encode(bnk.Normality(self.bundle_digest, self.seen))
        return joined(seen, self.centre.astype("<i2").tobytes() + self.variance.astype("<f8").tobytes())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `to_bytes`, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def width(self) -> int:
        """How many dimensions it adds."""
        return len(self.variance)

    def terms(self, tokens: Tokens, anomaly: Floats | None = None) -> Floats:
        """Give what each region adds to the guided pooling, (regions, width); their sum is what is pooled.

        Args:
            tokens: of a picture, (regions, width).
            anomaly: where it is unlike `seen`, (rows, columns), where that is known already.

        Returns:
            Attention of each region times what its direction is away from the mean of good parts.

        Raises:
            ValueError: tokens of another shape, or not finite.
        """
        unusual = (self.seen.anomaly(tokens) if anomaly is None else anomaly).ravel() / TEMPERATURE
        weights = np.exp(unusual - unusual.max())
        terms: Floats = (weights / weights.sum())[:, np.newaxis] * (_directions(tokens) - dequantise(self.centre))
        return terms

    def columns(self, tokens: Tokens, weight: float, anomaly: Floats | None = None) -> NDArray[np.int16]:
        """Give the guided dimensions of q, (width,), where the image block has this weight; else as `terms`."""
        pooled = self.terms(tokens, anomaly).sum(axis=0)
        length = float(np.linalg.norm(pooled))
        return quantise(pooled * (weight**0.5 * _SHARED / length) if length else pooled)


@dataclass(frozen=True)
class GuidedBundle(Bundle):
    """A bundle whose pictures are looked at as a guide says; what is known in it is known in nothing else.

    Its parts, golden vectors and manifest are those of the bundle: it is what comes out that is longer.

    Attributes:
        guide: where to look.
    """

    guide: Guide

    @classmethod
    def of(cls, bundle: Bundle, guide: Guide) -> Self:
        """Guide a bundle; raise `ValueError` where it is another one than the guide is of."""
        if guide.bundle_digest != bundle.digest:
            raise ValueError(f"a guide of bundle {guide.bundle_digest[:12]}, not of {bundle.name}")
        digest = hashlib.sha256(f"guided {bundle.digest} {guide.digest}".encode()).hexdigest()
        return cls(bundle.folder, bundle.manifest, digest, guide)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Who owns which dimensions: those of the image are followed by the guided ones."""
        blocks, more = [], 0
        for block in self.manifest.blocks:
            start = block.start + more
            more += self.guide.width if block.modality == IMAGE else 0
            blocks.append(Block(block.modality, start, block.stop + more, block.weight, block.output))
        return tuple(blocks)

    def prior(self) -> Prior:
        """Give the prior: that of the bundle, and beside it what good parts vary by."""
        plain, (own, guided) = super().prior(), self._places
        covariance = np.zeros((self.d, self.d))
        covariance[np.ix_(own, own)] = plain.covariance * np.outer(self._scales, self._scales)
        covariance[guided, guided] = self.guide.variance
        return Prior(covariance, plain.strength)

    def extended(self, q: NDArray[np.int16], tokens: Tokens | None, anomaly: Floats | None = None) -> NDArray[np.int16]:
        """Give the embedding of a part that was looked at as the guide says.

        Args:
            q: without it, (d of the bundle,).
            tokens: of its picture; None without one.
            anomaly: where that is unlike the guide's good ones, where it is known already.

        Returns:
            Shape (d,); the guided dimensions of a part without a picture are 0.

        Raises:
            ValueError: tokens of another shape, or not finite.
        """
        return self.joined(q, None if tokens is None else self.looked(tokens, anomaly))

    def looked(self, tokens: Tokens, anomaly: Floats | None = None) -> NDArray[np.int16]:
        """Give the guided dimensions of a picture; `extended` says of what, and what is raised."""
        return self.guide.columns(tokens, _image_block(self).weight, anomaly)

    def joined(self, q: NDArray[np.int16], looked: NDArray[np.int16] | None) -> NDArray[np.int16]:
        """Give the embedding, (d,), of one without the guide and the guided dimensions; 0 where they are not there."""
        own, guided = self._places
        extended = np.zeros(self.d, np.int16)
        extended[own] = np.trunc(q * self._scales).astype(np.int16)
        if looked is not None:
            extended[guided] = looked
        return extended

    def pieces(self, plain: Floats, tokens: Tokens | None) -> Floats:
        """Give what the image block of an embedding is the sum of.

        Args:
            plain: the same without the guide, (pieces, dimensions of the bundle's block).
            tokens: of the picture; None where only the embedding is known.

        Returns:
            Shape (regions + 1, dimensions of the block): each region by what it adds where it is looked at, and at the
            end the picture as a whole.

        Raises:
            ValueError: tokens of another shape, or not finite.
        """
        block = _image_block(self)
        width = block.stop - block.start - self.guide.width
        terms = np.zeros((0, self.guide.width)) if tokens is None else self.guide.terms(tokens)
        length = float(np.linalg.norm(terms.sum(axis=0)))
        pieces = np.zeros((len(terms) + 1, block.stop - block.start))
        pieces[:-1, width:] = terms * (block.weight**0.5 * _SHARED / length) if length else terms
        pieces[-1, :width] = plain.sum(axis=0) * _SHARED
        return pieces

    @cached_property
    def _places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Where the dimensions of the bundle are, and where the guided ones."""
        image = _image_block(self)
        guided = np.arange(image.stop - self.guide.width, image.stop)
        return np.setdiff1d(np.arange(self.d), guided), guided

    @cached_property
    def _scales(self) -> Floats:
        """By what each dimension of the bundle is multiplied, which makes room for the guided ones."""
        scales = np.ones(self.manifest.embedding)
        image = _image_block_of(self.manifest.blocks)
        scales[image.start : image.stop] = _SHARED
        return scales


def can_be_guided(bundle: Bundle) -> bool:
    """Say whether a bundle gives tokens of pictures and has not learned itself how to weigh them."""
    return bundle.grid is not None and len(bundle.manifest.parts) == len(bundle.manifest.judging)


def _directions(tokens: Tokens) -> Floats:
    """Give unit vectors of the directions in which tokens are kept, (regions, width)."""
    values = rounded(tokens).astype(np.float64)
    directions: Floats = values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1.0)
    return directions


def _image_block(bundle: Bundle) -> Block:
    return _image_block_of(bundle.blocks)


def _image_block_of(blocks: Sequence[Block]) -> Block:
    return next(block for block in blocks if block.modality == IMAGE)
