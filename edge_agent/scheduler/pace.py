"""What jobs take on one lane, by bundle and by the way in which they were done: values that are told durations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from edge_agent.scheduler.latency import WINDOW, Recent

BUNDLES: Final = 64
"""Kinds of jobs whose pace is remembered; what nobody asked about for longest is forgotten for one more."""

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
        used: number of the newest run of each size of batch.
        last: number of the lane's last task with a deadline that was of this bundle; 0 where none was.
        goes_on: they go on from where an early one ended, so that no proof says what they take.
    """

    before_s: float = 0.0
    durations: Recent = field(default_factory=Recent)
    hurried: Recent = field(default_factory=Recent)
    pieces: Recent = field(default_factory=Recent)
    batches: defaultdict[int, Recent] = field(default_factory=lambda: defaultdict(Recent))
    runs: int = 0
    used: dict[int, int] = field(default_factory=dict)
    last: int = 0
    goes_on: bool = False

    def ran(self, pieces: int, took_s: float) -> None:
        """Hear what so many jobs took that were done together, or one alone; what was slow once is tried again later.

        Args:
            pieces: how many.
            took_s: what they took [s].
        """
        self.runs += 1
        if pieces == 1:
            self.before_s = 0.0
            self.durations.add(took_s)
        else:
            self.batches[pieces].add(took_s)
            self.used[pieces] = self.runs
        if self.batches:
            for size in [size for size in self.batches if self.runs - self.used[size] >= UNUSED]:
                del self.batches[size]

    def takes_s(self, measured_s: Mapping[int, float]) -> dict[int, float]:
        """Give what one in a hundred batches exceeds, by how many are done together; one job alone is among them.

        Args:
            measured_s: the sizes that may be used, with what was measured [s].

        Returns:
            What was measured or what was lived, whichever is more [s].
        """
        lived_s = {size: recent.p99_s for size, recent in self.batches.items()}
        return {1: self.durations.p99_s} | {size: max(s, lived_s.get(size, 0.0)) for size, s in measured_s.items()}

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
        if not len(self.durations) and not self.goes_on:
            self.durations.add(proof_s)

    def doubt(self) -> None:
        """Believe no longer what jobs took."""
        self.hurried.forget_all()
        self.durations.forget_all()


class Paces:
    """The pace of each bundle on one lane.

    Args:
        before_s: by bundle, what one job in a hundred exceeded before this start [s].
    """

    def __init__(self, before_s: Mapping[str, float]) -> None:
        self._before_s = before_s
        self._paces: dict[str, Pace] = {}
        self._proof_s = 0.0  # what a piece of the newest proof took
        self._urgent = 0  # tasks with a deadline that were done

    @property
    def p99_s(self) -> float:
        """What one in a hundred of the newest jobs with a deadline exceeds, of the bundle that takes longest [s]."""
        return max((pace.durations.p99_s for pace in self._newest()), default=self._proof_s)

    @property
    def p50_s(self) -> float:
        """The same, the median [s]."""
        return max((pace.durations.p50_s for pace in self._newest()), default=self._proof_s)

    def of(self, bundle: str) -> Pace:
        """Give what jobs of a bundle take; until one was run, as much as a piece of the proof."""
        if bundle in self._paces:
            pace = self._paces[bundle] = self._paces.pop(bundle)  # what is asked for is forgotten last
        else:
            if len(self._paces) >= BUNDLES:
                del self._paces[next(iter(self._paces))]
            pace = self._paces[bundle] = Pace(self._before_s.get(bundle, 0.0))
            if self._proof_s:
                pace.proven(self._proof_s, anew=False)
        return pace

    def after(self, kind: str) -> Pace:
        """Give what jobs take that go on from where an early one ends; until one was run, nobody knows."""
        pace = self.of(kind)
        if not pace.goes_on:
            pace.goes_on = True
            pace.durations.forget_all()
        return pace

    def begun(self) -> None:
        """Hear that the lane is loaded anew: it has been proven by nothing yet."""
        self._proof_s = 0.0

    def proven(self, proof_s: float, *, anew: bool) -> None:
        """Hear what one piece took when the lane was proven.

        Args:
            proof_s: how long [s].
            anew: whether what jobs took until now counts no longer.
        """
        self._proof_s = proof_s
        for pace in self._paces.values():
            pace.proven(proof_s, anew=anew)

    def ran(self, bundle: str, pieces: int, took_s: float) -> None:
        """Hear what so many jobs with a deadline took that were done together, or one alone [s]."""
        self._done(bundle).ran(pieces, took_s)

    def hurried(self, bundle: str, took_s: float) -> None:
        """Hear what a job took that was done in the cheaper way [s]; what was slow once is tried again some day."""
        pace = self._done(bundle)
        pace.hurried.add(took_s)
        pace.durations.forget_oldest()

    def _done(self, bundle: str) -> Pace:
        pace = self.of(bundle)
        self._urgent = pace.last = self._urgent + 1
        return pace

    def _newest(self) -> Iterator[Pace]:
        """Give the paces of the newest jobs with a deadline; what else runs a bundle says nothing of those."""
        return (p for p in self._paces.values() if p.last and self._urgent - p.last < WINDOW)
