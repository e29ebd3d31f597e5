"""What a simulated microcontroller has to say and the wire has not taken: bounded, small messages have their own room.

Pure. A message that finds no room is gone; the sequence number that it was given tells the other end.
"""

from __future__ import annotations

from collections import deque
from typing import Final

BLOCK_BYTES: Final = 8192
"""For blocks: five of the longest."""
SMALL_BYTES: Final = 1024
"""For everything else."""


class Outbox:
    """Messages on their way to the wire, in order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._block_bytes = self._small_bytes = self._samples = 0
        self.high = 0  #: most samples that ever waited

    def has_room(self, samples: int) -> bool:
        """Say whether a block of so many samples fits."""
        return self._block_bytes + 8 * samples + 64 <= BLOCK_BYTES

    def put(self, data: bytes, samples: int = 0) -> None:
        """Take the bytes of a message, with the samples in it; without room they are gone."""
        if not samples and self._small_bytes + len(data) > SMALL_BYTES:
            return
        self._waiting.append((data, samples))
        self._count(len(data), samples)
        self.high = max(self.high, self._samples)

    def take(self, room: int | None) -> bytes:
        """Give the next bytes, once; at most `room` of them."""
        output = bytearray()
        while self._waiting and (room is None or len(output) < room):
            data, samples = self._waiting.popleft()
            taken = data if room is None else data[: room - len(output)]
            output += taken
            self._count(-len(data), -samples)
            if len(taken) < len(data):
                self._waiting.appendleft((data[len(taken) :], samples))
                self._count(len(data) - len(taken), samples)
        return bytes(output)

    def _count(self, n: int, samples: int) -> None:
        self._samples += samples
        if samples:
            self._block_bytes += n
        else:
            self._small_bytes += n
