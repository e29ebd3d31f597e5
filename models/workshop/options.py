"""How a task is trained: the options of a run, checked, and the learning rate that follows from them. Pure values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from models.workshop.errors import WorkshopError

COMPRESSIONS: Final = ("none", "bf16", "powersgd")
"""How gradients travel between processes: as they are; rounded to bfloat16 and summed in it; or as products of two thin
matrices, where what that leaves out is added to the next batch's."""


@dataclass(frozen=True)
class Options:
    """How a task is trained.

    Attributes:
        epochs: how many at most.
        objective: the metric of the task that chooses the best epoch.
        higher_is_better: its direction.
        seed: of everything random inside an epoch that is torch's.
        learning_rate: at its peak.
        warm_up_share: share of all batches over which the rate rises to the peak.
        final_rate_share: what the rate has fallen to at the end, along a cosine, as a share of the peak; 1 keeps it.
        weight_decay: of AdamW, on matrices and filters; never on biases, norms and single vectors.
        gradient_limit: longer gradients are scaled to this length.
        patience: epochs without a better objective before it stops; None never stops early.
        threads: that compute, in each process; another number gives other last bits.
        compression: how gradients travel between processes, one of `COMPRESSIONS`.
    """

    epochs: int
    objective: str
    higher_is_better: bool = True
    seed: int = 0
    learning_rate: float = 1e-3
    warm_up_share: float = 0.05
    final_rate_share: float = 0.0
    weight_decay: float = 0.01
    gradient_limit: float = 1.0
    patience: int | None = None
    threads: int = 1
    compression: str = "none"

    def __post_init__(self) -> None:
        allowed = {
            "epochs must be 1 or more": self.epochs >= 1,
            "seed must be 0 or more": self.seed >= 0,
            "learning_rate must be positive": 0.0 < self.learning_rate < math.inf,
            "warm_up_share must be at least 0 and below 1": 0.0 <= self.warm_up_share < 1.0,
            "final_rate_share must be from 0 to 1": 0.0 <= self.final_rate_share <= 1.0,
            "weight_decay must be 0 or more": 0.0 <= self.weight_decay < math.inf,
            "gradient_limit must be positive": self.gradient_limit > 0.0,
            "patience must be 1 or more": self.patience is None or self.patience >= 1,
            "threads must be 1 or more": self.threads >= 1,
            f"compression must be one of {', '.join(COMPRESSIONS)}": self.compression in COMPRESSIONS,
        }
        wrong = [rule for rule, kept in allowed.items() if not kept]
        if wrong:
            raise WorkshopError(f"these options cannot be trained with: {'; '.join(wrong)}", hint="change them")

    def rate(self, step: int, steps: int) -> float:
        """Give the learning rate of batch `step`, from 0, of all `steps` batches of the run."""
        rising = round(self.warm_up_share * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / (rising + 1)
        fallen = 0.5 - 0.5 * math.cos(math.pi * (step - rising) / (steps - rising))
        return self.learning_rate * (1.0 - (1.0 - self.final_rate_share) * fallen)
