"""What ends a wait on a socket from another thread."""

from __future__ import annotations

import contextlib
import socket
import threading


class Bell:
    """Rings until it is heard. `ring` is safe from any thread, whether the bell is open or not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: tuple[socket.socket, socket.socket] | None = None
        self._rung = False

    def open(self) -> None:
        """Make the sockets; safe when they are there."""
        with self._lock:
            if self._ends is None:
                self._ends = socket.socketpair()
                for end in self._ends:
                    end.setblocking(False)
                if self._rung:
                    self._ends[1].send(b"\0")

    def fileno(self) -> int:
        """Give what becomes readable when it rings; it must be open."""
        if self._ends is None:
            raise RuntimeError("the bell is not open")
        return self._ends[0].fileno()

    def ring(self) -> None:
        """Ring; once is enough."""
        with self._lock:
            if not self._rung and self._ends is not None:
                self._ends[1].send(b"\0")
            self._rung = True

    def heard(self) -> bool:
        """Say whether it has rung since it was asked last."""
        with self._lock:
            if self._ends is not None:
                with contextlib.suppress(BlockingIOError):
                    self._ends[0].recv(16)
            rung, self._rung = self._rung, False
            return rung

    def close(self) -> None:
        """Close the sockets; safe twice."""
        with self._lock:
            if self._ends is not None:
                for end in self._ends:
                    end.close()
                self._ends = None
