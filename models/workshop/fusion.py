"""The fusion model: encoders for picture and vibration, and one layer that weighs their tokens into an embedding.

A learned query for each head weighs the tokens of a modality; the weights are a softmax over what is there, and what is
summed is linear in the tokens. So the embedding is a sum over regions and moments, and a modality that is missing
changes nothing in the dimensions of the other. Half of a picture's block is what a frozen backbone sees untouched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.source import VibrationSpec
from models.workshop.encoders import VIBRATION_ENCODERS, WIDTH, ImageEncoder, Maps, named
from models.workshop.errors import WorkshopError
from models.workshop.untouched import Untouched

if TYPE_CHECKING:
    from models.workshop.finetune import FineTune

METHODS: Final = {
    "attention": "tokens are weighed by learned queries; one loss for both modalities together and each alone",
    "concat": "tokens are averaged; one loss for both modalities together and each alone",
    "late": "tokens are weighed by learned queries; each modality has a loss of its own and its own say",
}
"""The ways of fusion and what each does."""

HEADS: Final = 4
VALUES: Final = 32
"""Numbers that each head sums."""

HIDDEN: Final = 64
"""Width of the layer that scores a token."""

SIDE_PX: Final = 256
"""320 tells faint scratches a little better and takes 1.4 times as long (decision 13)."""

STRIDE_PX: Final = 32
"""A coarse map has one place for so many pixels a side."""

IMAGE_DIMS: Final = 80
UNTOUCHED_DIMS: Final = 40
"""Of the picture's, for what a frozen backbone sees untouched; they are given up by what was trained (decision 36)."""

VIBRATION_DIMS: Final = 48
VIBRATION: Final = VibrationSpec(duration_ms=80.0, window_ms=9.6, hop_ms=2.0, bands=64, low_hz=60.0, high_hz=12_000.0)
"""How a tap test is listened to unless said otherwise."""


@dataclass(frozen=True)
class Design:
    """Everything that decides which tensors a model has; weights of one design fit no other.

    Attributes:
        image_encoder: name, see `encoders.BACKBONES`.
        vibration_encoder: name, see `encoders.VIBRATION_ENCODERS`.
        fusion_method: name, see `METHODS`.
        classes: what the classifier tells apart while it is trained; the station's head is solved anew.
        vibration: how a window is looked at.
        side_px: side of the square that a picture is scaled to [px], a multiple of 32.
        untouched_dims: dimensions of the picture's block for what the frozen backbone sees untouched.
    """

    image_encoder: str = "resnet18"
    vibration_encoder: str = "lstm"
    fusion_method: str = "attention"
    classes: tuple[str, ...] = ()
    vibration: VibrationSpec = VIBRATION
    side_px: int = SIDE_PX
    untouched_dims: int = 0


class Pooled(NamedTuple):
    """One modality, weighed.

    Attributes:
        attention: weight of each token for each head, (batch, heads, tokens); sums to 1 over the tokens.
        values: what is summed, (batch, tokens, heads, numbers).
        unit: the block of the embedding, of length 1, or zeros where the modality is missing, (batch, dims).
        raw: the same before it was brought to length 1, (batch, dims).
    """

    attention: Tensor
    values: Tensor
    unit: Tensor
    raw: Tensor


class Fused(NamedTuple):
    """What the model makes of a batch.

    Attributes:
        image: the picture, weighed.
        vibration: the vibration, weighed.
        z: the embedding, (batch, 128): both blocks, each with half of the squared length.
    """

    image: Pooled
    vibration: Pooled
    z: Tensor


class Pool(nn.Module):
    """Weighs the tokens of one modality and sums them.

    Args:
        dims: of the modality's block.
        weighs: by learned queries; otherwise every token counts the same.
        width: numbers of a token.
    """

    def __init__(self, dims: int, *, weighs: bool, width: int = WIDTH) -> None:
        super().__init__()
        self._score = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HEADS))
            if weighs
            else None
        )
        self._value = nn.Linear(width, HEADS * VALUES)
        self._project = nn.Linear(HEADS * VALUES, dims, bias=False)

    def turn(self, directions: Tensor) -> None:
        """Give the block as components in other directions, (new dims, dims)."""
        turned = nn.Linear(HEADS * VALUES, len(directions), bias=False)
        turned.weight = nn.Parameter(directions @ self._project.weight.detach())
        self._project = turned

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weigh tokens.

        Args:
            tokens: (batch, tokens, width).
            mask: 1 where a token is there, (batch, tokens).

        Returns:
            Attention (batch, heads, tokens), zero where the mask is; values (batch, tokens, heads, numbers); and the
            raw block (batch, dims), zero where no token is there.
        """
        batch, count, _ = tokens.shape
        scores = tokens.new_zeros(batch, count, HEADS) if self._score is None else self._score(tokens)
        scores = scores.transpose(1, 2) - 1e4 * (1.0 - mask[:, None, :])
        attention = torch.softmax(scores, -1) * mask[:, None, :]
        values = self._value(tokens).reshape(batch, count, HEADS, VALUES)
        pooled = torch.matmul(attention[:, :, None, :], values.transpose(1, 2)).reshape(batch, HEADS * VALUES)
        return attention, values, self._project(pooled)


class FusionModel(nn.Module):
    """Picture and vibration to one embedding.

    Args:
        image_encoder: `resnet18`, `resnet50` (random weights) or `efficientnet_lite0` (ImageNet weights, frozen).
        vibration_encoder: `filterbank`, `lstm` or `cnn1d`.
        fusion_method: name, see `METHODS`.
        classes: what the classifier tells apart while the model is trained.
        vibration: how a window is looked at.
        side_px: side of the square that a picture is scaled to [px], a multiple of 32.
        untouched_dims: dimensions of the picture's block that nothing is trained in, see `halve`.

    Raises:
        WorkshopError: there is no encoder or method of that name, or the side is no multiple of 32.
    """

    def __init__(
        self,
        image_encoder: str = "resnet18",
        vibration_encoder: str = "lstm",
        fusion_method: str = "attention",
        *,
        classes: Sequence[str] = (),
        vibration: VibrationSpec = VIBRATION,
        side_px: int = SIDE_PX,
        untouched_dims: int = 0,
    ) -> None:
        super().__init__()
        if side_px < STRIDE_PX or side_px % STRIDE_PX:
            raise WorkshopError(
                f"the side of a picture must be a multiple of {STRIDE_PX}, got {side_px}", hint=f"take {SIDE_PX}"
            )
        weighs = named("fusion method", fusion_method, METHODS) != "concat"
        self.design = Design(
            image_encoder, vibration_encoder, fusion_method, tuple(classes), vibration, side_px, untouched_dims
        )
        self.image_encoder = ImageEncoder(image_encoder)
        self.vibration_encoder = VIBRATION_ENCODERS[named("vibration encoder", vibration_encoder, VIBRATION_ENCODERS)](
            vibration
        )
        channels = sum(self.image_encoder.backbone.channels)
        self.untouched = Untouched(channels, untouched_dims) if untouched_dims else None
        self.image_pool = Pool(IMAGE_DIMS - untouched_dims, weighs=weighs)
        self.vibration_pool = Pool(VIBRATION_DIMS, weighs=weighs)
        self.directions = nn.Parameter(torch.randn(len(classes), IMAGE_DIMS + VIBRATION_DIMS))

    def forward(self, picture: Tensor, vibration: Tensor, present: Tensor | None = None) -> Fused:
        """Embed pictures and windows.

        Args:
            picture: (batch, 3, side, side), grey levels brought to -1…1; the side is a multiple of 32.
            vibration: features (batch, F), or frames (batch, frames, 3 bands): what the encoder's `source` is.
            present: whether picture and vibration are there, (batch, 2); both where not given.

        Returns:
            The embedding with everything it is made of.
        """
        return self.fuse(self.image_encoder.backbone(picture), vibration, present)

    def fuse(self, maps: Maps, vibration: Tensor, present: Tensor | None = None) -> Fused:
        """Embed pictures of which the backbone's maps are known; see `forward`."""
        tokens = self.image_encoder(maps), self.vibration_encoder(vibration)
        there = torch.ones(len(vibration), 2) if present is None else present.float()
        masks = [there[:, i : i + 1].expand(-1, t.shape[1]) for i, t in enumerate(tokens)]
        attention, values, raw = self.image_pool(tokens[0], masks[0])
        if self.untouched is not None:
            raw = side_by_side(self.untouched(maps), raw, masks[0])
        image, heard = _pooled(attention, values, raw), _pooled(*self.vibration_pool(tokens[1], masks[1]))
        return Fused(image, heard, torch.cat([image.unit, heard.unit], 1) * 0.5**0.5)

    def classify(self, z: Tensor) -> Tensor:
        """Give the cosine between embeddings (batch, 128) and each class's direction, (batch, classes)."""
        return F.linear(z, F.normalize(self.directions, dim=1))

    def grow(self, classes: Sequence[str], directions: Tensor) -> None:
        """Add classes to the classifier.

        Args:
            classes: names of the new ones.
            directions: a direction for each, (classes, 128), for example its mean embedding (Qi et al., 2018).
        """
        self.directions = nn.Parameter(torch.cat([self.directions.detach(), F.normalize(directions, dim=1)]))
        self.design = replace(self.design, classes=(*self.design.classes, *classes))

    def halve(self, untouched: Untouched, kept: Tensor) -> None:
        """Give up some of the picture's trained dimensions for what the frozen backbone sees untouched.

        Args:
            untouched: fitted.
            kept: directions of the trained block, (as many as `untouched` leaves, 80).
        """
        self.untouched = untouched
        self.image_pool.turn(kept)
        self.design = replace(self.design, untouched_dims=len(untouched.offset))

    def fine_tune(
        self,
        pretrained_weights: str | Path,
        new_classes: int | Sequence[str],
        few_shot_ratio: float = 0.2,
        *,
        data: str | Path | None = None,
    ) -> FineTune:
        """Learn new classes from a small share of their examples, and prove it on the rest.

        Args:
            pretrained_weights: a file that `save_weights` wrote for a model of the same encoders and method.
            new_classes: how many classes are new, or their names.
            few_shot_ratio: share of each new class's things that is learned from; the rest is proof.
            data: a folder of class folders, or a manifest of paired data; where it is not given, or the weights are not
                there, the handle says what it waits for.

        Returns:
            A handle: `waits_for` is empty when `run()` can begin.

        Raises:
            WorkshopError: a ratio outside of 0 to 1, no new class, or weights of another model.
        """
        from models.workshop.finetune import FineTune  # noqa: PLC0415 (it builds models)

        return FineTune(self, Path(pretrained_weights), new_classes, few_shot_ratio, data)


def side_by_side(untouched: Tensor, trained: Tensor, mask: Tensor) -> Tensor:
    """Put both halves of a picture's block together, each of length 1, so that neither drowns the other.

    Args:
        untouched: raw values, (batch, dims).
        trained: raw values, (batch, other dims), zero where no token is there.
        mask: 1 where a token is there, (batch, tokens).

    Returns:
        The raw block, zero where no token is there.
    """
    return torch.cat([F.normalize(untouched, dim=1) * mask.amax(1, keepdim=True), F.normalize(trained, dim=1)], 1)


def _pooled(attention: Tensor, values: Tensor, raw: Tensor) -> Pooled:
    return Pooled(attention, values, F.normalize(raw, dim=1), raw)
