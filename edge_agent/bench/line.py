"""What is compared: the bundle alone, and a running agent that is handed one part at a time. Measures nothing."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.agent import Agent
from edge_agent.config import Config
from edge_agent.engines import Engine, load_engines
from edge_agent.engines.spot import spot_of
from edge_agent.errors import DeviceFault, EdgeAgentError, Unavailable
from edge_agent.records import Part
from edge_agent.runtime.clock import Clock
from edge_agent.sources.schedule import Material
from edge_agent.terminal.printing import warn
from models import Bundle
from models.castings import Casting
from models.features import prepare_picture, prepare_vibration
from models.flow import Flow

READY_TIMEOUT_S: Final = 60.0
"""How long the device may take to load and prove its bundle."""

ANSWER_TIMEOUT_S: Final = 60.0
"""A part is due within its deadline; what takes this long will not come."""

LOOK_S: Final = 0.02
"""How often it is seen whether the agent still runs."""


class HandFed:
    """A supply that gives what it is handed, one part at a time. `feed` belongs to the measuring thread.

    Its `take` waits, which is right only because no part is handed over before the one before it was answered.
    """

    name = "bench"
    counts_anew = True
    unusable = 0

    def __init__(self) -> None:
        self._parts: queue.SimpleQueue[Material | None] = queue.SimpleQueue()

    def open(self, first: int) -> None:
        """Nothing to get ready."""

    def take(self) -> Material | None:
        """Wait for the next part."""
        return self._parts.get()

    def feed(self, casting: Casting | None) -> None:
        """Hand over a part, or None as the end."""
        self._parts.put(
            None
            if casting is None
            else Material(None, casting.image, 0.01, casting.samples, casting.rate_hz, casting.truth)
        )


class Bare:
    """The bundle without an agent around it.

    Args:
        bundle: what to run.
        config: the runtime and its threads.
    """

    def __init__(self, bundle: Bundle, config: Config) -> None:
        self._bundle = bundle
        self._flow = Flow(bundle.manifest)
        self._engines: Mapping[str, Engine] = load_engines(bundle, spot_of(config.engine), bundle.manifest.judging)

    def prepared(
        self, image: NDArray[np.uint8] | None, samples: NDArray[np.float32] | None, rate_hz: float
    ) -> dict[str, NDArray[Any]]:
        """Pre-process what the bundle takes of a part: BGR (height, width, 3), [m/s^2] (n, 3), [Hz]."""
        manifest = self._bundle.manifest
        sources: dict[str, NDArray[Any]] = {}
        if manifest.picture is not None and image is not None:
            sources["picture"] = prepare_picture(image, manifest.picture)
        if manifest.vibration is not None and samples is not None:
            sources |= prepare_vibration(samples, rate_hz, manifest)
        return sources

    def infer(self, sources: Mapping[str, NDArray[Any]]) -> None:
        """Compute what was prepared."""
        self._flow.run(sources, lambda role, feed: self._engines[role].infer(feed))

    def run(self, casting: Casting) -> None:
        """Pre-process and infer."""
        self.infer(self.prepared(casting.image, casting.samples, casting.rate_hz))

    def close(self) -> None:
        """Release the engines."""
        for engine in self._engines.values():
            engine.close()


@contextmanager
def running(agent: Agent, supply: HandFed, unclean: list[str]) -> Iterator[None]:
    """Run an agent on a thread of its own; `unclean` takes the components that did not end in time."""
    agent.on_stop = lambda: supply.feed(None)
    loop = threading.Thread(target=agent.run, name="loop")
    loop.start()
    try:
        yield
    finally:
        agent.loop.stop()
        loop.join()
        unclean += agent.close()


@contextmanager
def leaving(unclean: Sequence[str]) -> Iterator[None]:
    """End the process afterwards where components, which `unclean` names, did not end in time; say what went wrong."""
    try:
        yield
    except EdgeAgentError as error:
        if not unclean:
            raise
        warn(error)
    if unclean:
        warn(Unavailable(f"did not end in time: {', '.join(unclean)}"))
        sys.stdout.flush()
        os._exit(1)  # a thread that hangs in a driver cannot be ended


class Line:
    """A running agent that is handed one part at a time. Belongs to the measuring thread.

    Args:
        agent: runs, on a thread of its own.
        supply: hands parts to it.
        told: gets each part that it has answered.
        clock: tells the time and waits.
    """

    def __init__(self, agent: Agent, supply: HandFed, told: queue.SimpleQueue[Part], clock: Clock) -> None:
        self._agent = agent
        self._supply = supply
        self._told = told
        self._clock = clock

    def wait_until_ready(self) -> None:
        """Wait for the device; raise why it cannot be had."""
        idle = threading.Event()
        until = self._clock.now() + READY_TIMEOUT_S
        while not self._agent.dispatcher.ready:
            self._look(until, f"the device was not ready within {READY_TIMEOUT_S:.0f} s")
            self._clock.wait(idle, self._clock.now() + LOOK_S)

    def judge(self, casting: Casting) -> Part:
        """Have one part judged and recorded; raise why it is not."""
        self._supply.feed(casting)
        until = self._clock.now() + ANSWER_TIMEOUT_S
        while True:
            try:
                return self._told.get(timeout=LOOK_S)
            except queue.Empty:
                self._look(until, f"a part was not answered within {ANSWER_TIMEOUT_S:.0f} s")

    def _look(self, until: float, trouble: str) -> None:
        ending = self._agent.supervisor.ending
        if ending is not None:
            kind = type(ending.error) if isinstance(ending.error, EdgeAgentError) else Unavailable
            hint = getattr(ending.error, "hint", "")
            raise kind(f"{ending.component}: {ending.error}", hint=hint) from ending.error
        if self._clock.now() >= until:
            lanes = self._agent.dispatcher.status(self._clock.now()).lanes
            why = "; ".join(lane.reason for lane in lanes if lane.reason)
            hint = "choose another one: [engine] runtime and device" if why else ""
            raise DeviceFault(f"{trouble} ({why})" if why else trouble, hint=hint)
