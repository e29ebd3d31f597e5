"""A small frozen backbone, so that tests of what is left untouched need no published weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.workshop import encoders
from models.workshop.encoders import Maps
from models.workshop.fusion import UNTOUCHED_DIMS, FusionModel

FROZEN = "frozen"
CHANNELS = (4, 6)


class Frozen(nn.Module):
    """Two convolutions that nobody trains."""

    channels = CHANNELS
    origin = "random weights, frozen"

    def __init__(self) -> None:
        super().__init__()
        self._fine = nn.Conv2d(3, CHANNELS[0], 16, 16)
        self._coarse = nn.Conv2d(3, CHANNELS[1], 32, 32)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> Maps:
        return Maps(F.relu(self._fine(picture)), self._coarse(picture))


def offer_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer it by the name `FROZEN`."""
    monkeypatch.setitem(encoders.BACKBONES, FROZEN, Frozen)


def frozen_model(side_px: int) -> FusionModel:
    """Give a model with it whose untouched half sees something."""
    torch.manual_seed(9)
    model = FusionModel(FROZEN, "filterbank", "attention", side_px=side_px, untouched_dims=UNTOUCHED_DIMS).eval()
    assert model.untouched is not None
    nn.init.normal_(model.untouched.matrix)
    nn.init.normal_(model.untouched.offset)
    return model
