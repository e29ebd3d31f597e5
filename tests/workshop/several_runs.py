"""What torchrun starts in `test_distributed`: the example trained with each compression in one go, and watched.

Beside what the history says it counts what really reaches `torch.distributed.all_reduce`, and prints it with a digest
of the weights, one JSON line a rank.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist
from example_task import ExampleTask

from models.workshop.distributed import together
from models.workshop.options import Options
from models.workshop.train import train

EPOCHS = 2
RANDOM = {"width": 64, "dropout": 0.3}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "none": ("none", {}),
    "bf16": ("bf16", {}),
    "powersgd": ("powersgd", {}),
    "wide": ("powersgd", {"width": 1024}),  # gradients in several buckets of 1 MB and more
    "random": ("powersgd", RANDOM),
}


def main() -> None:
    folder, handed = Path(sys.argv[1]), [0]
    all_reduce = dist.all_reduce

    def counted(tensor: Any, **arguments: Any) -> Any:
        handed[0] += tensor.nbytes
        return all_reduce(tensor, **arguments)

    dist.all_reduce = counted
    with together(timeout_s=20.0) as ranks:
        told = {}
        for name, (compression, example) in RUNS.items():
            task, handed[0] = ExampleTask(**example), 0
            options = Options(EPOCHS, "accuracy", compression=compression)
            result = train(task, folder / f"rank {ranks.rank}" / name, options, ranks=ranks)
            weights = b"".join(value.numpy().tobytes() for value in task.model.state_dict().values())
            told[name] = {
                "digest": hashlib.sha256(weights).hexdigest(),
                "handed_bytes": handed[0],
                "best": [result.best_epoch, result.metrics],
            }
        (folder / f"told by {ranks.rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
