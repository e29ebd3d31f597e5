"""The smallest task that can be trained, and the command that trains it: what a real one looks like, and no more.

Points of four classes in 32 dimensions, a network of three layers. As a program it is what `torchrun` starts.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.workshop.batches import batch_count, index_batches
from models.workshop.distributed import together
from models.workshop.errors import WorkshopError
from models.workshop.options import Options
from models.workshop.train import train

DIMS, CLASSES, SAMPLES, BATCH_SIZE = 32, 4, 512, 16


@dataclass(frozen=True, eq=False)
class Batch:
    points: Tensor
    label: Tensor


@dataclass(eq=False)
class ExampleTask:
    seed: int = 0
    width: int = 128
    dropout: float = 0.0
    bad: tuple[int, int] | None = None  # epoch and batch whose first number is NaN
    die: tuple[str, int, int] | None = None  # what happens, to which rank, in which epoch
    slow_s: float = 0.0

    def __post_init__(self) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            w = self.width
            self.model = nn.Sequential(
                *(nn.Linear(DIMS, w), nn.ReLU(), nn.Dropout(self.dropout)),
                *(nn.Linear(w, w), nn.ReLU(), nn.Linear(w, CLASSES)),
            )
            centres = torch.randn(CLASSES, DIMS)
            label = torch.randint(0, CLASSES, (2 * SAMPLES,))
            points = centres[label] + 2.5 * torch.randn(2 * SAMPLES, DIMS)
        self.seen = Batch(points[:SAMPLES], label[:SAMPLES])
        self.held_out = Batch(points[SAMPLES:], label[SAMPLES:])
        self.batches_per_epoch = batch_count(SAMPLES, BATCH_SIZE)

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.model.parameters()

    def batches(self, epoch: int, rank: int, world: int) -> Iterable[Batch]:
        if self.die is not None and self.die[1:] == (rank, epoch):
            os.kill(os.getpid(), getattr(signal, self.die[0]))
        shares = index_batches(SAMPLES, BATCH_SIZE, seed=self.seed, epoch=epoch, rank=rank, world=world)
        for number, index in enumerate(shares, 1):
            points = self.seen.points[torch.from_numpy(index)]
            if self.bad == (epoch, number):
                points[0, 0] = torch.nan
            time.sleep(self.slow_s)
            yield Batch(points, self.seen.label[torch.from_numpy(index)])

    def loss(self, batch: Batch) -> Tensor:
        return F.cross_entropy(self.model(batch.points), batch.label)

    def evaluate(self) -> dict[str, float]:
        scores = self.model(self.held_out.points)
        accuracy = (scores.argmax(dim=1) == self.held_out.label).double().mean()
        return {"accuracy": accuracy.item(), "loss": F.cross_entropy(scores, self.held_out.label).item()}

    def describe(self) -> dict[str, Any]:
        return {"name": "example", "seed": self.seed, "layers": {"width": self.width, "dropout": self.dropout}}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--options", type=json.loads, default={})
    parser.add_argument("--task", type=json.loads, default={})
    parser.add_argument("--timeout-s", type=float, default=20.0)
    arguments = parser.parse_args()
    task = ExampleTask(**{name: tuple(v) if isinstance(v, list) else v for name, v in arguments.task.items()})
    try:
        with together(arguments.timeout_s) as ranks:
            train(task, arguments.folder, Options(**{"objective": "accuracy", **arguments.options}), ranks=ranks)
    except WorkshopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
