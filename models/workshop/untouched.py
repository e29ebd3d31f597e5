"""What a frozen backbone sees of a picture when nothing is trained: means and maxima of its maps, in few numbers.

It is the form of `generic`, fitted on the pictures at hand instead of on drawn ones. Training on some classes makes a
model blind to others; this half of the picture's block cannot go blind.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.workshop.encoders import Maps
from models.workshop.fit import Material, principal

POWER: Final = 0.5
"""Half whitening, as in `generic`."""


def pooled(maps: Maps) -> Tensor:
    """Give mean and maximum of every channel over the picture, (batch, 2 channels)."""
    flat = [values.flatten(2) for values in maps]
    return torch.cat([*(values.mean(2) for values in flat), *(values.amax(2) for values in flat)], 1)


class Untouched(nn.Module):
    """A projection of what is pooled, fitted once and never trained.

    Args:
        channels: of both maps together.
        dims: numbers that come out.
    """

    matrix: Tensor
    offset: Tensor

    def __init__(self, channels: int, dims: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.zeros(2 * channels, dims))
        self.register_buffer("offset", torch.zeros(dims))

    def fit(self, rows: Tensor) -> None:
        """Take the principal components of examples of what is pooled, (n, 2 channels); a few more than `dims`."""
        features = rows.double().numpy()
        one = torch.zeros(len(rows), dtype=torch.int64).numpy()
        found = principal(Material(features, one, one), len(self.offset), POWER, centred=False)
        self.matrix.copy_(torch.from_numpy(found.matrix))
        self.offset.copy_(torch.from_numpy(-found.mean @ found.matrix))

    def forward(self, maps: Maps) -> Tensor:
        """Give the raw values, (batch, dims), of maps."""
        return self.project(pooled(maps))

    def project(self, rows: Tensor) -> Tensor:
        """Give the raw values, (n, dims), of what is pooled, (n, 2 channels)."""
        return rows @ self.matrix + self.offset

    def terms(self, maps: Maps) -> Tensor:
        """Give what each place of the fine map adds to the raw values, (batch, places, dims).

        A mean has an equal share from every place, a maximum all of it from where it is; places that are equally high
        have equal shares, as the four of one coarse place always do.
        """
        places = torch.cat([maps.fine, F.interpolate(maps.coarse, scale_factor=2, mode="nearest")], 1).flatten(2)
        highest = (places == places.amax(2, keepdim=True)).float()
        parts = torch.cat([places / places.shape[2], places * highest / highest.sum(2, keepdim=True)], 1)
        return parts.transpose(1, 2) @ self.matrix + self.offset / places.shape[2]
