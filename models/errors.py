"""What can be wrong with a bundle, knowledge or a recorded file; each message names what is wrong and why.

They are plain `ValueError`s, because this package knows nothing of the station; the station translates them
at its door into the errors that say what to do.
"""

from __future__ import annotations


class BundleRefused(ValueError):
    """A bundle cannot be used; nothing of it was loaded.

    Args:
        bundle: the bundle's name, or its folder where the name is not known yet.
        part: the file or key that is wrong.
        reason: what is wrong with it, with the values.
    """

    def __init__(self, bundle: str, part: str, reason: str) -> None:
        super().__init__(f"bundle {bundle}: {part}: {reason}")
        self.bundle = bundle
        self.part = part
        self.reason = reason


class KnowledgeDamaged(ValueError):
    """A knowledge file fails its checks; nothing of it was loaded."""


class NotTaught(ValueError):
    """Nothing was taught that could judge what is asked."""


class FileRefused(ValueError):
    """The bytes of a picture or vibration file are not usable; nothing was made of them.

    Args:
        message: what is wrong with them, with the values; whoever read the file puts its name before it.
        hint: what to do about it; not given where they are damaged, for then there is one remedy.
    """

    def __init__(self, message: str, *, hint: str = "copy it again from where it came") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def beginning(data: bytes) -> str:
    """Show what a file begins with, in quotes, with a dot for each byte that is no letter, digit or sign of ASCII."""
    return '"' + "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data) + '"'
