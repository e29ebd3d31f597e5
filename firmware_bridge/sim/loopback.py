"""Two ports that are each other's other end, in memory: what a pty does, without a device."""

from __future__ import annotations

import threading
from typing import Final

from firmware_bridge.errors import PortLost

ROOM_BYTES: Final = 4096
"""What fits between the two ends in each direction, as in the buffer of a terminal [bytes]."""


class LoopbackPort:
    """One end; `loopback` gives both. Keeps the contract of `port.Port`."""

    def __init__(self, changed: threading.Condition) -> None:
        self._changed = changed
        self.arrived = bytearray()  #: bytes on their way to this end
        self._awake = False
        self.gone = False  #: both ends have disappeared
        self.other: LoopbackPort = self  #: the other end

    def wait(self, timeout_s: float, to_write: bool) -> None:
        """Return when bytes have come, `wake` was called, bytes can be written, or time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_due(to_write), max(0.0, timeout_s))
            self._awake = False

    def read(self) -> bytes:
        """Take what has come."""
        with self._changed:
            if self.gone:
                raise PortLost("loopback: the device is gone")
            data = bytes(self.arrived)
            self.arrived.clear()
            self._changed.notify_all()
            return data

    def write(self, data: bytes) -> int:
        """Write what fits."""
        with self._changed:
            if self.gone:
                raise PortLost("loopback: the device is gone")
            n = min(len(data), ROOM_BYTES - len(self.other.arrived))
            self.other.arrived += data[:n]
            self._changed.notify_all()
            return n

    def wake(self) -> None:
        """End a `wait`."""
        with self._changed:
            self._awake = True
            self._changed.notify_all()

    def close(self) -> None:
        """Make both ends disappear."""
        with self._changed:
            self.gone = self.other.gone = True
            self._changed.notify_all()

    def _is_due(self, to_write: bool) -> bool:
        room = len(self.other.arrived) < ROOM_BYTES
        return self._awake or self.gone or bool(self.arrived) or (to_write and room)


def loopback() -> tuple[LoopbackPort, LoopbackPort]:
    """Give both ends of a new wire."""
    changed = threading.Condition()
    one, two = LoopbackPort(changed), LoopbackPort(changed)
    one.other, two.other = two, one
    return one, two
