"""What a training run has measured, epoch by epoch, and what follows from it: which epoch was best, whether to stop.

Pure values. Everything that decides how a run goes on is derived from here, so it survives wherever the history does.
"""

from __future__ import annotations

import msgspec


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One epoch.

    Attributes:
        number: counted from 1.
        loss: mean over its batches, while it was trained.
        learning_rate: of its last batch.
        sent_bytes_per_batch: what one process sent to average gradients, mean over the batches [bytes]; 0 alone.
        metrics: what the task measured after it.
    """

    number: int
    loss: float
    learning_rate: float
    sent_bytes_per_batch: float
    metrics: dict[str, float]


class History(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All epochs so far.

    Attributes:
        objective: the metric that decides.
        higher_is_better: its direction.
        epochs: in order; the first is number 1.
    """

    objective: str
    higher_is_better: bool
    epochs: tuple[Epoch, ...] = ()

    @property
    def best(self) -> Epoch:
        """The epoch with the best objective, the earliest of equals. There must be one."""
        sign = 1.0 if self.higher_is_better else -1.0
        return max(self.epochs, key=lambda epoch: sign * epoch.metrics[self.objective])

    def plus(self, epoch: Epoch) -> History:
        """Give the history with one epoch more."""
        return msgspec.structs.replace(self, epochs=(*self.epochs, epoch))

    def is_over(self, limit: int, patience: int | None) -> bool:
        """Say whether `limit` epochs are done, or `patience` of them have passed since the best one."""
        done = len(self.epochs)
        return done >= limit or (patience is not None and done > 0 and done - self.best.number >= patience)

    def encode(self) -> bytes:
        """Give the JSON that `decode` reads; the same history gives the same bytes."""
        return msgspec.json.encode(self)

    @staticmethod
    def decode(data: bytes) -> History:
        """Read what `encode` gave."""
        return msgspec.json.decode(data, type=History)

    def report(self) -> bytes:
        """Give JSON for people and other programs: the best epoch, then all of them."""
        best = self.best.number if self.epochs else None
        return msgspec.json.format(msgspec.json.encode({"best_epoch": best, **msgspec.to_builtins(self)})) + b"\n"
