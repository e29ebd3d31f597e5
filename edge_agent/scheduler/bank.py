"""Which lanes work: what has failed is not used until it was tried again beside the line, and something stands in.

It gives out no jobs. Every method belongs to the loop thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic

from edge_agent.runtime.clock import Clock
from edge_agent.runtime.worker import Worker
from edge_agent.scheduler.breaker import Breaker, DeviceBreaker, Happening
from edge_agent.scheduler.job import H, R, Ticket
from edge_agent.scheduler.lane import Answer, Hire, Kind, Lane, LaneState
from edge_agent.scheduler.way import Way

Noted = Callable[[str, str, str, dict[str, object]], None]
"""Hears what a person should know: severity, one word for it, a sentence, its values."""


STUCK: Final = 2
"""Threads of a lane that may hang at a time; it is not loaded again before one of them has ended."""

SAID: Final = 100
"""Reasons why a lane could not do a job that are told to people; a station has fewer bundles."""

STUCK_WAIT_S: Final = 30.0
"""How long that is waited for before it is looked at again [s]."""


@dataclass(frozen=True)
class LaneStatus:
    """One lane, for people; durations are of its newest jobs.

    Attributes:
        name: where the parts run.
        state: how far it is; "in use" for the one that judges.
        breakers: of the devices it needs: the state of each.
        reason: why one of them is not closed; "" where all are.
        failed_since_s: when the first of them that is not closed opened [s, host monotonic]; None where all are closed.
        busy_since_s: when its present task was given [s, host monotonic]; None without one.
        done: tasks that went well.
        failed: tasks that failed.
        p50_ms: median of a job [ms], of the bundle that takes longest.
        p99_ms: 99th percentile of the same [ms].
    """

    name: str
    state: str
    breakers: dict[str, str]
    reason: str
    failed_since_s: float | None
    busy_since_s: float | None
    done: int
    failed: int
    p50_ms: float
    p99_ms: float


class Bank(Generic[H, R]):
    """The lanes in the order in which they are used, and a breaker for each of their devices.

    A lane of several devices, or of one that another lane uses as well, has a breaker of its own beside theirs: for a
    failure that nobody can put down to a device, or that does not show on the other lane.

    Args:
        ways: how each lane comes to what it holds; no two of one name.
        clock: tells the time.
        answer: hears how each task of each lane went, on the lane's thread.
        warm: whether a lane that only stands in may be loaded before it is needed.
        noted: hears what a person should know.
        hire: makes the lanes' threads, as `Worker` does.
    """

    def __init__(
        self,
        ways: Sequence[Way[H]],
        clock: Clock,
        answer: Callable[[Answer[H, R]], object],
        warm: Callable[[Way[H]], bool],
        noted: Noted,
        hire: Hire = Worker,
    ) -> None:
        assert len({way.name for way in ways}) == len(ways), "lanes are told apart by their names"
        self.lanes = tuple(Lane[H, R](way, clock, answer, hire) for way in ways)
        self._needs = {lane.name: _needs(lane, self.lanes) for lane in self.lanes}
        self._breakers = {name: DeviceBreaker(name) for names in self._needs.values() for name in names}
        self._trials: dict[str, Lane[H, R]] = {}  # which lane tried a breaker last
        self._warm = warm
        self._noted = noted
        self._said: set[tuple[str, str]] = set()
        self._in_use = ""
        self._usable: list[Lane[H, R]] | None = None  # asked for many times between two changes
        self._well = False  # nothing is to be tried again

    def usable(self) -> list[Lane[H, R]]:
        """Give the lanes that are loaded and proven and none of whose devices has failed since."""
        return self._looked() if self._usable is None else self._usable

    def hopeful(self, tried: set[str]) -> bool:
        """Say whether a lane that is not among `tried` works, or is about to."""
        return any(
            lane.name not in tried and self._sound(lane) and lane.state in (LaneState.READY, LaneState.LOADING)
            for lane in self.lanes
        )

    def passed(self, lane: Lane[H, R], now: float) -> None:
        """Hear that a lane has been proven; load in advance what may be."""
        for name in self._needs[lane.name]:
            breaker = self._breakers[name]
            if breaker.state is not Breaker.OPEN and breaker.tell(Happening.PASSED, now):
                self._noted("info", "device_back", f"device {name} works again", {"device": name})
        self._usable = None
        self.hear_complaints(lane)
        if lane is self.lanes[0]:
            for other in self.lanes[1:]:
                if other.state is LaneState.COLD and self._warm(other.way):
                    other.open(now)

    def failed(self, lane: Lane[H, R], kind: Kind, device: str, reason: str, now: float) -> None:
        """Use a device no more, or the lane alone where nobody can tell the device; load what stands in.

        Args:
            lane: which one failed.
            kind: at what.
            device: as `runtime/kind`; "" where nobody can tell.
            reason: what happened.
            now: host monotonic time [s].
        """
        name = self._blamed(lane, kind, device)
        breaker = self._breakers[name]
        again = breaker.reason == reason and breaker.state is not Breaker.CLOSED
        if breaker.tell(Happening.FAILED, now, reason) and not again:
            self._noted("warning", "device_failed", f"device {name}: {reason}", {"device": name, "reason": reason})
        for needed in self._needs[lane.name]:  # what was to be shown with it was not
            if self._trials.get(needed) is lane and self._breakers[needed].state is Breaker.HALF_OPEN:
                self._breakers[needed].tell(Happening.FAILED, now, reason)
        if not self._looked():
            for other in self.lanes:
                if other.state is LaneState.COLD and self._sound(other):
                    other.open(now)

    def chose(self, chosen: Lane[H, R], among: Sequence[Lane[H, R]], now: float) -> None:
        """Hear which lane gets a job; see after a while whether those that were too slow for it still are.

        Args:
            chosen: the lane.
            among: those that could have had it, in the order in which they are used.
            now: host monotonic time [s].
        """
        for lane in among:
            if lane is chosen:
                lane.passed_over = 0
                return
            lane.pass_over(now)

    def cannot(self, lane: Lane[H, R], reason: str) -> None:
        """Hear that a lane could not do a job though it does others; said once for each reason."""
        self._say_once("cannot_run", lane, reason)

    def hear_complaints(self, lane: Lane[H, R]) -> None:
        """Say what a lane that does nothing now does not do together though it was measured to gain."""
        for complaint in lane.complaints():
            self._say_once("not_together", lane, complaint)

    def narrow(self, lane: Lane[H, R], reason: str) -> None:
        """Have a lane do no jobs together any more until it is loaded anew; said once for each reason."""
        lane.narrow()
        self._say_once("not_together", lane, reason)

    def _say_once(self, kind: str, lane: Lane[H, R], reason: str) -> None:
        if (lane.name, reason) not in self._said and len(self._said) < SAID:
            self._said.add((lane.name, reason))
            self._noted("warning", kind, f"{lane.name}: {reason}", {"lane": lane.name, "reason": reason})

    def try_again(self, now: float) -> None:
        """Try what failed, beside the line: load its lane again, or prove it where it is loaded."""
        self.usable()
        if self._well:
            return
        for name, breaker in self._breakers.items():
            if breaker.state is Breaker.OPEN and now >= breaker.trial_at_s:
                lane = self._trier(name)
                if lane.state is not LaneState.READY and lane.stuck >= STUCK:
                    breaker.trial_at_s = now + STUCK_WAIT_S
                elif lane.task is None:
                    breaker.tell(Happening.TRIED, now)
                    self._usable = None
                    self._trials[name] = lane
                    if lane.state is LaneState.READY:
                        lane.give(Kind.TRY, now)
                    else:
                        lane.open(now)
        for lane in self.lanes:
            if lane.state is LaneState.FAILED and self._sound(lane) and lane.stuck < STUCK:
                lane.open(now)  # its device was found to work by another lane

    def trial_at_s(self) -> float:
        """Give when something is to be tried [s, host monotonic]; infinite where nothing is."""
        if self._well:
            return math.inf
        broken = ((name, breaker) for name, breaker in self._breakers.items() if breaker.state is Breaker.OPEN)
        idle = (breaker.trial_at_s for name, breaker in broken if self._trier(name).task is None)
        return min(idle, default=math.inf)

    def close(self) -> list[Ticket[H, R]]:
        """Have every lane end; give the jobs that they were at."""
        tasks = [lane.task for lane in self.lanes if lane.task is not None]
        for lane in self.lanes:
            lane.close()
        self._usable = None
        return [ticket for task in tasks for ticket in task.tickets]

    def status(self) -> tuple[LaneStatus, ...]:
        """Say how every lane is."""
        in_use = next(iter(self.usable()), None)
        return tuple(self._status_of(lane, lane is in_use) for lane in self.lanes)

    def _trier(self, name: str) -> Lane[H, R]:
        """Give the lane that shows whether a device works: the first that needs nothing else that has failed."""
        needing = [lane for lane in self.lanes if name in self._needs[lane.name]]
        closed = (
            lane
            for lane in needing
            if all(self._breakers[other].state is Breaker.CLOSED for other in self._needs[lane.name] if other != name)
        )
        return next(closed, needing[0])

    def _blamed(self, lane: Lane[H, R], kind: Kind, device: str) -> str:
        """Give the breaker that a failure opens: not that of a device on which another lane works."""
        needs = self._needs[lane.name]
        name = device if device in lane.devices else needs[-1]
        works = any(
            other is not lane and other.state is LaneState.READY and name in self._needs[other.name]
            for other in self.lanes
        )
        return needs[-1] if kind is Kind.LOAD and works else name

    def _looked(self) -> list[Lane[H, R]]:
        """Look at every lane and breaker, after one of them has changed."""
        found = self._usable = [lane for lane in self.lanes if lane.state is LaneState.READY and self._sound(lane)]
        closed = all(breaker.state is Breaker.CLOSED for breaker in self._breakers.values())
        self._well = closed and all(lane.state is not LaneState.FAILED for lane in self.lanes)
        if found and found[0].name != self._in_use:
            self._note_use(found[0])
        return found

    def _sound(self, lane: Lane[H, R]) -> bool:
        return all(self._breakers[name].state is Breaker.CLOSED for name in self._needs[lane.name])

    def _note_use(self, lane: Lane[H, R]) -> None:
        """Say that another lane judges than before."""
        first = lane is self.lanes[0]
        if self._in_use or not first:
            open_ones = [b for b in self._breakers.values() if b.state is not Breaker.CLOSED]
            reasons = "; ".join(f"{breaker.device}: {breaker.reason}" for breaker in open_ones)
            why = "" if first else f", which stands in ({reasons})"
            severity = "info" if first else "warning"
            self._noted(severity, "lane_changed", f"parts are judged by {lane.name}{why}", {"lane": lane.name})
        self._in_use = lane.name

    def _status_of(self, lane: Lane[H, R], in_use: bool) -> LaneStatus:
        breakers = [self._breakers[name] for name in self._needs[lane.name]]
        return LaneStatus(
            name=lane.name,
            state="in use" if in_use else str(lane.state),
            breakers={breaker.device: str(breaker.state) for breaker in breakers},
            reason="; ".join(f"{b.device}: {b.reason}" for b in breakers if b.state is not Breaker.CLOSED),
            failed_since_s=min((b.failed_s for b in breakers if b.state is not Breaker.CLOSED), default=None),
            busy_since_s=None if lane.task is None else lane.since_s,
            done=lane.done,
            failed=lane.failed,
            p50_ms=1e3 * lane.paces.p50_s,
            p99_ms=1e3 * lane.paces.p99_s,
        )


def _needs(lane: Lane[H, R], lanes: Sequence[Lane[H, R]]) -> tuple[str, ...]:
    """Give the names of a lane's breakers: its devices, then itself where it may fail though they work."""
    devices = sorted(lane.devices)
    shared = any(other is not lane and other.devices & lane.devices for other in lanes)
    return (*devices, lane.name) if len(devices) > 1 or shared else tuple(devices)
