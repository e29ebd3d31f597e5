"""Several processes that train one model: who they are, how their gradients become one, and what that sends.

Started by torchrun on gloo, which torch brings along for CPUs. Gloo's all-reduce is a ring: each of n processes sends
2 (n - 1) / n times the bytes it hands over, which is what the counts here rely on. Nothing here knows the task, and
nothing writes a file. (Annotations are not postponed in this file: torch compares those of a hook with its classes.)
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook, bf16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

from models.workshop.errors import WorkshopError

POWERSGD_RANK: Final = 2
POWERSGD_START: Final = 2
"""Batches at the beginning of an epoch that are averaged in full; torch needs two until its buckets are settled."""

BF16_BYTES: Final = 2

TIMEOUT_S: Final = 600.0
"""The longest that a process waits for another; longer than rank 0 needs to evaluate and to write a checkpoint [s]."""


class Ranks:
    """The processes of a training as one of them sees them. This one is alone; `Group` is the other kind."""

    rank = 0
    world = 1

    @property
    def leads(self) -> bool:
        """Say whether this is the process that evaluates, writes and speaks."""
        return self.rank == 0

    def joined(self, module: nn.Module, compression: str) -> nn.Module:
        """Give the module whose backward pass averages gradients over all processes.

        Args:
            module: gives the loss; every process ends up with the weights of rank 0.
            compression: one of `options.COMPRESSIONS`.

        Returns:
            What to call instead of `module`.

        Raises:
            WorkshopError: there is nobody to compress for.
        """
        if compression != "none":
            raise WorkshopError(
                f"compression {compression} is for several processes and this is one",
                hint="start with torchrun, or leave the compression at none",
            )
        return module

    def begin_epoch(self) -> None:
        """Forget what the compression remembers and what was counted."""

    def sent_bytes(self) -> float:
        """Give what this process sent to average gradients since `begin_epoch` [bytes].

        Left out are the headers of the network and the buffers of batch norms, which torch spreads from rank 0.
        """
        return 0.0

    def mean(self, value: float) -> float:
        """Give the mean of every process's value."""
        return value

    def tell(self, data: bytes) -> bytes:
        """Give rank 0's `data` to every process."""
        return data


ALONE: Final = Ranks()


class Group(Ranks):
    """This process among those of torch's default process group."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()
        self._averaging: Averaging | None = None

    def joined(self, module: nn.Module, compression: str) -> nn.Module:
        """Wrap the module so that its backward pass averages gradients."""
        self._averaging = Averaging(compression)
        wrapped = DistributedDataParallel(module)
        wrapped.register_comm_hook(None, self._averaging.hook)
        return wrapped

    def begin_epoch(self) -> None:
        """Start counting anew."""
        if self._averaging is not None:
            self._averaging.reset()

    def sent_bytes(self) -> float:
        """Give what the ring made this process send."""
        handed = self._averaging.handed_bytes if self._averaging is not None else 0
        return handed * 2 * (self.world - 1) / self.world

    def mean(self, value: float) -> float:
        """Average over the processes, in float64."""
        total = torch.tensor([value], dtype=torch.float64)
        dist.all_reduce(total)
        return float(total) / self.world

    def tell(self, data: bytes) -> bytes:
        """Broadcast from rank 0: the length, then the bytes."""
        length = torch.tensor([len(data)])
        dist.broadcast(length, src=0)
        body = torch.empty(int(length), dtype=torch.uint8)
        if self.leads and data:
            body.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        dist.broadcast(body, src=0)
        return body.numpy().tobytes()


class Averaging:
    """Averages buckets of gradients with torch's own hooks and counts the bytes that are handed to all-reduce.

    Args:
        compression: one of `options.COMPRESSIONS`.
    """

    def __init__(self, compression: str) -> None:
        self._compression = compression
        self.reset()

    def reset(self) -> None:
        """Start anew, so that an epoch depends on nothing that a checkpoint does not hold."""
        self.handed_bytes = 0
        self._powersgd = PowerSGDState(
            None, matrix_approximation_rank=POWERSGD_RANK, start_powerSGD_iter=POWERSGD_START
        )

    def hook(self, _state: None, bucket: dist.GradBucket) -> Future[Tensor]:
        """Average one bucket; torch calls it for each, in the same order on every rank."""
        buffer = bucket.buffer()
        if self._compression == "none":
            self.handed_bytes += buffer.nbytes
            return allreduce_hook(None, bucket)
        if self._compression == "bf16":
            self.handed_bytes += buffer.numel() * BF16_BYTES
            return bf16_compress_hook(None, bucket)
        compressed_before = self._powersgd.total_numel_after_compression
        in_full = self._powersgd.iter < POWERSGD_START
        averaged = powerSGD_hook(self._powersgd, bucket)
        # The hook sends from its callbacks, on gloo's threads: with two buckets under way the ranks would no longer
        # agree on the order of what they send, and gloo would end them ("collective mismatch").
        averaged.wait()
        compressed = self._powersgd.total_numel_after_compression - compressed_before
        self.handed_bytes += (buffer.numel() if in_full else compressed) * buffer.element_size()
        return averaged


@contextmanager
def together(timeout_s: float = TIMEOUT_S) -> Iterator[Ranks]:
    """Join the processes that torchrun started with this one; alone when it was started without.

    To be called from the main thread. Inside, SIGTERM, which torchrun sends to the others when one has failed, is a
    KeyboardInterrupt.

    Args:
        timeout_s: the longest that a process waits for another [s].

    Yields:
        Who they are.

    Raises:
        WorkshopError: another process is gone or does not answer.
    """
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        dist.init_process_group("gloo", timeout=timedelta(seconds=timeout_s))
        yield Group()
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise WorkshopError(
            f"another process of this training is gone or has not answered for {timeout_s:g} s",
            hint="what it said last tells why; the same command goes on from the last checkpoint",
        ) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        signal.signal(signal.SIGTERM, before)
