"""Trains a task in a run folder, reproducibly: the same task, options and number of processes give the same bits.

It joins the run folder, the processes and the loop; it knows no model, no data and no loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from models.workshop.distributed import ALONE, Ranks
from models.workshop.loop import WEIGHTS, Loop
from models.workshop.options import Options
from models.workshop.progress import reporting
from models.workshop.run import held
from models.workshop.task import Batch, Task


@dataclass(frozen=True)
class Result:
    """What a training came to.

    Attributes:
        best_epoch: counted from 1.
        metrics: of that epoch.
        weights: the file of its weights: `torch.load(weights, weights_only=True)` gives the model's state.
    """

    best_epoch: int
    metrics: dict[str, float]
    weights: Path


def train(task: Task[Batch], folder: Path, options: Options, *, resume: bool = True, ranks: Ranks = ALONE) -> Result:
    """Train a task, or go on where an earlier call was interrupted; the model is left as its last epoch left it.

    Everything random in an epoch must come from torch's generator, which is set from seed, epoch and rank when the
    epoch begins. Several processes then give the result of one, but for rounding, unless a sample's loss depends on
    chance or on the other samples of the batch: every rank draws its own dropout, a loss that compares samples sees the
    rank's share only, and so does batch norm in training mode, of which rank 0's running statistics are kept (freeze
    it, or use a norm over the sample). Resuming is exact to the bit with one or two processes; with more, gloo may add
    in another order.

    Args:
        task: what is trained; with several processes, the same in each.
        folder: the run folder; only rank 0 uses it.
        options: how.
        resume: go on with what the folder holds; otherwise that is removed.
        ranks: the processes, from `together`.

    Returns:
        The best epoch.

    Raises:
        WorkshopError: the folder cannot be used, or a loss, a gradient or a metric is not finite.
    """
    description = {
        "task": task.describe(),
        "options": asdict(options),
        "processes": ranks.world,
        "torch": str(torch.__version__),
    }
    with (
        _reproducible(options.threads),
        reporting(options.epochs, task.batches_per_epoch, silent=not ranks.leads) as report,
        held(folder, description, resume=resume) if ranks.leads else nullcontext() as run,
    ):
        loop = Loop(task, options, ranks, report)
        loop.restore(ranks.tell(run.newest(report.say) if run else b""))
        best = loop.go_on(run).best
        return Result(best.number, best.metrics, folder / WEIGHTS)


@contextmanager
def _reproducible(threads: int) -> Iterator[None]:
    """Let torch compute the same bits every time, and put its settings and its generator back afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(True)
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
