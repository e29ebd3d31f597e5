"""What a fusion model is trained on: pictures and vibration of labelled samples, and the maps of a frozen backbone.

Two cores cannot push pictures through a backbone at every epoch; what follows the backbone is small. A backbone that is
trained itself sees the pictures every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.workshop.encoders import GREY_MEAN, GREY_STD, Maps
from models.workshop.fusion import Fused, FusionModel
from models.workshop.untouched import pooled

Rows = NDArray[np.intp] | slice

BATCH: Final = 64
"""Samples that are embedded together."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """Labelled samples as arrays; row i of each is sample i.

    Attributes:
        classes: slugs, the class of good parts first.
        shows: whether a class differs from good parts in picture and vibration, bool, shape (classes, 2).
        pictures: scaled, RGB, uint8, (n, side, side, 3); zeros where there is none.
        fine: maps of a frozen backbone, float16, (n, channels, rows, columns); empty for one that is trained.
        coarse: the same, (n, channels, rows / 2, columns / 2).
        vibration: the vibration encoder's source, float32, (n, …).
        present: whether picture and vibration are there, bool, (n, 2).
        labels: index of the class, (n,).
        lines: which line a sample is from, (n,); only samples of one line are compared with each other.
        things: which physical thing a sample shows, (n,); variants of a sample share it.
    """

    classes: tuple[str, ...]
    shows: NDArray[np.bool_]
    pictures: NDArray[np.uint8]
    fine: NDArray[np.float16]
    coarse: NDArray[np.float16]
    vibration: NDArray[np.float32]
    present: NDArray[np.bool_]
    labels: NDArray[np.int64]
    lines: NDArray[np.int64]
    things: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def modalities(self) -> tuple[bool, bool]:
        """Whether any sample has a picture, and whether any has vibration."""
        return bool(self.present[:, 0].any()), bool(self.present[:, 1].any())

    def only(self, rows: NDArray[np.intp]) -> Corpus:
        """Give some of the samples; a class that none of them is of is left out."""
        kept, labels = np.unique(self.labels[rows], return_inverse=True)
        return Corpus(
            classes=tuple(self.classes[i] for i in kept),
            shows=self.shows[kept],
            pictures=self.pictures[rows],
            fine=self.fine[rows] if len(self.fine) else self.fine,
            coarse=self.coarse[rows] if len(self.coarse) else self.coarse,
            vibration=self.vibration[rows],
            present=self.present[rows],
            labels=labels.astype(np.int64),
            lines=self.lines[rows],
            things=self.things[rows],
        )

    def maps(self, model: FusionModel, rows: Rows) -> Maps:
        """Give what the model's backbone sees of some samples, float32."""
        if len(self.fine):
            return Maps(torch.from_numpy(self.fine[rows]).float(), torch.from_numpy(self.coarse[rows]).float())
        levels = torch.from_numpy(self.pictures[rows]).movedim(3, 1).float()
        return Maps(*model.image_encoder.backbone((levels - GREY_MEAN) / GREY_STD))

    def fused(self, model: FusionModel, rows: Rows) -> Fused:
        """Give what a model makes of some samples."""
        # Cloned into torch's own memory: how numpy happens to align its arrays would decide the last bit of a sum.
        heard, there = torch.from_numpy(self.vibration[rows]).clone(), torch.from_numpy(self.present[rows])
        return model.fuse(self.maps(model, rows), heard, there)

    def embedded(self, model: FusionModel) -> Tensor:
        """Give z of every sample, (n, 128), without gradients."""
        model.eval()
        with torch.no_grad():
            return torch.cat([self.fused(model, rows).z for rows in self._batches()])

    def pooled(self, model: FusionModel) -> Tensor:
        """Give mean and maximum of every channel of the backbone's maps, (n, 2 channels), without gradients."""
        model.eval()
        with torch.no_grad():
            return torch.cat([pooled(self.maps(model, rows)) for rows in self._batches()])

    def _batches(self) -> list[NDArray[np.intp]]:
        return np.array_split(np.arange(len(self)), max(len(self) // BATCH, 1))
