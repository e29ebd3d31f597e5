"""The reject output: what the station does with a part once the answer is known, or cannot be known in time."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from edge_agent.config import ActionsConfig
from edge_agent.config.wire import RecipeGateConfig
from edge_agent.records import Action, Outcome


class RejectOutput(Protocol):
    """Sorts parts. Called once for each part, from the loop thread, and never blocks."""

    def act(self, series: str, number: int, action: Action, gate: RecipeGateConfig) -> None:
        """Pass or reject the part; `gate` says when it is there."""


class SimulatedOutput:
    """A reject output that only counts; stands for the gate of a simulated or replayed line."""

    def __init__(self) -> None:
        self.counts: Counter[Action] = Counter()

    def act(self, series: str, number: int, action: Action, gate: RecipeGateConfig) -> None:
        """Count the action."""
        self.counts[action] += 1


def action_for(outcome: Outcome, actions: ActionsConfig) -> Action:
    """Give the recipe's action for an outcome; whatever is neither OK nor NG takes the action for UNSURE."""
    match outcome:
        case Outcome.OK:
            return actions.ok
        case Outcome.NG:
            return actions.ng
        case _:
            return actions.unsure
