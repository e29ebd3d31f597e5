"""Training is exact: the same bits for the same seed, interrupted or not; and nothing that is not finite is learned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from example_task import Batch, ExampleTask  # noqa: E402 (after the skip)

from models.workshop import loop  # noqa: E402 (after the skip)
from models.workshop.errors import WorkshopError  # noqa: E402 (after the skip)
from models.workshop.options import Options  # noqa: E402 (after the skip)
from models.workshop.train import Result, train  # noqa: E402 (after the skip)

pytestmark = pytest.mark.workshop

OPTIONS = Options(epochs=4, objective="accuracy", learning_rate=3e-3)


@pytest.fixture(autouse=True)
def _no_time_for_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "curves", lambda _: b"drawn")


class Interrupted(ExampleTask):
    """Is stopped from the keyboard once, in the middle of an epoch."""

    at: tuple[int, int] | None = (3, 5)

    def batches(self, epoch: int, rank: int, world: int) -> Iterable[Batch]:
        for number, batch in enumerate(super().batches(epoch, rank, world)):
            if self.at == (epoch, number):
                raise KeyboardInterrupt
            yield batch


def small(**changes: Any) -> ExampleTask:
    return ExampleTask(width=16, dropout=0.3, **changes)


def trained(folder: Path, options: Options = OPTIONS, **changes: Any) -> tuple[Result, dict[str, Any], dict[str, Any]]:
    """Train the example; give the result, the last weights and the best."""
    task = small(**changes)
    result = train(task, folder, options)
    return result, task.model.state_dict(), torch.load(result.weights, weights_only=True)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_learns_and_says_which_epoch_was_best(tmp_path: Path) -> None:
    result, _, best = trained(tmp_path)
    task = small()
    task.model.load_state_dict(best)
    task.model.eval()

    assert result.metrics["accuracy"] > 0.7
    assert task.evaluate() == result.metrics
    assert json.loads((tmp_path / "history.json").read_bytes())["best_epoch"] == result.best_epoch


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path: Path) -> None:
    first, again = trained(tmp_path / "1"), trained(tmp_path / "2")
    other = trained(tmp_path / "3", Options(epochs=4, objective="accuracy", learning_rate=3e-3, seed=1))

    assert same(first[1], again[1]) and same(first[2], again[2])
    assert (tmp_path / "1/history.json").read_bytes() == (tmp_path / "2/history.json").read_bytes()
    assert not same(first[1], other[1])  # only dropout differs


def resumed(folder: Path) -> dict[str, Any]:
    task = Interrupted(width=16, dropout=0.3)
    with pytest.raises(KeyboardInterrupt):
        train(task, folder, OPTIONS)
    again = small()
    train(again, folder, OPTIONS)
    return again.model.state_dict()


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    _, last, best = trained(tmp_path / "whole")

    assert same(resumed(tmp_path / "stopped"), last)
    assert same(torch.load(tmp_path / "stopped/best.pt", weights_only=True), best)
    assert (tmp_path / "stopped/history.json").read_bytes() == (tmp_path / "whole/history.json").read_bytes()


def forget_the_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim.AdamW, "load_state_dict", lambda *_: None)


def go_on_with_any_random_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_seed", lambda *_: None)


@pytest.mark.parametrize("mistake", [forget_the_optimizer, go_on_with_any_random_numbers])
def test_a_resume_that_forgets_something_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[pytest.MonkeyPatch], None]
) -> None:
    _, last, _ = trained(tmp_path / "whole")
    mistake(monkeypatch)

    assert not same(resumed(tmp_path / "stopped"), last)


def test_a_finished_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _, _ = trained(tmp_path)
    (tmp_path / "best.pt").unlink()
    monkeypatch.setattr(ExampleTask, "batches", lambda *_: pytest.fail("it was over"))
    again, _, best = trained(tmp_path)

    assert again == first
    assert best  # written again from the checkpoint


def test_without_resuming_it_starts_from_nothing(tmp_path: Path) -> None:
    trained(tmp_path)
    other = Options(epochs=1, objective="accuracy")
    result = train(small(), tmp_path, other, resume=False)

    assert result.best_epoch == 1
    assert sorted(path.name for path in tmp_path.glob("*.checkpoint")) == ["epoch-00001.checkpoint"]


def test_a_loss_that_is_not_finite_ends_the_run_before_anything_is_learned_from_it(tmp_path: Path) -> None:
    task = small(bad=(2, 7))
    with pytest.raises(WorkshopError, match=r"epoch 2, batch 7: the loss is nan"):
        train(task, tmp_path, OPTIONS)

    assert all(value.isfinite().all() for value in task.model.state_dict().values())
    assert same(trained(tmp_path)[1], trained(tmp_path.with_name("whole"))[1])  # once the data is repaired


class Steep(ExampleTask):
    def loss(self, batch: Batch) -> Any:
        return super().loss(batch) + self.model[0].bias.mul(0.0).sum().sqrt()


def test_a_gradient_that_is_not_finite_ends_it_too(tmp_path: Path) -> None:
    task = Steep(width=16)
    with pytest.raises(WorkshopError, match=r"epoch 1, batch 1: .* gradient is not finite"):
        train(task, tmp_path, OPTIONS)

    assert same(task.model.state_dict(), ExampleTask(width=16).model.state_dict())


class Measured(ExampleTask):
    metrics: dict[str, float] = {}

    def evaluate(self) -> dict[str, float]:
        assert not self.model.training
        assert not torch.is_grad_enabled()
        return self.metrics


@pytest.mark.parametrize(
    ("metrics", "complaint"),
    [({"recall": 1.0}, "'accuracy' is not among the metrics: recall"), ({"accuracy": float("nan")}, "accuracy is nan")],
)
def test_a_metric_that_is_missing_or_not_finite_is_named(
    tmp_path: Path, metrics: dict[str, float], complaint: str
) -> None:
    task = Measured(width=16)
    task.metrics = metrics
    with pytest.raises(WorkshopError, match=complaint):
        train(task, tmp_path, OPTIONS)


class Script(ExampleTask):
    """Measures what it is told to, epoch by epoch."""

    figures: list[float] = []

    def evaluate(self) -> dict[str, float]:
        return {"error": self.figures.pop(0)}


@pytest.mark.parametrize(("higher_is_better", "best", "epochs"), [(False, 2, 4), (True, 3, 5)])
def test_it_stops_when_patience_is_spent_in_either_direction(
    tmp_path: Path, higher_is_better: bool, best: int, epochs: int
) -> None:
    task = Script(width=16)
    task.figures = [0.5, 0.1, 0.6, 0.1, 0.6, 0.7]
    options = Options(epochs=6, objective="error", higher_is_better=higher_is_better, patience=2)
    result = train(task, tmp_path, options)

    assert result.best_epoch == best
    assert len(json.loads((tmp_path / "history.json").read_bytes())["epochs"]) == epochs


class HeadOnly(ExampleTask):
    def parameters(self) -> Iterable[Any]:
        return self.model[-1].parameters()


def test_only_what_is_asked_for_is_trained(tmp_path: Path) -> None:
    task, before = HeadOnly(width=16), ExampleTask(width=16).model.state_dict()
    train(task, tmp_path, OPTIONS)
    after = task.model.state_dict()

    assert {name for name in after if not torch.equal(after[name], before[name])} == {"5.weight", "5.bias"}


class Idle(ExampleTask):
    def loss(self, batch: Batch) -> Any:
        return self.model[0](batch.points).square().mean()


class Foreign(ExampleTask):
    def parameters(self) -> Iterable[Any]:
        return [torch.nn.Parameter(torch.zeros(1))]


class Miscounted(ExampleTask):
    extra = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.batches_per_epoch += self.extra


class TooMany(Miscounted):
    extra = -1


class TooFew(Miscounted):
    extra = 1


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Idle, "the loss does not depend on 3.weight, 3.bias, 5.weight"),
        (Foreign, "1 parameters are to be trained, and 0 of them are the model's"),
        (TooMany, "epoch 1 has more than 31 batches"),
        (TooFew, "epoch 1 has fewer than 33 batches"),
    ],
)
def test_a_task_that_contradicts_itself_is_told_how(tmp_path: Path, kind: type[ExampleTask], complaint: str) -> None:
    with pytest.raises(WorkshopError, match=complaint):
        train(kind(width=16), tmp_path, OPTIONS)


def test_long_gradients_are_shortened(tmp_path: Path) -> None:
    task = small()
    train(task, tmp_path, Options(epochs=1, objective="accuracy", gradient_limit=0.01))
    lengths = [parameter.grad.norm() for parameter in task.model.parameters() if parameter.grad is not None]

    assert float(torch.stack(lengths).norm()) == pytest.approx(0.01, rel=1e-3)


def test_vectors_are_not_decayed(tmp_path: Path) -> None:
    tasks = [small(), small()]
    for task, decay in zip(tasks, (0.0, 10.0), strict=True):
        with torch.no_grad():
            task.model[-1].bias.fill_(100.0)
            task.model[-1].weight.fill_(100.0)
        options = Options(epochs=1, objective="accuracy", weight_decay=decay)
        train(task, tmp_path / str(decay), options)

    assert float(tasks[1].model[-1].weight.detach().abs().max()) < 0.9 * 100.0
    assert float(tasks[1].model[-1].bias.detach().min()) > 0.99 * 100.0
    assert float(tasks[0].model[-1].weight.detach().abs().max()) > 0.99 * 100.0


def test_the_caller_finds_torch_as_it_was(tmp_path: Path) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    train(small(), tmp_path, Options(epochs=1, objective="accuracy", threads=3 - min(before[0], 2)))

    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])
