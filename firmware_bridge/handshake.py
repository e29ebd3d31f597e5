"""How a session comes up and goes down: the transition table of the handshake."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class State(Enum):
    """How far a session has come."""

    CLOSED = auto()
    GREETING = auto()
    CONFIGURING = auto()
    SYNCING = auto()
    UP = auto()


class Turn(Enum):
    """What moves a session on."""

    OPENED = auto()
    GREETED = auto()
    CONFIGURED = auto()
    SYNCED = auto()
    REBOOTED = auto()
    ENDED = auto()


NEXT: Final[dict[tuple[State, Turn], State]] = {
    (State.CLOSED, Turn.OPENED): State.GREETING,
    (State.GREETING, Turn.GREETED): State.CONFIGURING,
    (State.CONFIGURING, Turn.CONFIGURED): State.SYNCING,
    (State.SYNCING, Turn.SYNCED): State.UP,
    (State.CONFIGURING, Turn.REBOOTED): State.GREETING,
    (State.SYNCING, Turn.REBOOTED): State.GREETING,
    (State.UP, Turn.REBOOTED): State.GREETING,
    (State.GREETING, Turn.ENDED): State.CLOSED,
    (State.CONFIGURING, Turn.ENDED): State.CLOSED,
    (State.SYNCING, Turn.ENDED): State.CLOSED,
    (State.UP, Turn.ENDED): State.CLOSED,
}
