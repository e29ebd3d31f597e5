"""What the workshop says to a person when it cannot go on: one message, one hint; commands print it and exit 1."""

from __future__ import annotations


class WorkshopError(Exception):
    """Something that a person can change.

    Args:
        message: what is wrong, with the values.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadSample(WorkshopError):
    """One sample cannot be used: count it and go on."""
