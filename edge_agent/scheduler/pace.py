"""What jobs of one bundle take on one lane: values that are told durations, by the way in which a job was done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edge_agent.scheduler.latency import Recent

UNUSED: Final = 64
"""Runs of other sizes, after which it is forgotten what batches of one took."""


@dataclass(eq=False)
class Pace:
    """The newest durations of one bundle's jobs.

    Attributes:
        before_s: what one in a hundred exceeded before this start [s]; 0 where nobody knows, or one was run since.
        durations: of jobs with a deadline.
        hurried: of those done in the cheaper way.
        pieces: of background jobs.
        batches: of jobs with a deadline that were done together, by how many.
        runs: how often jobs with a deadline were run, together or alone.
        used: number of the newest run of each size.
        last: number of the lane's last task with a deadline that was of this bundle; 0 where none was.
    """

    before_s: float = 0.0
    durations: Recent = field(default_factory=Recent)
    hurried: Recent = field(default_factory=Recent)
    pieces: Recent = field(default_factory=Recent)
    batches: defaultdict[int, Recent] = field(default_factory=lambda: defaultdict(Recent))
    runs: int = 0
    used: dict[int, int] = field(default_factory=dict)
    last: int = 0

    def ran(self, pieces: int) -> None:
        """Hear that so many jobs were done together, or one alone; what was slow once is tried again after a while."""
        if pieces == 1:
            self.before_s = 0.0
        self.runs += 1
        self.used[pieces] = self.runs
        for size in [size for size in self.batches if self.runs - self.used.get(size, 0) >= UNUSED]:
            del self.batches[size]

    def takes_s(self, measured_s: Mapping[int, float]) -> dict[int, float]:
        """Give what one in a hundred batches exceeds, by how many are done together; one job alone is among them.

        Args:
            measured_s: the sizes that may be used, with what was measured [s].

        Returns:
            What was measured or what was lived, whichever is more [s].
        """
        lived_s = {size: max(s, self.batches[size].p99_s) for size, s in measured_s.items()}
        return {1: self.durations.p99_s} | lived_s

    def proven(self, proof_s: float, *, anew: bool) -> None:
        """Hear what one piece took when the lane was proven; until a job was run, one is taken to last as long.

        Args:
            proof_s: how long [s].
            anew: whether what jobs took until now counts no longer.
        """
        if anew:
            self.before_s = 0.0
            self.durations.forget_all()
            self.batches.clear()
        if not len(self.durations):
            self.durations.add(proof_s)

    def doubt(self) -> None:
        """Believe no longer what jobs took."""
        self.hurried.forget_all()
        self.durations.forget_all()
