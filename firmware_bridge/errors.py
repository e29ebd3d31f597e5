"""Every error the bridge raises on purpose; the type says what to do about it."""

from __future__ import annotations


class BridgeError(Exception):
    """Something about the wire went wrong that a person may have to know.

    Args:
        message: what happened, with the values that matter.
        hint: what the person can do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PortRefused(BridgeError):
    """A person must change something: another device, a permission, another firmware."""


class PortLost(BridgeError):
    """Not there now, may be later: close, wait, open again."""


class BadPacket(BridgeError):
    """This one packet is unusable: drop it, count it, carry on."""


class McuFault(BridgeError):
    """The microcontroller does not answer, or says it failed: say so, greet it anew."""
