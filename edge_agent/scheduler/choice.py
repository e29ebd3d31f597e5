"""Which lane gets which job: pure looks at what lanes do and how long that takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from edge_agent.scheduler.batch import Due, places_together
from edge_agent.scheduler.job import DeadlineQueue, H, R, Ticket
from edge_agent.scheduler.lane import Lane

LOOKED_AT: Final = 16
"""Of the jobs that wait, so many are reckoned with where some may be done together: two of the largest batches."""


def free_at_s(lane: Lane[H, R], now: float) -> float:
    """Give when a lane can have its next task, as far as anybody can tell [s, host monotonic].

    A task that has run longer than usual is taken to last as long again as it has.
    """
    if lane.task is None:
        return now
    expected_s = lane.since_s + lane.usual_s
    return expected_s if now <= expected_s else now + (now - lane.since_s)


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
    in_time = (free_at_s(lane, now) + lane.alone_s(ticket) <= ticket.job.deadline_s for lane in busy)
    return any(in_time) or not any(lane.task is None for lane in lanes)


def rescues(
    silent: Iterable[Lane[H, R]], usable: Sequence[Lane[H, R]], now: float
) -> Iterator[tuple[Ticket[H, R], Lane[H, R]]]:
    """Give jobs that run far too long, and the idle lane that would be in time with each.

    Args:
        silent: lanes whose task has run far too long.
        usable: those that work, in the order in which they are used.
        now: host monotonic time [s].

    Yields:
        A job and a lane; whoever takes it gives the lane the job before asking for the next.
    """
    for lane in silent:
        for ticket in lane.task.tickets if lane.task is not None else ():
            idle = [other for other in usable if other.task is None and other.name not in ticket.tried]
            in_time = idle and now + idle[0].alone_s(ticket) <= ticket.job.deadline_s
            if in_time and len(ticket.tried) == 1 and not ticket.is_background:
                yield ticket, idle[0]


def together(lane: Lane[H, R], queue: DeadlineQueue[H, R], place: int, now: float, slack_s: float) -> range:
    """Give which of the jobs that wait an idle lane is to do together.

    Args:
        lane: has time for the first of them, and may do it together with others.
        queue: where they wait.
        place: of the first.
        now: host monotonic time [s].
        slack_s: what a job that comes right after has until its deadline [s]; 0 where nobody knows.

    Returns:
        Their places; that of the first alone where the device does not gain by more.
    """
    waiting = queue.since(place, LOOKED_AT)
    bundle = waiting[0].job.bundle
    takes_s = lane.takes_s(bundle)
    alike = 0
    for ticket in waiting:
        if ticket.alone or ticket.job.bundle != bundle or lane.name in ticket.tried:
            break
        alike += 1
    if alike < min(takes_s.keys() - {1}):
        return range(place, place + 1)
    due = [Due(ticket.job.deadline_s, lane.alone_s(ticket)) for ticket in waiting]
    comes = Due(now + slack_s, takes_s[1]) if slack_s else None
    places = places_together(now, due, alike, takes_s, comes)
    return range(place + places.start, place + places.stop)


def choose(
    lanes: Sequence[Lane[H, R]], free_at: Mapping[str, float], ticket: Ticket[H, R]
) -> tuple[Lane[H, R] | None, bool]:
    """Give the lane that is to do a job, and whether in the cheaper way; None where there is no time on any.

    The first lane whose p99 is in time, busy or not: a job waits rather for the lane in use than run on one that
    stands in. What jobs took before this start only puts a lane behind one that was quicker. Without a lane whose p99
    is in time, the cheaper way. Without that, an idle lane whose median is in time: the job has a chance, and whoever
    asked sees to it that it is answered in time.

    Args:
        lanes: that work and have not had the job, in the order in which they are used.
        free_at: of each, when it can have the job [s, host monotonic].
        ticket: the job.

    Returns:
        The lane, and whether it is to do the job in the cheaper way.
    """
    job, deadline_s = ticket.job, ticket.job.deadline_s
    slow_before: Lane[H, R] | None = None
    for lane in lanes:
        pace, left_s = lane.paces.of(job.kind_on(lane.name)), deadline_s - free_at[lane.name]
        if pace.durations.p99_s <= left_s:
            if pace.before_s <= left_s:
                return lane, False
            slow_before = slow_before or lane
    if slow_before is not None:
        return slow_before, False
    idle = [lane for lane in lanes if lane.task is None]
    if job.hurried is not None:
        for lane in idle:
            if free_at[lane.name] + lane.paces.of(job.kind_on(lane.name)).hurried.p99_s <= deadline_s:
                return lane, True
    for lane in idle:
        if free_at[lane.name] + lane.paces.of(job.kind_on(lane.name)).durations.p50_s <= deadline_s:
            return lane, False
    return None, False


def doubt(lanes: Sequence[Lane[H, R]], ticket: Ticket[H, R]) -> None:
    """Believe no longer what idle lanes took so far, where a job would have had no time from the moment it came.

    What was slow once may be quick now, and nobody would find out.
    """
    for lane in lanes:
        pace = lane.paces.of(ticket.job.kind_on(lane.name))
        if lane.task is None and ticket.since_s + pace.durations.p50_s > ticket.job.deadline_s:
            pace.doubt()
