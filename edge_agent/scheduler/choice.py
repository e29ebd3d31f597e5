"""Which lane gets which job: pure looks at what lanes do and how long that takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from edge_agent.scheduler.batch import Due, places_together
from edge_agent.scheduler.job import H, R, Ticket
from edge_agent.scheduler.lane import Kind, Lane

SILENT_AFTER: Final = 2.0
"""A lane whose task has run for this many times its 99th percentile is not waited for where another is idle."""


def silent_at_s(lane: Lane[H, R]) -> float:
    """Give when a lane's task has run far too long [s, host monotonic]; infinite without one."""
    return math.inf if lane.task is None or not lane.usual_s else lane.since_s + SILENT_AFTER * lane.usual_s


def free_at_s(lane: Lane[H, R], now: float) -> float:
    """Give when a lane can have its next task, as far as anybody can tell [s, host monotonic].

    A task that has run longer than usual is taken to last as long again as it has.
    """
    if lane.task is None:
        return now
    expected_s = lane.since_s + lane.usual_s
    return expected_s if now <= expected_s else now + (now - lane.since_s)


def one_more_s(lane: Lane[H, R], ticket: Ticket[H, R]) -> float:
    """Give by how much later a lane that is busy is free where a job waits for it [s]: it may do it with others."""
    if ticket.alone:
        return lane.pace(ticket.job.bundle).durations.p99_s
    return min(s / pieces for pieces, s in lane.takes_s(ticket.job.bundle).items())


def may_wait(lanes: Sequence[Lane[H, R]], ticket: Ticket[H, R], now: float) -> bool:
    """Say whether a job that has no time on any lane may still have it on one, when that is free.

    Args:
        lanes: that work and have not had the job.
        ticket: the job.
        now: host monotonic time [s].

    Returns:
        True where none is idle, or one that is busy would be in time if it took the job first.
    """
    busy = [lane for lane in lanes if lane.task is not None]
    in_time = (
        free_at_s(lane, now) + lane.pace(ticket.job.bundle).durations.p99_s <= ticket.job.deadline_s for lane in busy
    )
    return any(in_time) or not any(lane.task is None for lane in lanes)


def rescue_at_s(lane: Lane[H, R]) -> float:
    """Give when a lane's job may be given to a second lane as well [s, host monotonic]; infinite where it may not."""
    if lane.task is not None:
        for ticket in lane.task.tickets:
            if len(ticket.tried) <= 1 and not ticket.is_background:
                return silent_at_s(lane)
    return math.inf


def rescues(
    lanes: Iterable[Lane[H, R]], usable: Sequence[Lane[H, R]], now: float
) -> Iterator[tuple[Ticket[H, R], Lane[H, R]]]:
    """Give jobs that run far too long, and the idle lane that would be in time with each.

    Args:
        lanes: all.
        usable: those that work, in the order in which they are used.
        now: host monotonic time [s].

    Yields:
        A job and a lane; whoever takes it gives the lane the job before asking for the next.
    """
    for lane in lanes:
        for ticket in lane.task.tickets if lane.task is not None and now >= rescue_at_s(lane) else ():
            idle = [other for other in usable if other.task is None and other.name not in ticket.tried]
            in_time = idle and now + idle[0].pace(ticket.job.bundle).durations.p99_s <= ticket.job.deadline_s
            if in_time and len(ticket.tried) == 1:
                yield ticket, idle[0]


def together(lane: Lane[H, R], waiting: Sequence[Ticket[H, R]], now: float, slack_s: float) -> range:
    """Give which of the jobs that wait an idle lane is to do together.

    Args:
        lane: has time for the first of them.
        waiting: the jobs in the order of their deadlines.
        now: host monotonic time [s].
        slack_s: what a job that comes right after has until its deadline [s]; 0 where nobody knows.

    Returns:
        Their places; the first alone where the device does not gain by more.
    """
    bundle = waiting[0].job.bundle
    takes_s = lane.takes_s(bundle)
    alike = 0
    for ticket in waiting:
        if ticket.alone or ticket.job.bundle != bundle or lane.name in ticket.tried:
            break
        alike += 1
    if len(takes_s) == 1 or alike < min(takes_s.keys() - {1}):
        return range(1)
    due = [Due(ticket.job.deadline_s, lane.pace(ticket.job.bundle).durations.p99_s) for ticket in waiting]
    comes = Due(now + slack_s, takes_s[1]) if slack_s else None
    return places_together(now, due, alike, takes_s, comes)


def choose(
    lanes: Sequence[Lane[H, R]], free_at: Mapping[str, float], ticket: Ticket[H, R]
) -> tuple[Lane[H, R] | None, Kind]:
    """Give the lane that is to do a job, and how; None where there is no time on any.

    The first lane whose p99 is in time, busy or not: a job waits rather for the lane in use than run on one that
    stands in. What jobs took before this start only puts a lane behind one that was quicker. Without a lane whose p99
    is in time, the cheaper way. Without that, an idle lane whose median is in time: the job has a chance, and whoever
    asked sees to it that it is answered in time.

    Args:
        lanes: that work and have not had the job, in the order in which they are used.
        free_at: of each, when it can have the job [s, host monotonic].
        ticket: the job.

    Returns:
        The lane, and the way in which it, or none, could do the job.
    """
    deadline_s = ticket.job.deadline_s
    slow_before: Lane[H, R] | None = None
    for lane in lanes:
        pace = lane.pace(ticket.job.bundle)
        if free_at[lane.name] + pace.durations.p99_s <= deadline_s:
            if free_at[lane.name] + pace.before_s <= deadline_s:
                return lane, Kind.RUN
            slow_before = slow_before or lane
    if slow_before is not None:
        return slow_before, Kind.RUN
    idle = [lane for lane in lanes if lane.task is None]
    if ticket.job.hurried is not None:
        for lane in idle:
            if free_at[lane.name] + lane.pace(ticket.job.bundle).hurried.p99_s <= deadline_s:
                return lane, Kind.HURRY
    for lane in idle:
        if free_at[lane.name] + lane.pace(ticket.job.bundle).durations.p50_s <= deadline_s:
            return lane, Kind.RUN
    return None, Kind.RUN


def doubt(lanes: Sequence[Lane[H, R]], ticket: Ticket[H, R]) -> None:
    """Believe no longer what idle lanes took so far, where a job would have had no time from the moment it came.

    What was slow once may be quick now, and nobody would find out.
    """
    for lane in lanes:
        pace = lane.pace(ticket.job.bundle)
        if lane.task is None and ticket.since_s + pace.durations.p50_s > ticket.job.deadline_s:
            pace.doubt()
