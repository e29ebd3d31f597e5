"""The one protocol of everything that delivers parts; a source knows nothing of pairing, models or verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_agent.records import Frame, Trigger, VibrationWindow
from edge_agent.runtime.mailbox import Mailbox

Item = Trigger | Frame | VibrationWindow


@dataclass(frozen=True)
class Position:
    """How far a source has counted.

    Attributes:
        series: names one uninterrupted count.
        number: triggers of that series announced so far; 0 before the first.
    """

    series: str
    number: int


@dataclass(frozen=True)
class FeedStats:
    """What a source did.

    Attributes:
        triggers: parts announced since it was opened.
        late: items delivered late because the host was busy.
        unsaved: trigger numbers that could not be written down.
        unusable: files of the supply that could not be used.
    """

    triggers: int
    late: int
    unsaved: int
    unusable: int


class Source(Protocol):
    """Delivers items into its own bounded mailbox from its own thread.

    `open` may raise `Unavailable` or `ConfigError` and may be called again after `close`. `close` never raises and is
    safe after a failed `open` and twice.

    Attributes:
        name: for status and events.
        items: what was delivered, oldest first; a full mailbox drops the oldest and counts it.
    """

    name: str
    items: Mailbox[Item]

    def open(self) -> Position:
        """Start delivering; say how far the count had come before this start."""

    def take(self) -> list[Item]:
        """Give what was delivered since the last time; triggers in the order of their numbers."""

    def position(self) -> Position:
        """Give the count as the source itself knows it, which is what conservation is checked against."""

    def answered(self, number: int) -> None:
        """Hear that a part was answered; only a source that waits for the station needs it."""

    def finished(self) -> bool:
        """Say whether the source has delivered its last item and never will another."""

    def check(self) -> None:
        """Raise what keeps it from delivering, if anything does."""

    def stats(self) -> FeedStats:
        """Say what was done since `open`. Safe from any thread."""

    def close(self) -> None:
        """Stop delivering and release everything."""

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for what `close` asked to end; say whether it has."""
