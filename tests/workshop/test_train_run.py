"""The run folder outlives kill, power cut, damage and a full disk, and belongs to one training of one process."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

import example_task  # noqa: E402 (after the skip)
from example_task import ExampleTask  # noqa: E402 (after the skip)

from models.workshop import loop  # noqa: E402 (after the skip)
from models.workshop.errors import WorkshopError  # noqa: E402 (after the skip)
from models.workshop.options import Options  # noqa: E402 (after the skip)
from models.workshop.run import Run, held  # noqa: E402 (after the skip)
from models.workshop.train import train  # noqa: E402 (after the skip)

pytestmark = pytest.mark.workshop

OPTIONS = Options(epochs=3, objective="accuracy", learning_rate=3e-3)
ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, example_task.__file__]
PYTHONPATH = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


@pytest.fixture(autouse=True)
def _no_time_for_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "curves", lambda _: b"drawn")


class Quick(ExampleTask):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.batches_per_epoch = 2

    def batches(self, epoch: int, rank: int, world: int) -> Any:
        return list(super().batches(epoch, rank, world))[:2]


def quick() -> Quick:
    return Quick(width=8, dropout=0.3)


def trained(folder: Path) -> tuple[bytes, bytes]:
    """Train, and give everything that counts as bytes."""
    task = quick()
    train(task, folder, OPTIONS)
    weights = b"".join(value.numpy().tobytes() for value in task.model.state_dict().values())
    return weights, (folder / "history.json").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loop, "curves", lambda _: b"drawn")
        return trained(tmp_path_factory.mktemp("whole"))


def cut_short(data: bytes) -> bytes:
    return data[:-1]


def flip_a_bit(data: bytes) -> bytes:
    return data[:999] + bytes([data[999] ^ 1]) + data[1000:]


def leave_nothing(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit, leave_nothing])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    tmp_path: Path, whole: tuple[bytes, bytes], capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    trained(tmp_path)
    newest = tmp_path / "epoch-00003.checkpoint"
    newest.write_bytes(damage(newest.read_bytes()))
    capsys.readouterr()
    again = trained(tmp_path)

    said = capsys.readouterr().err
    assert f"{newest} is damaged" in said
    assert "epoch 3/3" in said and "epoch 2/3" not in said
    assert again == whole


def test_when_all_checkpoints_are_damaged_it_does_not_quietly_start_anew(tmp_path: Path) -> None:
    trained(tmp_path)
    for path in tmp_path.glob("*.checkpoint"):
        path.write_bytes(cut_short(path.read_bytes()))

    with pytest.raises(WorkshopError, match="every checkpoint in .* is damaged"):
        trained(tmp_path)
    assert train(quick(), tmp_path, OPTIONS, resume=False).best_epoch >= 1


class PowerCutError(BaseException):
    """Nothing may catch it."""


class Disk:
    """Counts what must be in order, and cuts the power before the operation of a number; a torn write loses its end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cut_at: int | None) -> None:
        self.done, self.cut_at, self.log = 0, cut_at, list[str]()
        fsync, replace, unlink = os.fsync, Path.replace, Path.unlink

        def counted(operation: str, act: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any, **options: Any) -> Any:
                if self.done == self.cut_at:
                    if operation == "fsync" and not Path(f"/proc/self/fd/{arguments[0]}").is_dir():
                        os.truncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
                    raise PowerCutError
                self.done += 1
                self.log.append(operation)
                return act(*arguments, **options)

            return run

        monkeypatch.setattr(os, "fsync", counted("fsync", fsync))
        monkeypatch.setattr(Path, "replace", counted("replace", replace))
        monkeypatch.setattr(Path, "unlink", counted("unlink", unlink))


def swept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """Cut the power at every operation of a run, each in a new folder, and train on."""
    with monkeypatch.context() as context:
        disk = Disk(context, None)
        trained(folder / "counted")
    ends = []
    for cut_at in range(disk.done):
        with monkeypatch.context() as context, pytest.raises(PowerCutError):
            Disk(context, cut_at)
            trained(folder / str(cut_at))
        ends.append(trained(folder / str(cut_at)))
    return ends


def test_power_may_go_at_any_step(tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    ends = swept(tmp_path, monkeypatch)

    assert len(ends) > 30
    assert set(ends) == {whole}


def test_a_file_is_safe_before_it_has_its_name_and_the_name_before_anything_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, None)
    Run(tmp_path).put("file", b"data")

    assert disk.log == ["fsync", "replace", "fsync"]


def test_the_sweep_has_teeth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def naive(self: Run, name: str, data: bytes) -> Path:
        with (self.folder / name).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return self.folder / name

    monkeypatch.setattr(Run, "put", naive)
    with pytest.raises(WorkshopError, match=r"run.json is damaged|every checkpoint"):
        swept(tmp_path, monkeypatch)


def test_a_full_disk_is_one_clear_error_and_the_last_good_checkpoint_stays(
    tmp_path: Path, whole: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def full(descriptor: int) -> None:
        if "epoch-00002" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as context:
        context.setattr(os, "fsync", full)
        with pytest.raises(WorkshopError, match=r"cannot write .*epoch-00002.checkpoint: No space left .*df -h"):
            trained(tmp_path)

    assert sorted(path.name for path in tmp_path.glob("epoch*")) == ["epoch-00001.checkpoint"]
    assert trained(tmp_path) == whole


def test_a_write_that_the_system_cuts_short_is_one_line(tmp_path: Path) -> None:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run(
        [*PROGRAM, str(tmp_path), "--options", '{"epochs": 1}'],
        env={"PYTHONPATH": PYTHONPATH},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "epoch-00001.checkpoint: File too large" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "run.json"]


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(tmp_path: Path) -> None:
    settings = {"width": 16, "dropout": 0.3}
    options = Options(epochs=4, objective="accuracy")
    with subprocess.Popen(
        [*PROGRAM, str(tmp_path / "killed"), "--options", '{"epochs": 4}', "--task"]
        + ['{"width": 16, "dropout": 0.3, "slow_s": 0.01}'],
        env={"PYTHONPATH": PYTHONPATH},
        stderr=subprocess.DEVNULL,
    ) as process:
        give_up_at = time.monotonic() + 40
        while not (tmp_path / "killed/epoch-00002.checkpoint").exists() and time.monotonic() < give_up_at:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed/epoch-00004.checkpoint").exists()
    tasks = ExampleTask(**settings), ExampleTask(**settings)
    for task, name in zip(tasks, ("killed", "whole"), strict=True):
        train(task, tmp_path / name, options)

    ends = [task.model.state_dict() for task in tasks]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    for name in ("best.pt", "history.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_folder_in_use_is_refused_until_it_is_free(tmp_path: Path) -> None:
    with held(tmp_path, {}, resume=True), pytest.raises(WorkshopError, match=rf"in use .*process {os.getpid()}"):
        train(quick(), tmp_path, OPTIONS)
    with held(tmp_path, {}, resume=True):
        pass


def test_another_training_in_the_folder_is_refused_with_the_difference(tmp_path: Path) -> None:
    trained(tmp_path)
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir() if path.name != "lock")
    other = Quick(width=16, dropout=0.3)

    with pytest.raises(WorkshopError, match=r"another training: task.layers.width was 8 and is 16 \("):
        train(other, tmp_path, OPTIONS)
    with pytest.raises(WorkshopError, match="options.learning_rate was 0.003 and is 0.001"):
        train(quick(), tmp_path, Options(epochs=3, objective="accuracy"))
    assert before == sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir() if path.name != "lock")


def test_a_model_that_changed_behind_its_description_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path)
    other = Quick(width=16, dropout=0.3)
    monkeypatch.setattr(other, "describe", quick().describe)

    with pytest.raises(WorkshopError, match=r"the checkpoint does not fit the model: .*size mismatch"):
        train(other, tmp_path, OPTIONS)


@pytest.mark.parametrize("resume", [True, False])
def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path, resume: bool) -> None:
    for name in ("best.pt", "notes.new"):
        (tmp_path / name).write_bytes(b"somebody else's")

    with pytest.raises(WorkshopError, match=r"is no run folder: it has best.pt, notes.new and no run.json"):
        train(quick(), tmp_path, OPTIONS, resume=resume)
    for name in ("best.pt", "notes.new"):
        assert (tmp_path / name).read_bytes() == b"somebody else's"


def test_a_file_in_the_place_of_the_folder_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")

    with pytest.raises(WorkshopError, match=r"cannot make .*run: File exists \(a file is in the way"):
        train(quick(), tmp_path / "run", OPTIONS)


def test_a_description_that_is_damaged_is_named(tmp_path: Path) -> None:
    trained(tmp_path)
    (tmp_path / "run.json").write_text("{")

    with pytest.raises(WorkshopError, match=r"run.json is damaged"):
        trained(tmp_path)
