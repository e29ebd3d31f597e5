"""What a line is run against: parts at a fixed pace, background work without end, processes that take the processor."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.agent import Agent
from edge_agent.engines import Array, Engine, Spot, load_engines
from edge_agent.errors import EdgeAgentError
from edge_agent.records import Embedding
from edge_agent.runtime.background import Chore
from edge_agent.scheduler.job import Job
from edge_agent.sources.schedule import Material
from edge_agent.sources.simline import FRAME_OFFSET_S
from models import Bundle
from models.castings import Casting, CastingLine
from models.manifest import Part

CASTINGS: Final = 64
"""Castings that come again and again: making them anew would take longer than judging them."""

AHEAD: Final = 2
"""Pieces of background work that wait at any time."""

RETRY_S: Final = 0.02

REMEMBERED: Final = 256
"""Answers in the table: the castings that come again and again, and the golden vectors."""


class Pace:
    """The supply of castings at a fixed pace, the same ones again and again.

    Args:
        castings: what comes.
        parts_per_s: pace of the line [1/s]; None: as fast as the station answers.
        parts: in the whole run.
    """

    name = "bench"
    counts_anew = True
    unusable = 0

    def __init__(self, castings: list[Casting], parts_per_s: float | None, parts: int) -> None:
        self._castings = castings
        self._parts_per_s = parts_per_s
        self._parts = parts
        self._taken = 0

    def open(self, first: int) -> None:
        """Nothing to get ready."""

    def take(self) -> Material | None:
        """Give the next casting; None after the last."""
        if self._taken == self._parts:
            return None
        casting = self._castings[self._taken % len(self._castings)]
        due_s = None if self._parts_per_s is None else self._taken / self._parts_per_s
        self._taken += 1
        image, samples = casting.image.copy(), casting.samples.copy()  # each part has its own, as from a camera
        return Material(due_s, image, FRAME_OFFSET_S, samples, casting.rate_hz, casting.truth)


def castings_of(line: CastingLine, count: int = CASTINGS) -> list[Casting]:
    """Make castings once."""
    return [line.part(number) for number in range(1, count + 1)]


class Busy:
    """Keeps a station busy beside the line. A component.

    Encodings wait for the device at all times, as when a day's parts are embedded anew; the background thread reads the
    newest thousand parts again and again, which is Python, SQLite and JSON.

    Args:
        agent: what is kept busy.
        castings: what is encoded.
    """

    name = "busy"

    def __init__(self, agent: Agent, castings: list[Casting]) -> None:
        self._agent = agent
        self._castings = castings
        self._encoding = 0
        self._reading = False
        self.encoded = 0  #: encodings that were done
        self.read = 0  #: readings of the ledger that were done

    def step(self, now: float) -> float:
        """Submit what is missing."""
        while self._encoding < AHEAD and self._encode():
            self._encoding += 1
        if not self._reading:
            self._reading = self._agent.background.submit(Chore(self._read, self._was_read))
        return now + RETRY_S

    def _encode(self) -> bool:
        bundle = self._agent.holdings.recipe.bundle
        casting = self._castings[(self.encoded + self._encoding) % len(self._castings)]
        return self._agent.dispatcher.submit(
            Job(
                lambda encoders: encoders.of(bundle).encode(casting.image, casting.samples, casting.rate_hz),
                self._encoded,
            )
        )

    def _encoded(self, result: Embedding | EdgeAgentError, at_s: float) -> None:
        self._encoding -= 1
        self.encoded += isinstance(result, Embedding)

    def _read(self) -> int:
        with self._agent.holdings.reader() as reader:
            return len(reader.latencies())

    def _was_read(self, result: object) -> None:
        self._reading = False
        self.read += not isinstance(result, EdgeAgentError)


class Remembering:
    """An engine that answers from a table what it was asked before: so quick that only the station's own work is left.

    Args:
        engine: answers what is new.
    """

    def __init__(self, engine: Engine) -> None:
        self.inputs = engine.inputs
        self.outputs = engine.outputs
        self._engine = engine
        self._table: dict[bytes, dict[str, Array]] = {}

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model, or remember; see `Engine.infer`."""
        digest = hashlib.blake2b(digest_size=16)
        for name in sorted(tensors):
            digest.update(np.ascontiguousarray(tensors[name]).data)
        key = digest.digest()
        if key not in self._table:
            answer = self._engine.infer(tensors)
            if len(self._table) >= REMEMBERED:
                return answer
            self._table[key] = answer
        return {name: array.copy() for name, array in self._table[key].items()}

    def close(self) -> None:
        """Release the model."""
        self._engine.close()


def load_remembering(
    bundle: Bundle, spots: Spot | Mapping[str, Spot], parts: Sequence[Part] = (), cache: Path | None = None
) -> dict[str, Engine]:
    """Load the parts of a bundle; each remembers."""
    return {role: Remembering(engine) for role, engine in load_engines(bundle, spots, parts, cache).items()}


@contextmanager
def hostile(processes: int) -> Iterator[None]:
    """Run processes that do nothing but take the processor; they end when this process does, however that ends.

    Args:
        processes: how many.

    Yields:
        Nothing; they end with the block.
    """
    work = f"import os\nwhile os.getppid() == {os.getpid()}:\n for _ in range(1_000_000): pass"
    running = [subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.DEVNULL) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
