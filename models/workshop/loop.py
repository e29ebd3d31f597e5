"""The training loop: epochs of a task, each ending in a checkpoint, until the epochs or the patience are spent.

An epoch depends on the weights, the optimizer, the options and its number, on nothing else: random numbers and the
memory of a compression begin anew with it. So a checkpoint between two epochs is whole, and a run that was
interrupted anywhere ends with the same bits as one that was not.
"""

from __future__ import annotations

import io
import math
from typing import Any, Final, Generic

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from models.workshop.curves import curves
from models.workshop.distributed import Ranks
from models.workshop.errors import WorkshopError
from models.workshop.history import Epoch, History
from models.workshop.options import Options
from models.workshop.progress import Pace, Report
from models.workshop.run import Run
from models.workshop.task import Batch, Task

WEIGHTS: Final = "best.pt"
HISTORY: Final = "history.json"
CURVES: Final = "curves.png"

CURVES_EVERY_S: Final = 30.0
"""How often the curves are drawn while a run goes on; always at its end [s]."""


class _Loss(nn.Module):
    """The loss as a module, so that torch's wrapper sees the whole way from batch to loss, whatever the task does."""

    def __init__(self, task: Task[Any]) -> None:
        super().__init__()
        self.model = task.model
        self._task = task

    def forward(self, batch: Any) -> Tensor:
        return self._task.loss(batch)


class Loop(Generic[Batch]):
    """One run under way.

    Args:
        task: what is trained.
        options: how.
        ranks: the processes that train it together.
        report: where to tell how far it is.
    """

    def __init__(self, task: Task[Batch], options: Options, ranks: Ranks, report: Report) -> None:
        self._task, self._options, self._ranks, self._report = task, options, ranks, report
        self._trained = _only_trained(task)
        self._optimizer = _optimizer(list(self._trained.values()), options)
        self._module = ranks.joined(_Loss(task), options.compression)
        self._best: dict[str, Tensor] = {}
        self._history = History(options.objective, options.higher_is_better)

    def restore(self, checkpoint: bytes) -> None:
        """Take up what an interrupted run left; nothing when it is empty."""
        if not checkpoint:
            return
        state = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
        try:
            self._task.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise WorkshopError(
                f"the checkpoint does not fit the model: {' '.join(str(error).split())[:300]}",
                hint="the model has changed and describe() did not say so: start afresh, or choose another folder",
            ) from error
        self._best = state["best"]
        self._history = History.decode(state["history"].encode())

    def go_on(self, run: Run | None) -> History:
        """Train until it is over.

        Args:
            run: where everything is kept; None where another process does that.

        Returns:
            All epochs, those before an interruption too.
        """
        pace = Pace(CURVES_EVERY_S)
        if run and self._best:
            self._publish(run, new_best=True)
        while not self._history.is_over(self._options.epochs, self._options.patience):
            epoch = self._epoch(len(self._history.epochs) + 1)
            self._history = self._history.plus(epoch)
            is_best = self._history.best is epoch
            if is_best:
                self._best = {name: value.clone() for name, value in self._task.model.state_dict().items()}
            if run:
                run.keep(epoch.number, self._packed())
                self._publish(run, new_best=is_best)
                if pace.due():
                    run.put(CURVES, curves(self._history))
            figures = ", ".join(f"{name} {value:.4g}" for name, value in epoch.metrics.items())
            line = f"epoch {epoch.number}/{self._options.epochs}: training loss {epoch.loss:.4g}, {figures}"
            self._report.say(f"{line} (best)" if is_best else line)
        if run:
            run.put(CURVES, curves(self._history))
        return self._history

    def _epoch(self, number: int) -> Epoch:
        """Train one epoch; every rank gets the same figures."""
        _seed(self._options.seed, number, self._ranks.rank)
        self._ranks.begin_epoch()
        self._module.train()
        total, rate, count, expected = 0.0, 0.0, 0, self._task.batches_per_epoch
        for batch in self._task.batches(number, self._ranks.rank, self._ranks.world):
            if count == expected:
                raise _miscounted(number, "more", expected)
            rate = self._options.rate((number - 1) * expected + count, self._options.epochs * expected)
            count += 1
            loss = self._step(batch, rate, f"epoch {number}, batch {count}")
            total += loss
            self._report.batch(number, count, loss)
        if count < expected:
            raise _miscounted(number, "fewer", expected)
        mean, sent = self._ranks.mean(total / count), self._ranks.sent_bytes() / count
        told = b""
        if self._ranks.leads:
            self._report.evaluating(number)
            told = msgspec.json.encode(Epoch(number, mean, rate, sent, self._measured(number)))
        return msgspec.json.decode(self._ranks.tell(told), type=Epoch)

    def _step(self, batch: Batch, rate: float, where: str) -> float:
        """Learn from one batch, unless something about it is not finite; give its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._module(batch)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise WorkshopError(
                f"{where}: the loss is {value}; nothing was learned from it",
                hint="look for NaN in the data of that batch, or lower the learning rate",
            )
        loss.backward()
        idle = [name for name, parameter in self._trained.items() if parameter.grad is None]
        if idle:
            raise WorkshopError(
                f"{where}: the loss does not depend on {', '.join(idle[:3])}",
                hint="parameters() must only give what every loss depends on",
            )
        length = float(nn.utils.clip_grad_norm_(self._trained.values(), self._options.gradient_limit))
        if not math.isfinite(length):
            raise WorkshopError(
                f"{where}: the loss is {value:.4g} but its gradient is not finite; nothing was learned from it",
                hint="look for a square root, logarithm or division at zero in the loss, or lower the learning rate",
            )
        self._optimizer.step()
        return value

    def _measured(self, epoch: int) -> dict[str, float]:
        self._task.model.eval()
        with torch.no_grad():
            metrics = {name: float(value) for name, value in self._task.evaluate().items()}
        if self._options.objective not in metrics:
            raise WorkshopError(
                f"the objective {self._options.objective!r} is not among the metrics: {', '.join(metrics) or 'none'}",
                hint="choose one of them",
            )
        wrong = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
        if wrong:
            raise WorkshopError(
                f"epoch {epoch}: {', '.join(wrong)}",
                hint="a task leaves out what it cannot measure; look for NaN in the data that it is measured on",
            )
        return metrics

    def _packed(self) -> bytes:
        stream = io.BytesIO()
        state = {
            "model": self._task.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "best": self._best,
            "history": self._history.encode().decode(),
        }
        torch.save(state, stream)
        return stream.getvalue()

    def _publish(self, run: Run, *, new_best: bool) -> None:
        """Write what follows from a checkpoint, for people and other programs."""
        if new_best:
            stream = io.BytesIO()
            torch.save(self._best, stream)
            run.put(WEIGHTS, stream.getvalue())
        run.put(HISTORY, self._history.report())


def _only_trained(task: Task[Any]) -> dict[str, nn.Parameter]:
    """Freeze all parameters of the model but those that are trained; give these by name."""
    wanted = {id(parameter) for parameter in task.parameters()}
    trained = {name: parameter for name, parameter in task.model.named_parameters() if id(parameter) in wanted}
    if not trained or len(trained) != len(wanted):
        raise WorkshopError(
            f"{len(wanted)} parameters are to be trained, and {len(trained)} of them are the model's",
            hint="parameters() must give some of model.parameters(), nothing else",
        )
    for parameter in task.model.parameters():
        parameter.requires_grad_(id(parameter) in wanted)
    return trained


def _optimizer(trained: list[nn.Parameter], options: Options) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in trained if parameter.ndim >= 2]
    others = [parameter for parameter in trained if parameter.ndim < 2]
    groups = [
        {"params": members, "weight_decay": decay}
        for members, decay in ((matrices, options.weight_decay), (others, 0.0))
        if members
    ]
    return torch.optim.AdamW(groups, lr=options.learning_rate)


def _seed(seed: int, epoch: int, rank: int) -> None:
    torch.manual_seed(int(np.random.SeedSequence((seed, epoch, rank)).generate_state(1, np.uint64)[0]))


def _miscounted(epoch: int, what: str, expected: int) -> WorkshopError:
    return WorkshopError(
        f"epoch {epoch} has {what} than {expected} batches",
        hint="batches() must give exactly batches_per_epoch of them, on every rank",
    )
