"""The thread that opens one camera, reads it until told otherwise and closes it; it may hang in any of these.

It decides nothing: whoever owns it hears of every picture, and can look at what it is in and leave it behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from edge_agent.errors import BadData
from edge_agent.runtime.clock import Clock
from edge_agent.sources.camera.capture import Capture, Settings, Shot
from edge_agent.sources.camera.recovery import Doing


class Owner(Protocol):
    """Whoever a reader reads for. Called on the reader's thread."""

    def opened(self, reader: Reader, settings: Settings) -> None:
        """Hear that the camera is open."""

    def seen(self, reader: Reader, got: Shot | BadData | None, now: float) -> bool:
        """Take a picture, one that is damaged, or none; say whether to go on."""

    def ended(self, reader: Reader, error: Exception | None) -> None:
        """Hear that the camera is closed, and why where it was not asked for."""


class Reader:
    """One thread with one open camera. It is no daemon: who leaves one behind ends the process by `os._exit`.

    Attributes:
        doing: what the thread is in, and since when [s, host monotonic].

    Args:
        name: of the camera.
        open_: opens it.
        owner: hears of what comes.
        clock: tells the time.
    """

    def __init__(self, name: str, open_: Callable[[], Capture], owner: Owner, clock: Clock) -> None:
        self._open = open_
        self._owner = owner
        self._clock = clock
        self._stopping = False
        self.doing = (Doing.OPENING, clock.now())
        self._thread = threading.Thread(target=self._run, name=f"camera {name}")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Have the camera closed after the read that it is in."""
        self._stopping = True

    def join(self, until: float) -> bool:
        """Wait for the thread to end, at most until `until` [s, host monotonic]; say whether it has."""
        self._thread.join(max(0.0, until - self._clock.now()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        error: Exception | None = None
        try:
            self._read_until_told()
        except Exception as raised:  # the thread's boundary: the owner decides what it means
            error = raised
        self._begin(Doing.ENDED)
        self._owner.ended(self, error)

    def _read_until_told(self) -> None:
        capture = self._open()
        try:
            self._owner.opened(self, capture.settings())
            while not self._stopping:
                self._begin(Doing.READING)
                if not self._owner.seen(self, _next(capture), self._clock.now()):
                    break
        finally:
            self._begin(Doing.CLOSING)
            capture.close()

    def _begin(self, doing: Doing) -> None:
        self.doing = (doing, self._clock.now())


def _next(capture: Capture) -> Shot | BadData | None:
    try:
        return capture.read()
    except BadData as damaged:
        return damaged
