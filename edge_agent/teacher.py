"""Teaches a running station: encodes a lesson in the gaps between parts, then changes what the line is judged by.

At most one encoding is on the device and one chore in the background, so that a part waits for one encoding at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.inspection.device import Device, Job
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.judge import Judge
from edge_agent.learning.lesson import Lesson
from edge_agent.recipe import Turn
from edge_agent.records import Embedding
from edge_agent.runtime.background import Background, Chore
from edge_agent.runtime.loop import NEVER
from edge_agent.station import Station, Taught, teaching_of

RETRY_S: Final = 0.05
"""How long a lesson waits for a device that has too much to do."""

GIVE_UP_S: Final = 10.0
"""A lesson that the device would not take for so long is given up, and said to whoever waits for it [s]."""


@dataclass(eq=False)
class _Running:
    lesson: Lesson
    who: str
    done: Callable[[Taught | EdgeAgentError], None]
    started_s: float
    accepted_s: float
    waiting: bool = False


class Teacher:
    """Gives one lesson at a time. A component; every method belongs to the loop thread.

    Args:
        station: what is taught.
        device: encodes.
        background: solves and saves.
        changed: hears that the judge is another one now.
        poke: asks the loop to step this component.
    """

    name = "teaching"

    def __init__(
        self,
        station: Station,
        device: Device,
        background: Background,
        changed: Callable[[Judge], None],
        poke: Callable[[str], None],
    ) -> None:
        self._station = station
        self._device = device
        self._background = background
        self._changed = changed
        self._poke = poke
        self._running: _Running | None = None

    @property
    def progress(self) -> tuple[str, int, int] | None:
        """The class being taught, encodings done and in all; None when nothing is."""
        if self._running is None:
            return None
        lesson = self._running.lesson
        return lesson.label, lesson.done, lesson.total

    def begin(self, lesson: Lesson, who: str, done: Callable[[Taught | EdgeAgentError], None], now: float) -> None:
        """Start a lesson; `done` hears what came of it.

        Args:
            lesson: what to teach.
            who: the person, for the audit.
            done: hears what came of it.
            now: host monotonic time [s].

        Raises:
            Unavailable: another lesson is being given.
        """
        if self._running is not None:
            raise Unavailable(
                f"the station is learning {self._running.lesson.label}", hint="teach again when that is done"
            )
        self._running = _Running(lesson, who, done, now, now)
        self._poke(self.name)

    def step(self, now: float) -> float:
        """Move the lesson on by one encoding."""
        running = self._running
        if running is None or running.waiting:
            return NEVER
        if running.lesson.done == running.lesson.total:
            running.waiting = self._background.submit(Chore(lambda: self._learn(running), self._learned))
        else:
            running.waiting = self._device.submit(Job(lambda encoder: _encode(encoder, running.lesson), self._encoded))
        if running.waiting:
            running.accepted_s = now
            return NEVER
        if now - running.accepted_s > GIVE_UP_S:
            hint = "see `edge-agent status`, and teach again when the device works"
            self._end(Unavailable(f"the device took no example for {GIVE_UP_S:.0f} s", hint=hint))
            return NEVER
        return now + RETRY_S

    def _encoded(self, result: Embedding | EdgeAgentError, ended_s: float) -> None:
        running = self._running
        if running is None:
            return
        running.waiting = False
        if isinstance(result, Embedding | BadData):
            running.lesson.take(result)
            self._poke(self.name)
        else:
            self._end(result)

    def _learn(self, running: _Running) -> Turn:
        """Solve and save, on the background thread; the line hears of it in `_learned`."""
        return self._station.recipe.learn(running.lesson, running.who, self._station.clock.utc())

    def _learned(self, result: Turn | EdgeAgentError) -> None:
        running = self._running
        if running is None:
            return
        if isinstance(result, EdgeAgentError):
            self._end(result)
            return
        station = self._station
        self._changed(station.recipe.judge)
        station.recorder.offer(teaching_of(result))
        self._end(station.taught(running.lesson, station.clock.now() - running.started_s))

    def _end(self, result: Taught | EdgeAgentError) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.done(result)


def _encode(encoder: Encoder, lesson: Lesson) -> Embedding:
    variant = lesson.next_variant()
    if variant is None:
        raise BadData("the lesson has nothing left to encode")
    return encoder.encode(variant.image, variant.samples, variant.rate_hz)
