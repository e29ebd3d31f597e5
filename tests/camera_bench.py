"""A camera on a clock that is moved by hand, while its threads are real: a heal that takes seconds takes none here."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from edge_agent.config import ImageHealthConfig
from edge_agent.config.camera import CameraConfig
from edge_agent.records import Frame
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.camera import Camera, CameraState
from edge_agent.sources.imagehealth import ImageHealth
from edge_agent.testing.camera import FakeCamera
from edge_agent.testing.clock import ManualClock

HEALED_S = 5.0
REAL = SystemClock()
DEVICE = "/dev/v4l/by-id/usb-camera"


class Bench:
    """A camera on a clock that is moved by hand, with all that it delivered and told."""

    def __init__(self, fake: FakeCamera, kind: type[Camera] = Camera, **keys: object) -> None:
        self.fake = fake
        self.clock = ManualClock(100.0)
        self.frames: list[Frame] = []
        self.told: list[tuple[str, str]] = []
        config = CameraConfig(**{"device": DEVICE, **keys})
        health = ImageHealth(ImageHealthConfig())
        self.camera = kind(config, self.clock, health, self.frames.append, self.tell, fake.open)

    def tell(self, severity: str, kind: str, message: str, data: dict[str, object]) -> None:
        assert message and data["camera"] == "main"
        self.told.append((severity, kind))

    @property
    def kinds(self) -> list[str]:
        return [kind for _, kind in self.told]

    def move(self, until: Callable[[], bool], most_s: float = HEALED_S) -> float:
        """Move the clock in small steps until something holds; give how long that took [s] of its time."""
        began_s = self.clock.now()
        while not until():
            assert self.clock.now() - began_s < most_s, f"not within {most_s} s: {self.camera.stats()}"
            self.clock.advance(0.05)
            self.camera.step(self.clock.now())
            self.settle()
        return self.clock.now() - began_s

    def settle(self) -> None:
        """Let the camera's thread do something, unless it hangs or there is none."""
        calls, give_up_s = self.fake.calls, REAL.now() + 1.0
        while self.camera._reader and self.fake.calls <= calls + 1 and REAL.now() < give_up_s:
            if self.fake.hanging > len(self.camera._left_behind):
                break
            threading.Event().wait(0.001)

    def delivers(self) -> bool:
        return self.camera.stats().state is CameraState.DELIVERING

    def hangs(self) -> bool:
        return self.fake.hanging > 0


@contextlib.contextmanager
def opened(fake: FakeCamera | None = None, kind: type[Camera] = Camera, **keys: object) -> Iterator[Bench]:
    bench = Bench(fake or FakeCamera(), kind, **keys)
    bench.camera.open()
    try:
        yield bench
    finally:
        bench.camera.close()
        bench.fake.release()
        assert joined(bench.camera)


def wait_for(holds: Callable[[], bool]) -> None:
    """Wait for what threads do in their own time."""
    give_up_s = REAL.now() + 60.0
    while not holds():
        assert REAL.now() < give_up_s
        threading.Event().wait(0.002)


def joined(camera: Camera) -> bool:
    """The clock stands still, so the wait is done here."""
    with contextlib.suppress(AssertionError):
        wait_for(lambda: camera.join(0.0))
    return camera.join(0.0)
