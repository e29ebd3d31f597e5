"""What a camera did, for people: its state, and a count of what became of every picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.errors import BadData
from edge_agent.records import Frame
from edge_agent.sources.camera.capture import Settings, Shot
from edge_agent.sources.camera.sieve import Refusal


class CameraState(StrEnum):
    """What a camera is doing."""

    CLOSED = "closed"
    OPENING = "opening"
    DELIVERING = "delivering"
    LOST = "lost"  #: nothing usable comes; it is tried again and again
    FAILED = "failed"  #: it is not opened: a person must change something, or too many threads hang


@dataclass(frozen=True)
class CameraStats:
    """What a camera did since it was made; `read == delivered + refused + dropped`, at any moment.

    Attributes:
        name: of the camera.
        device: as it is configured, without a password.
        state: what it is doing.
        reason: why it is lost or has failed; "" when it is not.
        read: pictures that came.
        delivered: of these, handed on.
        refused: stale, of another size, or damaged.
        dropped: came from a thread that was left behind, or while closing.
        stale: refused because they were taken before, or are the same again.
        resized: refused because of their size.
        damaged: refused because they could not be decoded.
        opened: how often it was opened.
        lost: how often it was lost.
        abandoned: threads that were left behind because they hung.
        hanging: threads that do not read any more and have not ended.
        size_px: width and height of the last picture [px]; None before the first.
        interval_s: time between two pictures [s]; 0 where it is not known.
        dated_by_driver: the driver's times are used; None before the first picture.
        settings: as they were read back; None before it was opened.
    """

    name: str
    device: str
    state: CameraState
    reason: str
    read: int
    delivered: int
    refused: int
    dropped: int
    stale: int
    resized: int
    damaged: int
    opened: int
    lost: int
    abandoned: int
    hanging: int
    size_px: tuple[int, int] | None
    interval_s: float
    dated_by_driver: bool | None
    settings: Settings | None


@dataclass
class Pictures:
    """Counts every picture by what became of it."""

    read: int = 0
    delivered: int = 0
    dropped: int = 0
    stale: int = 0
    resized: int = 0
    damaged: int = 0

    @property
    def refused(self) -> int:
        """Those that were not good enough to be handed on."""
        return self.stale + self.resized + self.damaged

    def count(self, got: Shot | BadData | None, made: Frame | Refusal | None, *, is_current: bool) -> None:
        """Count what a reader got.

        Args:
            got: a picture, one that is damaged, or none.
            made: the frame, or why there is none; None where it was not looked at.
            is_current: whether the reader still reads for the camera.
        """
        self.read += got is not None
        self.dropped += got is not None and not is_current
        if is_current:
            self.delivered += isinstance(made, Frame)
            self.stale += made is Refusal.STALE
            self.resized += made is Refusal.SIZE
            self.damaged += isinstance(got, BadData)
