"""What jobs of one bundle take on one lane: values that are told durations, by the way in which a job was done."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.scheduler.latency import Recent


@dataclass(eq=False)
class Pace:
    """The newest durations of one bundle's jobs.

    Attributes:
        before_s: what one in a hundred exceeded before this start [s]; 0 where nobody knows, or one was run since.
        durations: of jobs with a deadline.
        hurried: of those done in the cheaper way.
        pieces: of background jobs.
    """

    before_s: float = 0.0
    durations: Recent = field(default_factory=Recent)
    hurried: Recent = field(default_factory=Recent)
    pieces: Recent = field(default_factory=Recent)

    def proven(self, proof_s: float, *, anew: bool) -> None:
        """Hear what one piece took when the lane was proven; until a job was run, one is taken to last as long.

        Args:
            proof_s: how long [s].
            anew: whether what jobs took until now counts no longer.
        """
        if anew:
            self.before_s = 0.0
            self.durations.forget_all()
        if not len(self.durations):
            self.durations.add(proof_s)

    def doubt(self) -> None:
        """Believe no longer what jobs took."""
        self.hurried.forget_all()
        self.durations.forget_all()
