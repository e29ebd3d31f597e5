"""The teaching tray of the demo: after some parts, five labelled examples of each defect arrive and are taught live.

At full speed the line stands still meanwhile, as it would otherwise be over by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from edge_agent.agent import Agent
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.learning.example import Example
from edge_agent.learning.outcome import Proposal
from edge_agent.runtime.background import Chore
from edge_agent.runtime.loop import NEVER
from edge_agent.teacher import Plan
from models.castings import CLASSES, NORMAL, Casting, CastingLine

SHOTS: Final = 5
"""Examples of each class on the tray."""

WHO: Final = "demo"

LOOK_S: Final = 0.05
"""How often it is seen whether a lesson can begin."""


def example_of(casting: Casting) -> Example:
    """Give a casting as a labelled example."""
    return Example(f"{casting.truth} {casting.number}", casting.image, casting.samples, casting.rate_hz)


def good_run(line: CastingLine, count: int) -> Iterator[Example]:
    """Give the confirmed good parts that the station begins with."""
    return (example_of(line.example(NORMAL, i)) for i in range(count))


class Tray:
    """Teaches the tray to the running station, one class after the other. A component.

    A lesson that fails is passed over; where somebody else teaches meanwhile, the tray waits.

    Args:
        agent: the running station.
        line: makes the examples.
        after: parts that are judged before the tray arrives.
        finished: hears what was taught, when all of it was.
    """

    name = "tray"

    def __init__(
        self, agent: Agent, line: CastingLine, after: int, finished: Callable[[list[Proposal | EdgeAgentError]], None]
    ) -> None:
        self._agent = agent
        self._line = line
        self._after = after
        self._finished = finished
        self._left = [slug for slug in CLASSES if slug != NORMAL]
        self._examples: list[Example] = []
        self._results: list[Proposal | EdgeAgentError] = []
        self._busy = False
        self.seen = 0

    def step(self, now: float) -> float:
        """Bring the examples of the next class, or begin its lesson, when it is time for it."""
        if not self._busy and self._arrived():
            if not self._left:
                self._finished(self._results)
                return NEVER
            slug = self._left[0]
            if self._examples:
                self._begin(slug, now)
            else:
                self._busy = self._agent.background.submit(Chore(lambda: self._made(slug), self._brought))
        return now + LOOK_S

    def _arrived(self) -> bool:
        """Say whether all parts before the tray are answered; those declared as missed are never seen."""
        agent = self._agent
        return self.seen >= self._after or (
            agent.source.stats().triggers >= self._after
            and not agent.source.items.stats().waiting
            and not agent.inspector.in_flight
        )

    def _made(self, slug: str) -> list[Example]:
        return [example_of(self._line.example(slug, i)) for i in range(SHOTS)]

    def _brought(self, examples: list[Example]) -> None:
        self._examples = examples
        self._busy = False

    def _begin(self, slug: str, now: float) -> None:
        lesson = self._agent.station.lessons.begin(slug, self._examples)
        self._busy = True
        try:
            self._agent.teacher.begin(lesson, Plan(slug, WHO, now=True), self._learned, now)
        except Unavailable:
            self._busy = False

    def _learned(self, result: Proposal | EdgeAgentError) -> None:
        self._results.append(result)
        self._left.pop(0)
        self._examples = []
        self._busy = False
