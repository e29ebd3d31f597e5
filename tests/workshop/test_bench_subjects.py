"""A trained model becomes a subject whose forms give the same answers; the runners that are installed here agree."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")
pytest.importorskip("nncf", reason="needs the extra [workshop]: nncf")

from torch import Tensor, nn  # noqa: E402 (after the skip)

from models.workshop.bench import __main__ as command  # noqa: E402
from models.workshop.bench import environment  # noqa: E402
from models.workshop.bench.measure import Bench  # noqa: E402
from models.workshop.bench.peers import PEERS  # noqa: E402
from models.workshop.bench.subjects import SUBJECTS, Trained, write_subject  # noqa: E402
from models.workshop.errors import WorkshopError  # noqa: E402
from models.workshop.export import exported  # noqa: E402

pytestmark = [
    pytest.mark.workshop,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),  # torch's
]

SAMPLES = 3
HERE = [peer for peer in PEERS if peer.environment.name in ("pytorch", "onnxruntime", "openvino")]


class Residual(nn.Module):
    """A block of ResNet-18."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.short = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(self.norms[1](self.second(y)) + self.short(x))


class Picture(nn.Module):
    """A thin network in the shape of ResNet-18, to tokens that are not contiguous in memory."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 8, 16, 32, 64)
        blocks: list[nn.Module] = [nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)]
        for i in range(4):
            blocks += [Residual(widths[i], widths[i + 1], 1 + (i > 0)), Residual(widths[i + 1], widths[i + 1], 1)]
        self.layers = nn.Sequential(*blocks)

    def forward(self, picture: Tensor) -> Tensor:
        return self.layers(picture).flatten(2).transpose(1, 2)


class Join(nn.Module):
    """Tokens weighed under a mask, beside numbers from elsewhere; two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(64, 1)

    def forward(self, tokens: Tensor, mask: Tensor, heard: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.softmax(self.score(tokens)[..., 0].masked_fill(~mask, -1e4), -1)
        return torch.cat([(weights[:, None] @ tokens)[:, 0], heard], 1), weights


def trained(folder: Path) -> tuple[list[Trained], dict[str, np.ndarray]]:
    """Give a model of two parts and its samples; INT8 is float32 here, because quantising is tested elsewhere."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    samples = {
        "picture": rng.standard_normal((SAMPLES, 1, 3, 64, 64)).astype(np.float32),
        "mask": rng.random((SAMPLES, 1, 4)) < 0.7,
        "heard": rng.standard_normal((SAMPLES, 1, 5)).astype(np.float32),
    }
    picture, join = Picture().eval(), Join().eval()
    first = {name: torch.from_numpy(array[0]) for name, array in samples.items()}
    inputs = {"tokens": picture(first["picture"]).detach(), "mask": first["mask"], "heard": first["heard"]}
    forms = [
        exported(picture, {"picture": first["picture"]}, ["tokens"], folder / "scratch.onnx"),
        exported(join, inputs, ["z", "weights"], folder / "scratch.onnx"),
    ]
    return [Trained("picture", picture, forms[0], forms[0]), Trained("join", join, forms[1], forms[1])], samples


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Trained], dict[str, np.ndarray]]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield trained(tmp_path_factory.mktemp("model"))
    torch.set_num_threads(threads)


def test_the_runners_that_are_installed_here_agree_with_torch(
    model: tuple[list[Trained], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    (tmp_path / "subject").mkdir()
    subject = write_subject(tmp_path / "subject", "a model", *model, answers=["z"])
    for env in {peer.environment for peer in HERE}:
        made = environment.folder_of(env, tmp_path / "envs")
        (made / "bin").mkdir(parents=True)
        (made / "installed.txt").write_text("")
        (made / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (made / "bin" / "python").chmod(0o755)
    (tmp_path / "work").mkdir()
    bench = Bench(subject, HERE, tmp_path / "envs", tmp_path / "work", lambda _text: None)
    bench.prepare()
    rows = bench.run(threads=1, rounds=1)

    assert {row.peer: row.error for row in rows} == {peer.name: "" for peer in HERE}
    for row in rows:
        assert row.figures is not None
        assert row.figures.agreement.max_difference < (0.1 if row.precision == "bf16" else 1e-4), row.title
        assert row.figures.agreement.cosine > 0.99
        assert row.artefact_bytes is not None and row.artefact_bytes > 100_000


def test_a_program_is_exported_for_tensors_as_runtimes_give_them(
    model: tuple[list[Trained], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    """ExecuTorch builds the memory layout of the examples into its file and fails on any other."""
    parts, samples = model
    write_subject(tmp_path, "a model", parts, samples)
    examples, _ = torch.export.load(tmp_path / "join.pt2").example_inputs

    assert not parts[0].module(torch.from_numpy(samples["picture"][0])).is_contiguous()
    assert all(example.is_contiguous() for example in examples)


def test_the_answers_are_the_last_parts_unless_said_otherwise(
    model: tuple[list[Trained], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    subject = write_subject(tmp_path, "a model", *model)

    assert subject.reference()["z"].shape == (SAMPLES, 1, 69)
    assert subject.reference()["weights"].shape == (SAMPLES, 1, 4)
    assert json.loads((tmp_path / "subject.json").read_text())["answers"] == ["z", "weights"]


def test_a_part_that_wants_what_nothing_gives_is_refused(
    model: tuple[list[Trained], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    parts, samples = model
    with pytest.raises(WorkshopError, match="part join of a model wants tokens, which no part before it gives"):
        write_subject(tmp_path, "a model", parts[::-1], samples)
    unheard = {name: array for name, array in samples.items() if name != "heard"}
    with pytest.raises(WorkshopError, match="wants heard"):
        write_subject(tmp_path, "a model", parts, unheard)
    with pytest.raises(WorkshopError, match="do not come in one number"):
        write_subject(tmp_path, "a model", parts, {})


def test_forms_with_other_names_are_refused(model: tuple[list[Trained], dict[str, np.ndarray]], tmp_path: Path) -> None:
    (first, second), samples = model
    mixed = Trained(first.name, first.module, first.dense, second.integers)

    with pytest.raises(WorkshopError, match="part picture: float32 has inputs and outputs"):
        write_subject(tmp_path, "a model", [mixed, second], samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peers", "nobody"], "no such peer: nobody"),
        (["--threads", "1,1000"], "1000 threads on"),
        (["--rounds", "0"], "'0' is no number from 1 to 10000"),
        (["--json", "/nowhere/at/all.json"], "there is no folder /nowhere/at"),
        (["--subject", "moon"], "invalid choice: 'moon'"),
    ],
)
def test_wrong_usage_is_answered_before_anything_is_measured(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)

    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_made_is_one_line_and_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(folder: Path) -> None:
        raise WorkshopError("no such weights", hint="train first")

    monkeypatch.setitem(SUBJECTS, "encoder", fails)

    assert command.main([]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "no such weights (train first)"
