"""A camera without hardware: it can be unplugged, hang, and lie, when a test says so."""

from __future__ import annotations

import threading

import numpy as np

from edge_agent.config.camera import CameraConfig
from edge_agent.errors import BadData, Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.sources.camera.capture import Settings, Shot

PERIOD_S = 0.002
"""Time between two pictures [s], of the real clock whatever clock is given."""


class FakeCamera:
    """A camera that a test holds in its hand; `open` is an `OpenCapture`.

    Attributes:
        plugged: whether it is there; otherwise reading and opening fail.
        lies: once unplugged, reading goes on to succeed with the last picture.
        hangs_in: calls that do not return until `release`: `open`, `read`, `close`.
        size: width and height of its pictures [px].
        silent: no picture comes, and nothing is wrong.
        damaged: its next picture cannot be decoded.
        dated: its driver tells when a picture was taken.
        calls: how often it was opened, read and closed.
        hanging: calls that hang now.
    """

    def __init__(self) -> None:
        self.plugged = True
        self.lies = self.silent = self.damaged = False
        self.dated = True
        self.hangs_in: set[str] = set()
        self.size = (64, 48)
        self.calls = self.hanging = 0
        self._released = threading.Event()
        self._noise = np.random.default_rng(0)
        self.last: Shot | None = None

    def open(self, config: CameraConfig, clock: Clock) -> FakeCapture:
        """Open it; raises `Unavailable` while it is not plugged in."""
        self.enter("open")
        if not self.plugged:
            raise Unavailable(f"{config.device} is not there", hint="plug it in")
        return FakeCapture(self, clock)

    def release(self) -> None:
        """Let everything return that hangs, and nothing hang any more."""
        self.hangs_in = set()
        self._released.set()

    def enter(self, call: str) -> None:
        """Count a call, and hang in it where that was asked for."""
        self.calls += 1
        if call in self.hangs_in:
            self.hanging += 1
            self._released.wait()
            self.hanging -= 1

    def shoot(self, clock: Clock) -> Shot:
        """Take a picture: noise, so that no two are alike."""
        if not (self.lies and not self.plugged and self.last is not None):
            width, height = self.size
            image = self._noise.integers(0, 255, (height, width, 3), np.uint8)
            self.last = Shot(image, clock.now() if self.dated else None)
        return self.last


class FakeCapture:
    """The `Capture` of a fake camera.

    Args:
        camera: the camera.
        clock: dates its pictures.
    """

    def __init__(self, camera: FakeCamera, clock: Clock) -> None:
        self._camera = camera
        self._clock = clock
        self._pause = threading.Event()

    def settings(self) -> Settings:
        """Say what it does."""
        return Settings(*self._camera.size, fps=20.0)

    def read(self) -> Shot | None:
        """Wait a moment, then do what the camera was told to do."""
        self._pause.wait(PERIOD_S)
        self._camera.enter("read")
        if not self._camera.plugged and not self._camera.lies:
            raise Unavailable("it was unplugged", hint="plug it in again")
        if self._camera.silent:
            return None
        if self._camera.damaged:
            self._camera.damaged = False
            raise BadData("half a picture", hint="check the cable")
        return self._camera.shoot(self._clock)

    def close(self) -> None:
        """Hang where that was asked for; do nothing otherwise."""
        self._camera.enter("close")
