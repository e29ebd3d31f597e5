"""Two pieces of bytes as one: the length of the first (4 bytes, little-endian), the first, the rest.

What is cut short gives pieces that are too short; whoever reads them finds that.
"""

from __future__ import annotations

from typing import Final

_LENGTH_BYTES: Final = 4


def joined(first: bytes, rest: bytes) -> bytes:
    """Put two pieces together."""
    return len(first).to_bytes(_LENGTH_BYTES, "little") + first + rest


def parted(data: bytes) -> tuple[bytes, bytes]:
    """Take apart what `joined` put together."""
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    return data[_LENGTH_BYTES:start], data[start:]
