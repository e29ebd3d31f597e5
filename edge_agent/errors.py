"""Every error the station raises on purpose; the type says what to do about it.

The raiser chooses the type, the supervisor chooses the action. A driver's own exception is translated into
one of these once, at the door of that driver.
"""

from __future__ import annotations

from enum import Enum, auto


class EdgeAgentError(Exception):
    """Something went wrong that a person may have to know about.

    Args:
        message: what happened, with the values that matter.
        hint: what the operator can do; names a file, a key or a command that exists.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(EdgeAgentError):
    """A person must change something; trying again cannot help."""


class Unavailable(EdgeAgentError):
    """Not there now, may be later: close, back off, reopen."""


class BadData(EdgeAgentError):
    """This one item is unusable: drop it, count it, carry on."""


class Unsafe(BadData):
    """It could be done, but something speaks against it: a person has to look first."""


class StateDamaged(EdgeAgentError):
    """Stored state failed its check: go back to the last good copy, keep the damaged one aside."""


class DeviceFault(EdgeAgentError):
    """The device says it failed: stop using it, fall back, try again later.

    Args:
        message: what happened, with the values that matter.
        hint: what the operator can do.
        device: the device as `runtime/kind`; "" where nobody can tell.
    """

    def __init__(self, message: str, *, hint: str = "", device: str = "") -> None:
        super().__init__(message, hint=hint)
        self.device = device


class Remedy(Enum):
    """What the supervisor does about an error."""

    DROP_ITEM = auto()
    RESTART = auto()
    ROLL_BACK = auto()
    OPEN_BREAKER = auto()
    GIVE_UP = auto()


def remedy_for(error: BaseException) -> Remedy:
    """Give the one remedy for `error`; a bug and a wrong configuration are never retried."""
    match error:
        case BadData():
            return Remedy.DROP_ITEM
        case Unavailable():
            return Remedy.RESTART
        case StateDamaged():
            return Remedy.ROLL_BACK
        case DeviceFault():
            return Remedy.OPEN_BREAKER
        case _:
            return Remedy.GIVE_UP
