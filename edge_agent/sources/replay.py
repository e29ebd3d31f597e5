"""A recording as the parts of a feed: reads each part's files just before they are due.

A file that is missing or damaged costs its part that modality, never the run; it is counted and told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from edge_agent.config import ReplayConfig
from edge_agent.errors import BadData
from edge_agent.records import Event
from edge_agent.runtime.clock import Clock
from edge_agent.sources.files import read_picture, read_vibration
from edge_agent.sources.recording import Row, read_index
from edge_agent.sources.schedule import Material

T = TypeVar("T")


class Replay:
    """The supply of parts from a folder in the format of `recording`.

    Args:
        config: the folder and the pace.
        clock: dates the events.
        on_event: hears of each unusable file, on the feed's thread; must not block.
    """

    name = "replay"
    counts_anew = True

    def __init__(self, config: ReplayConfig, clock: Clock, on_event: Callable[[Event], None]) -> None:
        self._config = config
        self._folder = Path(config.folder)
        self._clock = clock
        self._on_event = on_event
        self._parts: Iterator[Material] = iter(())
        self.unusable = 0

    def open(self, first: int) -> None:
        """Read the index and go to its first part.

        Args:
            first: number of the first part; plays no role.

        Raises:
            ConfigError: the index is missing or has errors.
        """
        self._parts = self._materials(read_index(self._folder))

    def take(self) -> Material | None:
        """Give the next part; None after the last row."""
        return next(self._parts, None)

    def _materials(self, rows: list[Row]) -> Iterator[Material]:
        for i, row in enumerate(rows):
            image = self._read(row, row.picture, read_picture)
            samples, rate_hz = self._read(row, row.vibration, read_vibration) or (None, 0.0)
            due_s = self._due_s(i, row.time_s - rows[0].time_s)
            yield Material(due_s, image, row.frame_offset_s, samples, rate_hz, row.truth)

    def _due_s(self, i: int, recorded_s: float) -> float | None:
        match self._config.pace:
            case "recorded":
                return recorded_s
            case "fixed":
                return i / self._config.parts_per_s
            case "unpaced":
                return None

    def _read(self, row: Row, name: str, read: Callable[[Path], T]) -> T | None:
        if not name:
            return None
        path = self._folder / name
        try:
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise BadData(f"{path}: leads out of the recording", hint="copy the file into the folder")
            return read(path)
        except BadData as error:
            self.unusable += 1
            message = f"line {row.line} of the index: {error.message}; {error.hint}"
            data: dict[str, object] = {"line": row.line, "file": name}
            self._on_event(Event(self._clock.utc(), "warning", self.name, "unusable_recording", message, data))
            return None
