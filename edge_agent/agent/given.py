"""A lesson on its way on a running station, and how it is to be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.agent.ahead import Ahead
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.outcome import Proposal
from edge_agent.product.product import Product
from edge_agent.runtime.steps import Done


@dataclass(frozen=True)
class Plan:
    """How a lesson is to be given.

    Attributes:
        name: the class, as a person writes it.
        who: the person, for the audit.
        golden: nothing is learned from the examples; they are asked about whenever knowledge is to change.
        now: promote it at once, unproven.
        goes_on: more examples of it follow, so that it need not be proven yet.
    """

    name: str
    who: str
    golden: bool = False
    now: bool = False
    goes_on: bool = False


Answer = Callable[[Proposal | EdgeAgentError], None]

GaveUp = Callable[[EdgeAgentError | None], None]
"""Hears that a lesson which was given up has ended and left nothing; or why it has left something all the same."""


class GivenUp(BadData):
    """A person gave the lesson up."""

    def __init__(self) -> None:
        super().__init__("the lesson was cancelled", hint="nothing was learned from it")


@dataclass(eq=False)
class Given:
    """How far a lesson has come.

    Attributes:
        product: what it is about.
        plan: how it is to be given.
        done: hears what came of it.
        started_s: when it was asked for [s, host monotonic].
        accepted_s: when the device or the background last took a piece of it [s, host monotonic].
        lesson: what is taught; None while the line's parts are gathered.
        ahead: prepares what is encoded next.
        wanted: how many of the line's next parts are to be taught.
        examples: those that came.
        waiting: a piece of it is on the device or in the background.
        proven: how much of how much is proven.
        given_up: who hear that it has ended, because they gave it up.
        proposed: what it taught waits on the disk to be promoted, or to be proven.
    """

    product: Product
    plan: Plan
    done: Answer
    started_s: float
    accepted_s: float
    lesson: Lesson | None = None
    ahead: Ahead | None = None
    wanted: int = 0
    examples: list[Example] = field(default_factory=list)
    waiting: bool = False
    proven: Done = None
    given_up: list[GaveUp] = field(default_factory=list)
    proposed: bool = False

    def refusal(self) -> GivenUp | None:
        """Say why it does not go on, where a person gave it up; asked by the background thread too."""
        return GivenUp() if self.given_up else None

    def proving(self, done: Done) -> None:
        """Hear how much of how much is proven; what is not known leaves what was."""
        self.proven = done or self.proven
