"""What an evaluation of good parts begins with: a folder looked at in detail, and what its figures hold for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from rich.progress import Progress

from edge_agent.evaluate.conditions import Conditions, conditions
from edge_agent.evaluate.goodtokens import Folder, read_folder
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.runtime.clock import Clock, SystemClock


@dataclass(frozen=True, eq=False)
class Begun:
    """What an evaluation of good parts begins with.

    Attributes:
        options: what a person chose.
        folder: all that is there to ask about.
        clock: tells the time.
        started_s: when it began [s].
    """

    options: EvaluateOptions
    folder: Folder
    clock: Clock
    started_s: float

    @classmethod
    def of(cls, options: EvaluateOptions, progress: Progress) -> Self:
        """Look at every picture of the folder; raises what `read_folder` does."""
        clock = SystemClock()
        started_s = clock.now()
        return cls(options, read_folder(options, progress), clock, started_s)

    @property
    def names(self) -> dict[str, list[str]]:
        """The usable pictures by class."""
        return {slug: list(pictures) for slug, pictures in self.folder.pictures.items()}

    @property
    def good(self) -> list[str]:
        """Names of the usable pictures of good parts."""
        return list(self.folder.pictures.get(self.folder.bundle.normal, {}))

    def conditions(self, shots: int, tested: int) -> Conditions:
        """Say at the end what the figures hold for, where so many examples of each class were taught."""
        seconds = self.clock.now() - self.started_s
        folder, options = self.folder, replace(self.options, shots=shots)
        return conditions(options, folder.bundle, self.names, folder.left_out, tested, seconds)
