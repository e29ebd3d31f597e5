"""One camera, whatever becomes of it: delivers its frames, leaves a thread that hangs behind, and opens it again.

Joins the thread (`reader`) to the two pure halves (`sieve`: what becomes of a picture, `recovery`: when to do what). It
knows nothing of triggers or pairs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from edge_agent.config.camera import PLAIN_NAME, CameraConfig, DeviceKind
from edge_agent.errors import BadData, ConfigError, EdgeAgentError, Unavailable
from edge_agent.records import Frame, Shutter
from edge_agent.runtime.clock import Clock
from edge_agent.sources.camera.account import CameraState, CameraStats, Pictures
from edge_agent.sources.camera.capture import OpenCapture, Settings, Shot
from edge_agent.sources.camera.door import open_capture
from edge_agent.sources.camera.reader import Reader
from edge_agent.sources.camera.recovery import QUIET_S, Recovery
from edge_agent.sources.camera.sieve import Refusal, Sieve, Stamp, cut
from edge_agent.sources.imagehealth import ImageHealth

MAX_LEFT_BEHIND: Final = 2
"""Threads that hang in a driver, at most: each of them holds memory, and may hold the device."""

LOOK_S: Final = 0.1
"""How often its thread is looked at [s]."""

Tell = Callable[[str, str, str, dict[str, object]], None]
"""Tells people of something: severity, kind, message, data."""


class Camera:
    """A component that keeps one camera delivering, from `open` to `close`; `step` must be called while it is open.

    `open`, `step`, `check`, `close` and `join` belong to one thread; `stats` is safe from any. `deliver` and `tell` are
    called on the camera's thread and in `step`, with its lock held: they must not block nor ask the camera anything.

    Args:
        config: the camera.
        clock: tells the time.
        health: looks at every picture; of this camera alone.
        deliver: takes each frame.
        tell: hears what a person may want to know.
        open_: opens the device.
    """

    def __init__(
        self,
        config: CameraConfig,
        clock: Clock,
        health: ImageHealth,
        deliver: Callable[[Frame], object],
        tell: Tell,
        open_: OpenCapture = open_capture,
    ) -> None:
        self.name = f"camera {config.name}"
        self._config = config
        self._clock = clock
        self._health = health
        self._deliver = deliver
        self._tell = tell
        self._open = open_
        self._looking = threading.Lock()  # sieve and health see one picture at a time
        self._lock = threading.RLock()
        self._sieve = Sieve(config)
        self._recovery = Recovery(config)
        self._state = CameraState.CLOSED
        self._reason = ""
        self._failure: Exception | None = None
        self._reader: Reader | None = None
        self._left_behind: list[Reader] = []
        self._settings: Settings | None = None
        self._size: tuple[int, int] | None = None
        self._size_told_s = -math.inf
        self._opened = self._abandoned = 0
        self._pictures = Pictures()

    def open(self) -> None:
        """Begin to deliver; the device is opened on the camera's own thread, again and again while it is away."""
        self.close()
        with self._lock:
            self._failure = None
            self._state = CameraState.OPENING
            if PLAIN_NAME.fullmatch(self._config.device):
                said = f"{self._config.device} may be another camera after a restart"
                self._note("warning", "camera_path", f"{said}: edge-agent camera list gives its lasting name")
            self._start()

    def step(self, now: float) -> float:
        """Look at the camera's thread: leave one that hangs behind, start one when it is time; give the next wake."""
        with self._lock:
            if self._state is CameraState.CLOSED or self._failure is not None:
                return math.inf
            self._tell_loss(now)
            if self._reader is None:
                if now >= self._recovery.reopen_s:
                    self._start()
            elif self._recovery.hangs(*self._reader.doing, now):
                self._abandon(self._reader, now)
            return now + LOOK_S

    def check(self) -> None:
        """Raise why the camera has failed, if it has: what only a person can mend, a bug, or too many hung threads."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            if self._state is CameraState.FAILED:
                raise self._stuck()

    def stats(self) -> CameraStats:
        """Say what it did. Safe from any thread."""
        with self._lock:
            pictures = self._pictures
            return CameraStats(
                self._config.name,
                self._config.shown_device,
                self._state,
                self._reason,
                pictures.read,
                pictures.delivered,
                pictures.refused,
                pictures.dropped,
                pictures.stale,
                pictures.resized,
                pictures.damaged,
                self._opened,
                self._recovery.outages,
                self._abandoned,
                self._hanging(),
                self._size,
                self._sieve.interval_s,
                self._sieve.dated_by_driver,
                self._settings,
            )

    def close(self) -> None:
        """Deliver nothing from now on and have the device closed; waits for nothing."""
        with self._lock:
            self._state, self._reason = CameraState.CLOSED, ""
            if self._reader is not None:
                self._reader.stop()
                self._left_behind.append(self._reader)
                self._reader = None

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for its threads to end; say whether they have."""
        return not [reader for reader in list(self._left_behind) if not reader.join(until)]

    def opened(self, reader: Reader, settings: Settings) -> None:
        """Hear from the reader that the device is open."""
        now = self._clock.now()
        with self._looking, self._lock:
            if reader is not self._reader:
                return
            self._sieve.begin(settings)
            self._recovery.opened(now)
            self._opened += 1
            self._tell_settings(settings)
            if self._config.trigger == "hardware":
                self._feed(now)  # silence says nothing; that it could be opened does

    def seen(self, reader: Reader, got: Shot | BadData | None, now: float) -> bool:
        """Hear from the reader what came; say whether it is to go on."""
        with self._looking:
            made = self._looked_at(got, now) if isinstance(got, Shot) and self._is_current(reader) else None
            with self._lock:
                is_current = reader is self._reader
                self._pictures.count(got, made, is_current=is_current)
                return is_current and self._goes_on(made, now)

    def ended(self, reader: Reader, error: Exception | None) -> None:
        """Hear from the reader that it has closed the device."""
        with self._lock:
            if reader is not self._reader:
                return
            self._reader = None
            now = self._clock.now()
            passes = isinstance(error, Unavailable | BadData) or (isinstance(error, ConfigError) and self._opened > 0)
            if error is not None and not passes:  # what was a camera once is waited for, whatever has its name now
                self._failure, self._state, self._reason = error, CameraState.FAILED, str(error)
                return
            if isinstance(error, EdgeAgentError):
                self._lose(f"{error.message} ({error.hint})" if error.hint else error.message, now)
            self._recovery.put_off(now)

    def _start(self) -> None:
        now, config = self._clock.now(), self._config
        if self._hanging() >= MAX_LEFT_BEHIND:
            self._recovery.put_off(now)
            if self._state is not CameraState.FAILED:
                self._state = CameraState.FAILED
                error = self._stuck()
                self._note("error", "camera_failed", f"{error.message}; {error.hint}")
            return
        if self._state is CameraState.FAILED:
            self._state = CameraState.LOST
        reader = Reader(config.name, lambda: self._open(config, self._clock), self, self._clock)
        reader.start()
        self._reader = reader

    def _abandon(self, reader: Reader, now: float) -> None:
        doing, since_s = reader.doing
        self._reader = None
        reader.stop()
        self._left_behind.append(reader)
        self._abandoned += 1
        self._lose(f"{self._config.shown_device} hangs while {doing}, for {now - since_s:.1f} s", now)
        self._recovery.put_off(now)

    def _goes_on(self, made: Frame | Refusal | None, now: float) -> bool:
        """Hand on what a picture was made into; say whether its reader is to go on."""
        if isinstance(made, Frame):
            self._feed(now)
            self._deliver(made)
        elif made is Refusal.SIZE:
            self._recovery.lives(now)
            self._lose(f"{self._config.shown_device} gives {_size(self._size)} pixels, not what is configured", now)
        if not self._recovery.starves(now):
            return True
        what = "the same old picture" if made is Refusal.STALE else "nothing that can be used"
        self._lose(f"{self._config.shown_device} gave {what} for {self._config.stall_ms / 1e3:g} s", now)
        return False

    def _lose(self, reason: str, now: float) -> None:
        self._state, self._reason = CameraState.LOST, reason
        self._recovery.lost(now)
        self._tell_loss(now)

    def _tell_loss(self, now: float) -> None:
        if self._recovery.is_to_tell(now):
            self._note("warning", "camera_lost", f"{self._reason}; it is tried again and again")

    def _feed(self, now: float) -> None:
        lost_s = self._recovery.fed(now)
        self._state, self._reason = CameraState.DELIVERING, ""
        if lost_s is not None:
            self._note("info", "camera_back", f"{self.name} is back after {lost_s:.1f} s", lost_s=round(lost_s, 3))

    def _looked_at(self, shot: Shot, now: float) -> Frame | Refusal:
        stamp = self._sieve.judge(shot, now)
        self._tell_size((shot.image.shape[1], shot.image.shape[0]), now)
        if not isinstance(stamp, Stamp):
            return stamp
        image, config = cut(shot.image, self._config.roi), self._config
        shutter = Shutter(config.trigger == "free", self._sieve.interval_s, config.delay_ms / 1e3)
        faults = self._health.check(image)
        return Frame(image, stamp.time_s, stamp.uncertainty_s, faults, config.name, shutter)

    def _tell_size(self, size: tuple[int, int], now: float) -> None:
        before, self._size = self._size, size
        if before in (None, size) or now - self._size_told_s < QUIET_S or self._config.kind is DeviceKind.FOLDER:
            return
        self._size_told_s = now
        said = f"{self.name} gives {_size(size)} pixels instead of {_size(before)}"
        with self._lock:
            self._note("warning", "camera_resolution", said, before=before, after=size)

    def _tell_settings(self, settings: Settings) -> None:
        asked = Settings.asked(self._config)
        ignored = asked.ignored(settings)
        if settings == self._settings:
            return
        self._settings = settings
        said = f"does otherwise than asked: {', '.join(ignored)}" if ignored else "does what it was asked to do"
        severity = "warning" if ignored else "info"
        both = {"asked": asdict(asked), "read_back": asdict(settings)}
        self._note(severity, "camera_settings", f"{self.name} {said}", **both)

    def _stuck(self) -> Unavailable:
        return Unavailable(
            f"{self._hanging()} threads hang in the driver of {self._config.shown_device}",
            hint="unplug the camera; if that does not help, restart the station",
        )

    def _hanging(self) -> int:
        self._left_behind = [reader for reader in self._left_behind if not reader.join(-math.inf)]
        return len(self._left_behind)

    def _is_current(self, reader: Reader) -> bool:
        with self._lock:
            return reader is self._reader

    def _note(self, severity: str, kind: str, message: str, **data: object) -> None:
        named = {"camera": self._config.name, "device": self._config.shown_device}
        self._tell(severity, kind, message, {**named, **data})


def _size(size: tuple[int, int] | None) -> str:
    return "no" if size is None else f"{size[0]} x {size[1]}"
