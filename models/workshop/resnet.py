"""Residual networks of 18 and 50 layers in torch, built from their published tables (He et al., 2015, table 1).

With random weights, to be trained or to be compared with: the package index has no weights for them. A network whose
binary has to match the build of torch is not worth its place for sixty lines.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

STAGE_CHANNELS: Final = (64, 128, 256, 512)
REPEATS: Final = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}
EXPANSION: Final = {18: 1, 50: 4}
"""How much wider a stage's output is than what its 3 x 3 convolutions see."""


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Residual(nn.Module):
    """Convolutions around which the input goes as it is, or projected where the shape changes.

    Args:
        inputs: channels.
        channels: of the 3 x 3 convolutions.
        expansion: 1 for two 3 x 3 convolutions; 4 for one between two of 1 x 1, the last so many times wider.
        stride: of the first 3 x 3 convolution.
    """

    def __init__(self, inputs: int, channels: int, expansion: int, stride: int) -> None:
        super().__init__()
        outputs = channels * expansion
        if expansion == 1:
            layers = [_convolution(inputs, channels, 3, stride), nn.ReLU(), _convolution(channels, outputs, 3)]
        else:
            layers = [
                *(_convolution(inputs, channels, 1), nn.ReLU()),
                *(_convolution(channels, channels, 3, stride), nn.ReLU()),
                _convolution(channels, outputs, 1),
            ]
        self._layers = nn.Sequential(*layers)
        changes = stride != 1 or inputs != outputs
        self._around = _convolution(inputs, outputs, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Give (batch, channels x expansion, rows / stride, columns / stride)."""
        return F.relu(self._layers(x) + self._around(x))


class ResNet(nn.Module):
    """The network without its classifier.

    Args:
        layers: 18 or 50.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self._stem = nn.Sequential(_convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        expansion, inputs, stages = EXPANSION[layers], 64, []
        for number, (channels, repeats) in enumerate(zip(STAGE_CHANNELS, REPEATS[layers], strict=True)):
            blocks = []
            for repeat in range(repeats):
                blocks.append(Residual(inputs, channels, expansion, 2 if number and not repeat else 1))
                inputs = channels * expansion
            stages.append(nn.Sequential(*blocks))
        self._stages = nn.ModuleList(stages)

    def stage_outputs(self, x: Tensor) -> list[Tensor]:
        """Give the output of each of the four stages, at a stride of 4, 8, 16 and 32 pixels."""
        outputs, x = [], self._stem(x)
        for stage in self._stages:
            x = stage(x)
            outputs.append(x)
        return outputs
