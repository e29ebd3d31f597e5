"""What can be trained: the protocol between the training loop and everything that has a model, data and a loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from torch import Tensor, nn

Batch = TypeVar("Batch")


class Task(Protocol[Batch]):
    """What is trained. Made anew from the same description, it must be the same, first weights included."""

    @property
    def model(self) -> nn.Module:
        """What `best.pt` holds the weights and buffers of."""

    @property
    def batches_per_epoch(self) -> int:
        """How many batches every process gets in every epoch."""

    def parameters(self) -> Iterable[nn.Parameter]:
        """Those of the model that are trained, always in the same order; every loss depends on each of them."""

    def batches(self, epoch: int, rank: int, world: int) -> Iterable[Batch]:
        """Give this rank's share of the batches; the same epoch, from 1, always gives the same."""

    def loss(self, batch: Batch) -> Tensor:
        """Give the loss, a scalar: the mean over the samples of the batch. The model is in training mode."""

    def evaluate(self) -> dict[str, float]:
        """Measure the model, which is in evaluation mode, without gradients. All figures are finite."""

    def describe(self) -> dict[str, Any]:
        """Say what this is, JSON-able: whatever changes the result (data by digest, architecture, loss, seed)."""
