"""Gives each job to a lane in time: the most urgent first, never to a device that failed, never too late in silence.

A component. The first lane that works is the one in use; the others stand in where it is too late for it or it has
failed. Whatever a device does, each job that was accepted is answered exactly once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Generic

from edge_agent.errors import BadData, ConfigError, DeviceFault, EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER
from edge_agent.runtime.mailbox import Mailbox, Overflow
from edge_agent.runtime.worker import Done, Failed, Worker
from edge_agent.scheduler import choice
from edge_agent.scheduler.account import Account, DispatchStatus
from edge_agent.scheduler.bank import Bank, Noted
from edge_agent.scheduler.beside import Beside
from edge_agent.scheduler.job import CannotRun, DeadlineQueue, H, Job, R, Ticket
from edge_agent.scheduler.lane import Answer, Hire, Kind, Lane, Task
from edge_agent.scheduler.way import Way

URGENT: Final = 64
"""Parts that may wait; at 10 ms each, those behind them would be late anyway."""


class Dispatcher(Generic[H, R]):
    """Runs jobs on lanes. Every method belongs to the loop thread.

    Args:
        ways: how each lane comes to what it holds; in the order in which they are to be used.
        clock: tells the time.
        poke: asks the loop to step this component.
        timeout_s: a job that takes longer means that its device hangs [s].
        warm: whether a lane that only stands in may be loaded before it is needed.
        noted: hears what a person should know: severity, one word for it, a sentence, its values.
        hire: makes the lanes' threads, as `Worker` does.
        room: jobs with a deadline that may wait.
    """

    name = "dispatcher"

    def __init__(
        self,
        ways: Sequence[Way[H]],
        clock: Clock,
        poke: Callable[[str], None],
        timeout_s: float,
        warm: Callable[[Way[H]], bool] = lambda way: False,
        noted: Noted = lambda *said: None,
        hire: Hire = Worker,
        room: int = URGENT,
    ) -> None:
        # One answer for each lane's task, and of one that was closed meanwhile: this mailbox is never full.
        self._answers: Mailbox[Answer[H, R]] = Mailbox(4 * len(ways), Overflow.REFUSE, on_put=lambda: poke(self.name))
        self._bank = Bank[H, R](ways, clock, self._answers.offer, warm, noted, hire)
        self._clock = clock
        self._timeout_s = timeout_s
        self._urgent: DeadlineQueue[H, R] = DeadlineQueue(room)
        self._beside = Beside[H, R]()
        self._open = False
        self._hopeless: EdgeAgentError | None = None
        self.settled = False  #: a lane has been ready, or every one has failed, at least once
        self._account = Account[H, R]()
        self.counts, self.waits = self._account.counts, self._account.waits

    @property
    def ready(self) -> bool:
        """A lane is loaded and proven, and none of its devices has failed since."""
        return bool(self._bank.usable())

    def open(self) -> None:
        """Start loading the first lane; `ready` tells when it has. Raises what a person must change."""
        if self._hopeless is not None:
            raise self._hopeless
        self._open = True
        self._bank.lanes[0].open(self._clock.now())

    def submit(self, job: Job[H, R]) -> bool:
        """Accept a job; False where no lane works or too many wait."""
        now = self._clock.now()
        ticket = Ticket(job, now)
        able = self._open and self.ready
        if ticket.is_background:
            parted = job.need is not None and able and self._bank.usable()[0].gains(job.bundle)
            if not able or parted or not self._beside.put(ticket):
                return False
        else:
            self.counts.submitted += 1
            self._beside.rhythm.came(now, job.deadline_s - now)
            if not able or not self._urgent.put(ticket):
                self.counts.refused += 1
                return False
        self._dispatch(now)
        return True

    def withdraw(self, job: Job[H, R]) -> bool:
        """Forget an early job that no lane has yet, so that nobody hears of it; say whether there was such a one."""
        return self._beside.withdraw(job, _idle(self._bank.usable()))

    def expect(self, at_s: float) -> None:
        """Hear when the next part is going to need a lane, as far as anybody knows [s, host monotonic]."""
        changes = at_s != self._beside.rhythm.expected_s
        self._beside.rhythm.expected_s = at_s
        if changes and self._open and self._beside:
            self._dispatch(self._clock.now())

    def step(self, now: float) -> float:
        """Hand out answers, look whether a device hangs, and give out what waits.

        Args:
            now: host monotonic time [s].

        Returns:
            When to look again [s, host monotonic].

        Raises:
            ConfigError: the first lane cannot be loaded at the start, and a person must change something.
        """
        if not self._open:
            return NEVER
        for answer in self._answers.take_all():
            self._hear(answer, now)
        for lane in self._bank.lanes:
            if (task := lane.task) is not None and now >= lane.hangs_at_s(self._timeout_s):
                self._fault(lane, task, lane.abandon(now), now)
        self._bank.try_again(now)
        self._dispatch(now)
        return self._wakes_at_s(now)

    def status(self, now: float) -> DispatchStatus:
        """Say how every lane is, and what waits."""
        return self._account.status(self._bank, len(self._urgent), self._beside.background, now)

    def close(self) -> None:
        """Take no more jobs; whoever waits for one hears that it will not be done, and the threads end."""
        self._open = False
        now = self._clock.now()
        stopped = Unavailable("the station stops, or its devices are started anew", hint="ask again in a moment")
        for ticket in (*self._bank.close(), *self._urgent.take_all(), *self._beside.take_all()):
            self._account.faulted(ticket, stopped, now)

    def join(self, until: float) -> bool:
        """Wait until `until` [s, host monotonic] for the threads to end; say whether they have."""
        ended = [lane.join(until) for lane in self._bank.lanes]
        return all(ended)

    def _dispatch(self, now: float) -> None:
        while (first := self._urgent.at(0)) is not None and first.job.deadline_s <= now:
            self._urgent.take(range(1))
            self._account.late(first, now)
        usable = self._bank.usable()
        if silent := [lane for lane in self._bank.lanes if lane.silent_at_s <= now]:
            usable = sorted(usable, key=silent.__contains__)  # who is silent is asked last
        if first is not None:
            self._give_out(usable, now)
        if silent:
            self._rescue(silent, usable, now)
        if (idle := _idle(usable)) is not None and (ticket := self._beside.take(idle, now)) is not None:
            self._give(idle, [ticket], now)

    def _give_out(self, usable: Sequence[Lane[H, R]], now: float) -> None:
        """Give what waits to lanes that have nothing to do; look at no more than may wait for those that have."""
        if not (idle := [lane for lane in usable if lane.task is None]):
            return
        free_at = {lane.name: choice.free_at_s(lane, now) for lane in usable}
        place = 0
        while idle and place <= len(usable) and (ticket := self._urgent.at(place)) is not None:
            able = [lane for lane in usable if lane.name not in ticket.tried] if ticket.tried else usable
            lane, hurried = choice.choose(able, free_at, ticket)
            if lane is None:
                if choice.may_wait(able, ticket, now):
                    place += 1
                    continue
                choice.doubt(able, ticket)
                self._urgent.take(range(place, place + 1))
                self._account.late(ticket, now)
            elif lane.task is not None:
                place += 1
                free_at[lane.name] += lane.one_more_s(ticket)
            else:
                places = range(place, place + 1)
                if not hurried and lane.batches(ticket):
                    places = choice.together(lane, self._urgent, place, now, self._beside.rhythm.slack_s)
                self._give(lane, self._urgent.take(places), now, hurried=hurried)
                idle.remove(lane)
                free_at[lane.name] += lane.usual_s
                if lane is not able[0]:
                    self._bank.chose(lane, able, now)

    def _give(self, lane: Lane[H, R], tickets: Sequence[Ticket[H, R]], now: float, *, hurried: bool = False) -> None:
        for ticket in tickets:
            self._account.given(ticket, now)
            ticket.tried.add(lane.name)
            ticket.running.add(lane.name)
            if (need := ticket.job.need) is not None:
                need.began(lane.name)
        if len(tickets) > 1:
            self.counts.together += len(tickets)
            lane.give(Kind.TOGETHER, now, tickets)
        else:
            lane.give(Kind.HURRY if hurried else Kind.RUN, now, tickets)

    def _rescue(self, silent: Sequence[Lane[H, R]], usable: Sequence[Lane[H, R]], now: float) -> None:
        """Give what runs far too long to a lane that has nothing to do, where that is in time."""
        for ticket, idle in choice.rescues(silent, usable, now):
            if not self._account.may_rescue():
                return
            self.counts.rescued += 1
            ticket.rescued_by = idle.name
            self._give(idle, [ticket], now)

    def _hear(self, answer: Answer[H, R], now: float) -> None:
        task, lane = answer.job, answer.job.lane
        if lane.task is not task:
            return  # it was closed meanwhile
        lane.finished(answer)
        match answer:
            case Done() if task.tickets:
                self.counts.hurried += task.kind is Kind.HURRY
                for ticket, value in zip(task.tickets, answer.value, strict=True):
                    self._end(ticket, lane, value, answer.ended_s)
                if task.tickets[0].is_background:  # also of what was loaded for a part since
                    self._bank.hear_complaints(lane)
            case Done():
                self.settled = True
                self._bank.passed(lane, now)
            case Failed(_, EdgeAgentError() as error) if task.kind is Kind.TOGETHER:
                self._part(lane, task, error)
            case Failed(_, BadData() as error) if task.tickets:
                self._end(task.tickets[0], lane, error, answer.ended_s)
            case Failed(_, CannotRun() as error) if task.tickets:
                self._bank.cannot(lane, error.message)
                self._pass_on(lane, task.tickets[0], error, now)
            case Failed(_, ConfigError() as error) if lane is self._bank.lanes[0] and not self.settled:
                self._hopeless = error
                raise error
            case Failed(_, EdgeAgentError() as error):
                self._fault(lane, task, error, now)
            case Failed(_, error):
                raise error

    def _end(self, ticket: Ticket[H, R], lane: Lane[H, R], result: R | EdgeAgentError, at_s: float) -> None:
        ticket.running.discard(lane.name)
        self._account.ended(ticket, lane.name, result, at_s)

    def _part(self, lane: Lane[H, R], task: Task[H, R], error: EdgeAgentError) -> None:
        """Have the jobs of a batch that failed run one by one, as if they had not been given to the lane yet."""
        self.counts.parted += 1
        if not isinstance(error, BadData):
            self._bank.narrow(lane, f"{len(task.tickets)} parts are not done together any more: {error.message}")
        for ticket in task.tickets:
            ticket.alone = True
            ticket.tried.discard(lane.name)
            ticket.running.discard(lane.name)
            if not ticket.answered and not ticket.running:
                self._urgent.put(ticket, again=True)

    def _fault(self, lane: Lane[H, R], task: Task[H, R], error: EdgeAgentError, now: float) -> None:
        """Use a device no more, and have its job done by another lane, now or when one is loaded; or say so."""
        device = error.device if isinstance(error, DeviceFault) else ""
        self._bank.failed(lane, task.kind, device, error.message, now)
        for ticket in task.tickets:
            self._pass_on(lane, ticket, error, now)
        if not self._bank.hopeful(set()):
            self.settled = True
            for waiting in (*self._urgent.take_all(), *self._beside.take_all()):
                self._account.faulted(waiting, error, now)

    def _pass_on(self, lane: Lane[H, R], ticket: Ticket[H, R], error: EdgeAgentError, now: float) -> None:
        """Have a job done by another lane than the one that could not; or say why nobody can."""
        ticket.running.discard(lane.name)
        if ticket.answered or ticket.running:
            return
        again = ticket.job.need is None and now < ticket.job.deadline_s and self._bank.hopeful(ticket.tried)
        if again and ticket.is_background:
            self._beside.background.appendleft(ticket)
        elif again:
            self.counts.rerun += 1
            self._urgent.put(ticket, again=True)
        else:
            self._account.faulted(ticket, error, now)

    def _wakes_at_s(self, now: float) -> float:
        """Give when to look again [s, host monotonic]."""
        at_s = min(now + self._timeout_s / 2, self._bank.trial_at_s())  # a task that begins unnoticed is seen in time
        at_s = min(at_s, self._beside.wakes_at_s(_idle(self._bank.usable()), now))
        if (first := self._urgent.at(0)) is not None and first.job.deadline_s < at_s:
            at_s = first.job.deadline_s
        for lane in self._bank.lanes:
            if lane.task is not None:
                at_s = min(at_s, lane.hangs_at_s(self._timeout_s), lane.silent_at_s if now < lane.silent_at_s else at_s)
        return at_s


def _idle(usable: Sequence[Lane[H, R]]) -> Lane[H, R] | None:
    """Give the lane in use where it has nothing to do; a part that waits all the same has no time on it."""
    return usable[0] if usable and usable[0].task is None else None
