"""Two processes train as one does; compressed gradients cost little and send less; nobody waits for the dead."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")
pytest.importorskip("matplotlib", reason="needs the extra [workshop]: matplotlib")

import example_task  # noqa: E402 (after the skip)
import several_runs  # noqa: E402 (after the skip)
from example_task import BATCH_SIZE, SAMPLES, ExampleTask  # noqa: E402 (after the skip)

from models.workshop import loop  # noqa: E402 (after the skip)
from models.workshop.batches import index_batches  # noqa: E402 (after the skip)
from models.workshop.distributed import ALONE, Averaging  # noqa: E402 (after the skip)
from models.workshop.errors import WorkshopError  # noqa: E402 (after the skip)
from models.workshop.options import Options  # noqa: E402 (after the skip)
from models.workshop.train import train  # noqa: E402 (after the skip)

pytestmark = pytest.mark.workshop

ROOT: Final = Path(__file__).parents[2]
BATCHES: Final = SAMPLES // BATCH_SIZE * several_runs.EPOCHS

TOLERANCE: Final = {"none": 1e-5, "bf16": 1e-3, "powersgd": 0.1}
"""Largest difference of any loss, training or held out, to that of one process."""

PATIENCE_S: Final = 200.0
"""For what takes some seconds on a machine that has nothing else to do."""


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def torchrun(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port())]
        + list(command),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def pair(folder: Path, **task: Any) -> list[subprocess.Popen[str]]:
    """Start the two processes that torchrun would, without anybody who ends one when the other has failed."""
    port = str(free_port())
    return [
        subprocess.Popen(
            [sys.executable, example_task.__file__, str(folder), "--timeout-s", "5"]
            + ["--options", json.dumps({"epochs": several_runs.EPOCHS, "compression": "powersgd"})]
            + ["--task", json.dumps({**several_runs.RANDOM, **task})],
            env=environment(
                RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=port, TORCHELASTIC_RUN_ID="test"
            ),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def losses(folder: Path) -> list[float]:
    epochs = json.loads((folder / "history.json").read_bytes())["epochs"]
    return [figure for epoch in epochs for figure in (epoch["loss"], epoch["metrics"]["loss"])]


def sent_bytes(folder: Path) -> float:
    epochs = json.loads((folder / "history.json").read_bytes())["epochs"]
    return float(sum(epoch["sent_bytes_per_batch"] for epoch in epochs) / len(epochs))


def apart(one: list[float], other: list[float]) -> float:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs of two processes."""
    folder = tmp_path_factory.mktemp("two")
    done = torchrun(several_runs.__file__, str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of one process."""
    folder = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(loop, "curves", lambda _: b"drawn")
        train(ExampleTask(), folder, Options(several_runs.EPOCHS, "accuracy"))
    return losses(folder)


@pytest.mark.parametrize("compression", TOLERANCE)
def test_two_processes_have_the_losses_of_one(two: Path, one: list[float], compression: str) -> None:
    assert apart(losses(two / "rank 0" / compression), one) < TOLERANCE[compression]


class Half(ExampleTask):
    """What a rank would learn from if nobody averaged."""

    def batches(self, epoch: int, rank: int, world: int) -> Any:
        return super().batches(epoch, 0, 2)


def test_without_averaging_the_losses_would_differ(
    tmp_path: Path, one: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "curves", lambda _: b"drawn")
    train(Half(), tmp_path, Options(several_runs.EPOCHS, "accuracy"))

    assert apart(losses(tmp_path), one) > 100 * TOLERANCE["none"]


def test_bfloat16_sends_half_and_powersgd_far_less(two: Path) -> None:
    parameters = sum(parameter.numel() for parameter in ExampleTask().parameters())
    sent = {name: sent_bytes(two / "rank 0" / name) for name in several_runs.RUNS}

    assert sent["none"] == 4 * parameters  # a ring of two sends what it is handed
    assert sent["bf16"] == sent["none"] / 2
    assert sent["powersgd"] < sent["none"] / 6


def test_what_is_counted_is_what_reaches_all_reduce(two: Path) -> None:
    loss_bytes = 8 * several_runs.EPOCHS  # the mean loss, once an epoch, is no gradient
    for rank in range(2):
        told = json.loads((two / f"told by {rank}.json").read_bytes())
        for name in several_runs.RUNS:
            counted = sent_bytes(two / "rank 0" / name) * BATCHES

            assert told[name]["handed_bytes"] - loss_bytes == pytest.approx(counted, abs=1e-3)


def test_all_ranks_end_with_the_same_weights_and_result_and_only_one_writes(two: Path) -> None:
    told = [json.loads((two / f"told by {rank}.json").read_bytes()) for rank in range(2)]

    for name in several_runs.RUNS:
        for key in ("digest", "best"):
            assert told[0][name][key] == told[1][name][key]
    assert len({told[0][name]["digest"] for name in several_runs.RUNS}) == len(several_runs.RUNS)
    assert (two / "rank 0").is_dir()
    assert not (two / "rank 1").exists()


def test_a_rank_that_is_killed_ends_the_other_and_the_run_goes_on_later_with_the_same_bits(
    two: Path, tmp_path: Path
) -> None:
    survivor, victim = pair(tmp_path, die=["SIGKILL", 1, 2])
    said = survivor.communicate(timeout=PATIENCE_S)[1]
    victim.communicate()

    assert victim.returncode == -signal.SIGKILL
    assert survivor.returncode == 1
    assert said.splitlines()[1:] == [  # after the line of the first epoch
        "another process of this training is gone or has not answered for 5 s"
        " (what it said last tells why; the same command goes on from the last checkpoint)"
    ]
    for process in pair(tmp_path):
        process.communicate(timeout=PATIENCE_S)
    for name in ("history.json", "best.pt", "epoch-00002.checkpoint"):
        assert (tmp_path / name).read_bytes() == (two / "rank 0/random" / name).read_bytes()


def test_a_rank_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    survivor, stopped = pair(tmp_path, die=["SIGSTOP", 1, 2])
    said = survivor.communicate(timeout=PATIENCE_S)[1]
    stopped.kill()
    stopped.communicate()

    assert survivor.returncode == 1
    assert "has not answered for 5 s" in said.splitlines()[-1]


def test_under_torchrun_a_bad_number_on_one_rank_ends_all_with_its_reason(tmp_path: Path) -> None:
    done = torchrun(example_task.__file__, str(tmp_path), "--options", '{"epochs": 2}', "--task", '{"bad": [2, 3]}')

    assert done.returncode != 0
    assert "epoch 2, batch 3: the loss is nan" in done.stderr
    assert ", in train" not in done.stderr  # no traceback of ours
    assert (tmp_path / "epoch-00001.checkpoint").exists()


def test_one_process_has_nobody_to_compress_for(tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="compression bf16 is for several processes and this is one"):
        train(ExampleTask(), tmp_path, Options(1, "accuracy", compression="bf16"))
    assert ALONE.tell(b"told") == b"told"


def test_what_a_compression_remembers_does_not_outlive_an_epoch() -> None:
    averaging = Averaging("powersgd")
    averaging._powersgd.error_dict[0] = torch.ones(1)
    averaging._powersgd.iter = 9
    averaging.reset()

    assert averaging._powersgd.error_dict == {}
    assert averaging._powersgd.iter == 0


@pytest.mark.parametrize(("samples", "batch_size", "world"), [(10, 4, 2), (7, 16, 1), (64, 16, 4), (6, 100, 3)])
def test_the_shares_of_all_ranks_are_the_batches_of_one(samples: int, batch_size: int, world: int) -> None:
    def drawn(rank: int, of: int, epoch: int = 1) -> list[list[int]]:
        shares = index_batches(samples, batch_size, seed=5, epoch=epoch, rank=rank, world=of)
        return [share.tolist() for share in shares]

    alone, ranks = drawn(0, 1), [drawn(rank, world) for rank in range(world)]

    assert len({len(share) for shares in ranks for share in shares}) == 1
    for number, batch in enumerate(alone):
        assert sorted(index for shares in ranks for index in shares[number]) == sorted(batch)
    seen = [index for batch in alone for index in batch]
    assert len(seen) == len(set(seen)) > samples - min(batch_size, samples)
    assert drawn(0, 1) == alone != drawn(0, 1, epoch=2)


@pytest.mark.parametrize(
    ("samples", "batch_size", "complaint"), [(100, 15, "a batch of 15"), (9, 16, "a batch of 9"), (0, 4, "0 samples")]
)
def test_batches_that_cannot_be_shared_equally_are_refused(samples: int, batch_size: int, complaint: str) -> None:
    with pytest.raises(WorkshopError, match=complaint):
        list(index_batches(samples, batch_size, seed=0, epoch=1, rank=0, world=2))
