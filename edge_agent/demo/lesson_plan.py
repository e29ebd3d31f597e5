"""The teaching tray of the demo: after some parts, five labelled examples of each defect arrive and are taught live.

Each class is proposed, proven and promoted, as a quality engineer would do it; one whose proof sheet refuses it is
cancelled. At full speed the line stands still meanwhile, as it would otherwise be over by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from edge_agent.agent import Agent
from edge_agent.agent.given import Plan
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.learning.example import Example
from edge_agent.learning.outcome import Changed, Proposal
from edge_agent.learning.proof import ProofSheet
from edge_agent.ledger import Teaching
from edge_agent.runtime.background import Chore
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.steps import in_parts
from models.castings import CLASSES, NORMAL, Casting, CastingLine

SHOTS: Final = 5
"""Examples of each class on the tray."""

FIRST_MINUTE_PARTS: Final = 300
"""Parts before the teaching tray arrives: a minute at 5 parts/s."""

SHORT_SHARE: Final = 0.4
"""Share of a short run that is judged before the tray arrives."""

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

    Attributes:
        planned: classes that it teaches.
        seen: parts that were answered.

    Args:
        agent: the running station.
        line: makes the examples.
        after: parts that are judged before the tray arrives.
        proven: hears what is known of a class before it is promoted.
        finished: hears what was taught, when all of it was.
    """

    name = "tray"

    def __init__(
        self,
        agent: Agent,
        line: CastingLine,
        after: int,
        proven: Callable[[ProofSheet], None],
        finished: Callable[[list[Proposal | EdgeAgentError]], None],
    ) -> None:
        self._agent = agent
        self._line = line
        self._after = after
        self._proven = proven
        self._finished = finished
        self._left = [slug for slug in CLASSES if slug != NORMAL]
        self.planned = len(self._left)
        self._examples: list[Example] = []
        self._results: list[Proposal | EdgeAgentError] = []
        self._busy = False
        self.seen = 0

    @property
    def taught(self) -> int:
        """How many classes were taught so far."""
        return sum(isinstance(result, Proposal) for result in self._results)

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
        self._busy = True
        try:
            lesson = self._agent.holdings.lessons.begin(slug, self._examples)
            self._agent.teacher.begin(
                self._agent.holdings.products.in_use, lesson, Plan(slug, WHO), self._proposed, now
            )
        except (BadData, Unavailable):  # somebody else is teaching, or lets a change wait
            self._busy = False

    def _proposed(self, result: Proposal | EdgeAgentError) -> None:
        if isinstance(result, EdgeAgentError) or result.proof is None:
            self._end(result)
            return
        sheet, lessons = result.proof, self._agent.holdings.lessons
        self._proven(sheet)
        if sheet.refused:
            work = Chore(lambda: lessons.cancel(WHO), lambda made: self._cancelled(made, sheet))
        else:
            work = Chore(in_parts(lessons.promote(WHO), self._agent.clock), lambda made: self._promoted(made, result))
        if not self._agent.background.submit(work):
            self._end(Unavailable("the station had too much to do to promote it"))

    def _promoted(self, made: tuple[Changed, list[Teaching]] | EdgeAgentError, proposal: Proposal) -> None:
        if not isinstance(made, EdgeAgentError):
            self._agent.teacher.apply(self._agent.holdings.products.in_use, made)
        self._end(made if isinstance(made, EdgeAgentError) else proposal)

    def _cancelled(self, made: Teaching | EdgeAgentError, sheet: ProofSheet) -> None:
        if not isinstance(made, EdgeAgentError):
            self._agent.holdings.recorder.offer(made)
        self._end(BadData(f"refused: {' '.join(refusal.reason for refusal in sheet.refused)}"))

    def _end(self, result: Proposal | EdgeAgentError) -> None:
        self._results.append(result)
        self._left.pop(0)
        self._examples = []
        self._busy = False
