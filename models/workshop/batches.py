"""Which samples make which batch, and which of them a process gets: pure numpy, the same for the same seed and epoch.

It knows sample numbers only; what a sample is, and how it becomes a tensor, is the task's business.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.workshop.errors import WorkshopError


def batch_count(samples: int, batch_size: int) -> int:
    """Give how many batches an epoch has: the incomplete one at its end is left out, a small set is one batch."""
    return samples // min(batch_size, samples)


def index_batches(
    samples: int, batch_size: int, *, seed: int, epoch: int, rank: int, world: int
) -> Iterator[NDArray[np.int64]]:
    """Draw the batches of one epoch; together the shares of all ranks are the batches of a single process.

    All shares have the same size, because only then is the mean over the ranks of their means the mean over the batch.
    Every epoch has another order, so what is left out at the end of one gets its turn in others.

    Args:
        samples: how many there are.
        batch_size: samples of a whole batch, over all ranks; fewer where there are fewer samples.
        seed: of the run.
        epoch: counted from 1.
        rank: which process this is, from 0.
        world: how many processes there are.

    Yields:
        Sample numbers, shape (batch size / world,).

    Raises:
        WorkshopError: there is no sample, or a batch cannot be shared equally.
    """
    if samples < 1 or batch_size < 1:
        raise WorkshopError(f"{samples} samples cannot be trained in batches of {batch_size}", hint="both must be ≥ 1")
    size = min(batch_size, samples)
    if size % world:
        raise WorkshopError(
            f"a batch of {size} cannot be shared equally by {world} processes",
            hint=f"choose a batch size that {world} divides, at most the {samples} samples there are",
        )
    order = np.random.default_rng((seed, epoch)).permutation(samples).astype(np.int64)
    for start in range(0, batch_count(samples, batch_size) * size, size):
        yield order[start : start + size][rank::world]
