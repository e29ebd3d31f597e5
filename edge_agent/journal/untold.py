"""Answers that are on record and that the broker does not have yet: each is said again until it has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.uplink.message import Outgoing

UNTOLD: Final = 256
"""Answers that wait to be heard; the oldest goes first, and is said again after the next start."""

AGAIN_S: Final = 60.0
"""After an answer was said and the broker has not taken it, as one that refuses it [s]."""

EXPIRY_S: Final = 86_400
"""After a day nobody waits for an answer any more [s]."""


@dataclass
class _Answer:
    order_id: str
    outgoing: Outgoing
    until_s: float
    due_s: float = float("-inf")


class Untold:
    """Belongs to the loop thread.

    Attributes:
        dropped: answers that gave up their place.

    Args:
        say: publishes a message, without ever blocking; False where it finds no room.
        settled: hears the id of each command whose answer need not be said again.
    """

    def __init__(self, say: Callable[[Outgoing], bool], settled: Callable[[str], None]) -> None:
        self.dropped = 0
        self._say = say
        self._settled = settled
        self._answers: OrderedDict[tuple[str, str, bytes], _Answer] = OrderedDict()

    def keep(self, order_id: str, outgoing: Outgoing, until_s: float) -> None:
        """Have an answer said by the next `step`, and again.

        Args:
            order_id: of the command.
            outgoing: its answer.
            until_s: until when somebody may wait for it [s, host monotonic].
        """
        self._answers[order_id, outgoing.topic, outgoing.correlation] = _Answer(order_id, outgoing, until_s)
        if len(self._answers) > UNTOLD:
            self._answers.popitem(last=False)
            self.dropped += 1

    def delivered(self, outgoing: Outgoing) -> None:
        """Hear that the broker has taken a message."""
        for place, answer in self._answers.items():
            if answer.outgoing is outgoing:
                self._forget(place)
                return

    def connected(self, now: float) -> None:
        """Say all of them anew: what was on the way to the broker may not have arrived."""
        for answer in self._answers.values():
            answer.due_s = float("-inf")
        self.step(now)

    def step(self, now: float) -> None:
        """Say those that are due, as far as there is room; give up what nobody waits for any more."""
        for place, answer in list(self._answers.items()):
            if now > answer.until_s:
                self._forget(place)
            elif now >= answer.due_s and self._say(answer.outgoing):
                answer.due_s = now + AGAIN_S

    def _forget(self, place: tuple[str, str, bytes]) -> None:
        gone = self._answers.pop(place)
        if all(answer.order_id != gone.order_id for answer in self._answers.values()):
            self._settled(gone.order_id)
