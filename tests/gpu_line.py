"""A lane on a modelled GPU in simulated time: an encoder of tables, whose device takes `a + b * n` for n pieces.

What a task costs is known when it is given, and its answer comes when so much time has gone by: an hour takes seconds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1])]

import numpy as np  # noqa: E402
from small_bundle import SIDE_PX  # noqa: E402
from wide_bundle import CPU, GPU, engine, wide_bundle  # noqa: E402

from edge_agent.engines import Engine, Spot  # noqa: E402
from edge_agent.errors import EdgeAgentError  # noqa: E402
from edge_agent.inspection.encode import Encoder  # noqa: E402
from edge_agent.inspection.piece import Piece  # noqa: E402
from edge_agent.records import Embedding  # noqa: E402
from edge_agent.runtime.worker import Done, Failed  # noqa: E402
from edge_agent.scheduler.dispatcher import Dispatcher  # noqa: E402
from edge_agent.scheduler.job import Job  # noqa: E402
from edge_agent.scheduler.lane import Task  # noqa: E402
from edge_agent.scheduler.way import Way  # noqa: E402
from edge_agent.testing.clock import ManualClock  # noqa: E402

PIECE = Piece(np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8), None)

WHOLE = 4
"""Golden vectors of the bundle that have everything: what a proof of a batch runs."""


@dataclass(frozen=True)
class Modelled:
    """What a device takes, and when it fails.

    Attributes:
        each_s: a run, however many pieces [s].
        piece_s: a piece of it [s].
        sizes: pieces that it computes together.
        fails_on: errors of runs of several pieces, by their number; the first of each size is 1.
        nan_on: runs of several pieces that give no numbers.
        table_s: what its table says of a size where that is not so [s].
    """

    each_s: float = 0.010
    piece_s: float = 0.001
    sizes: Sequence[int] = (2, 4, 8)
    fails_on: Mapping[int, Exception] = field(default_factory=dict)
    nan_on: Container[int] = ()
    table_s: Mapping[int, float] = field(default_factory=dict)

    def takes_s(self, pieces: int) -> float:
        """Give what so many pieces take together [s]."""
        return self.each_s + self.piece_s * pieces


@dataclass(frozen=True)
class Run:
    """The work of one job."""

    name: str

    def __call__(self, encoder: Encoder) -> Embedding:
        return encoder.encode(*PIECE)


def together(encoder: Encoder, runs: Sequence[Callable[[Encoder], Embedding]]) -> list[Embedding]:
    return encoder.encode_together([PIECE] * len(runs))


@dataclass(frozen=True)
class Started:
    """A task that the lane was given: when [s], its jobs, and those that waited behind them."""

    at_s: float
    members: tuple[str, ...]
    waiting: tuple[str, ...]


class Line:
    """Jobs on one lane.

    Args:
        device: what the lane runs on.
        kind: the dispatcher.
        batches: whether the table has rows of several pieces.
        stands_in: what a second lane runs on, which does one job at a time; None for one lane.
    """

    def __init__(
        self,
        device: Modelled,
        kind: type[Dispatcher[Any, Any]] = Dispatcher,
        *,
        batches: bool = True,
        stands_in: Modelled | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.answers: dict[str, list[tuple[Embedding | EdgeAgentError, float]]] = {}
        self.deadlines_s: dict[str, float] = {}
        self.started: list[Started] = []
        self.coming: list[tuple[float, Callable[[], object]]] = []
        self._cost_s = self._disturbed_s = 0.0
        self._loading = False
        table_s = {size: device.takes_s(size) for size in device.sizes if batches} | dict(device.table_s)
        ways = [self._way("gpu", device, table_s)]
        if stands_in is not None:
            ways.append(self._way("npu", stands_in, {}))
        self.dispatcher = kind(
            ways,
            self.clock,
            lambda name: None,
            1.0,
            lambda way: True,
            hire=lambda *asked: Hand(self, *asked),
            room=1000,
        )
        self.dispatcher.open()
        self.run_until(self.clock.now() + 1.0)
        assert all(lane.state in ("in use", "ready") for lane in self.dispatcher.status(self.clock.now()).lanes)

    def submit(self, name: str, within_s: float) -> bool:
        """Submit a job; False where it is refused."""
        told = self.answers.setdefault(name, [])
        deadline_s = self.deadlines_s[name] = self.clock.now() + within_s
        job = Job(Run(name), lambda result, at_s: told.append((result, at_s)), deadline_s, None, "", together)
        return self.dispatcher.submit(job)

    def disturb(self, seconds: float) -> None:
        """Have the next task last so much longer [s]."""
        self._disturbed_s = seconds

    def run_until(self, until_s: float) -> None:
        """Let time go by until `until_s` [s], and have everything happen when it is due."""
        while True:
            wake_s = min([self.dispatcher.step(self.clock.now()), *(at_s for at_s, _ in self.coming)])
            if wake_s > until_s:
                break
            self.clock.advance_to(max(wake_s, self.clock.now()))
            due = [each for each in self.coming if each[0] <= self.clock.now()]
            for each in due:
                self.coming.remove(each)
                each[1]()
        self.clock.advance_to(max(until_s, self.clock.now()))

    def in_time(self) -> set[str]:
        """Give the jobs that were done by their deadline."""
        done = {name: told[0] for name, told in self.answers.items() if told and isinstance(told[0][0], Embedding)}
        return {name for name, (_, at_s) in done.items() if at_s <= self.deadlines_s[name]}

    def worked(self, task: Task[Any, Any], work: Callable[[Any], Any]) -> tuple[float, Any]:
        """Do a task; give when it is done [s], and its answer."""
        now = self.clock.now()
        if task.tickets:
            waiting = (ticket.job.run.name for ticket in self.dispatcher._urgent.since(0, 10**6))
            self.started.append(Started(now, tuple(t.job.run.name for t in task.tickets), tuple(waiting)))
        self._cost_s, self._disturbed_s = self._disturbed_s, 0.0
        self._loading = not task.tickets
        try:
            value = work(task)
        except EdgeAgentError as error:
            return now + self._cost_s, Failed(task, error, now, now + self._cost_s)
        return now + self._cost_s, Done(task, value, now, now + self._cost_s)

    def _way(self, name: str, device: Modelled, table_s: Mapping[int, float]) -> Way[Encoder]:
        return Way[Encoder](
            name,
            frozenset({f"openvino/{name}"}),
            lambda: self._load(device),
            Encoder.prove,
            lambda encoder: f"openvino/{name}",
            prove_together=Encoder.prove_together,
            batches_s=lambda encoder, bundle: {n: s for n, s in table_s.items() if n in encoder.sizes},
        )

    def _load(self, device: Modelled) -> Encoder:
        batches = [{"image": GPU._replace(pieces=size), "vibration": CPU} for size in device.sizes]
        return Encoder.at_spots(wide_bundle(), GPU, load=partial(self._engines, device), batches=batches)

    def _engines(self, device: Modelled, bundle: Any, spots: Any, parts: Any, cache: Any = None) -> dict[str, Engine]:
        pieces = 1 if isinstance(spots, Spot) else spots["image"].pieces
        faults: dict[str, Any] = {}
        if pieces > 1:
            proofs = -(-WHOLE // pieces)
            faults["fail_on"] = {call + proofs: error for call, error in device.fails_on.items()}
            faults["nan_on"] = [call + proofs for call in range(1, 100) if call in device.nan_on]
        image = engine("image", pieces, before=lambda call: self._spend(device.takes_s(pieces)), **faults)
        return {"image": image} | ({"vibration": engine("vibration")} if pieces == 1 else {})

    def _spend(self, seconds: float) -> None:
        if self._loading:
            self.clock.advance(seconds)
        else:
            self._cost_s += seconds


class Hand:
    """Stands in for the lane's worker, without a thread: an answer comes when what it cost has gone by."""

    def __init__(self, line: Line, name: str, work: Any, answer: Callable[[Any], object], *more: Any) -> None:
        self._line, self._work, self._answer = line, work, answer

    def start(self) -> None: ...

    def submit(self, task: Task[Any, Any]) -> bool:
        at_s, said = self._line.worked(task, self._work)
        self._line.coming.append((at_s, lambda: self._answer(said)))
        return True

    def stop(self) -> None: ...

    def abandon(self) -> list[object]:
        return []

    def join(self, until: float) -> bool:
        return True
