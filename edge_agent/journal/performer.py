"""How an order is done and answered, once it is stored; and how one is gone on with that a life before left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from edge_agent.api import Handler, Request
from edge_agent.commands.arguments import Arguments, CancelArguments, GateArguments
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.journal.case import Case, Stage, Surroundings
from edge_agent.journal.clerk import Clerk
from edge_agent.journal.order import Order, Way
from edge_agent.journal.response import Code, Response
from edge_agent.ledger import Committed, Receipt
from edge_agent.ledger.spoken import Effects
from edge_agent.runtime.clock import Clock

LONG_S: Final = 5.0
"""What may take longer says that it was accepted, and how far it is [s]."""

LEFT: Final = "it was on record only when whoever asked had been told that it was not"

PROGRESS_S: Final = 1.0
"""How often whoever asked for long work hears how far it is [s]."""


class Performer:
    """Does what is asked. Belongs to the loop thread.

    Args:
        handlers: for each command, what does it.
        around: the station.
        clerk: writes down what is said.
        clock: tells the time.
        late: says why it is too late for an order, "" where it is not.
        close: hears of each order that was answered, once that is on record.
        poke: asks the loop to step the journal.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        around: Surroundings,
        clerk: Clerk,
        clock: Clock,
        late: Callable[[Order], str],
        close: Callable[[Case, Response], None],
        poke: Callable[[], None],
    ) -> None:
        self.bug: Exception | None = None
        self._handlers = handlers
        self._around = around
        self._clerk = clerk
        self._clock = clock
        self._late = late
        self._close = close
        self._poke = poke
        self._told_s = float("-inf")

    def begin(self, case: Case) -> None:
        """Have an order done, now or between two parts; not where it is too late."""
        if late := LEFT if case.left else self._late(case.order):
            self._answer(case, self._clerk.response(case.order, Unavailable(late), Code.E_EXPIRED))
        elif case.order.command.waits:
            case.stage = Stage.WAITING
            self._poke()
        else:
            self._run(case)

    def wait(self, case: Case, safe: bool) -> None:
        """Have an order done where no part is under way; give up where that takes too long."""
        if safe:
            self._run(case)
        elif self._clock.now() - case.order.arrived_s > case.order.ttl_s:
            error = Unavailable("no moment came without a part between its trigger and its action")
            self._answer(case, self._clerk.response(case.order, error, Code.E_UNSAFE))

    def _run(self, case: Case) -> None:
        order = case.order
        case.stage = Stage.RUNNING
        self._told_s = self._clock.now()
        request = Request(order.command, order.arguments, order.body, then=lambda made: self._done(case, made))
        try:
            self._handlers[order.command.name](request, self._clock.now())
        except EdgeAgentError as error:
            request.failed(error)
        except Exception as error:  # a bug: it ends the station once it is on record, so that no restart repeats it
            self._bug_found(case, error)
        self._poke()

    def _bug_found(self, case: Case, bug: Exception) -> None:
        error = Unavailable("the station failed at this", hint="look at the journal of the service")
        case.after = lambda: self._end_with(bug)
        self._answer(case, self._clerk.response(case.order, error, Code.E_INTERNAL))

    def _end_with(self, bug: Exception) -> None:
        self.bug = bug
        self._poke()

    def _done(self, case: Case, request: Request) -> None:
        result, error = request.outcome()
        case.after = request.after
        response = self._clerk.response(case.order, error, result=result)
        self._answer(case, response, request.effects, result if error is None else error)

    def _answer(self, case: Case, response: Response, effects: Effects = (), result: object = None) -> None:
        case.response, case.result = response, result
        case.answer = self._clerk.answered(case.order, response, effects)
        case.since_s = self._clock.now()
        self.write(case)

    def write(self, case: Case) -> None:
        """Have the ledger keep an answer."""
        assert case.answer is not None
        case.stage = Stage.ANSWERING
        if not self._around.record(case.answer, lambda receipt: self._written(case, receipt)):
            case.stage = Stage.UNWRITTEN
            self._poke()

    def _written(self, case: Case, receipt: Receipt) -> None:
        if isinstance(receipt, Committed):
            assert case.response is not None
            self._close(case, case.response)
            case.after()
        elif receipt.cause == "unrecordable" and case.answer is not None and case.answer.effects:
            case.after = _nothing
            self._answer(case, self._clerk.response(case.order, BadData(receipt.reason)))
        else:
            case.stage = Stage.UNWRITTEN
            self._poke()

    def resolve(self, case: Case) -> None:
        """Find out whether what a life before left has happened, and go on from there."""
        order = case.order
        resource = order.command.resource
        changed = self._around.found(resource) != case.before
        if changed and not is_trial(order.arguments):
            self._answer(case, self._clerk.response(order, result={"after_restart": True}))
        elif not leaves_trace(order.arguments):
            said = "the station was restarted meanwhile: whether this happened is not known"
            self._answer(case, self._clerk.response(order, Unavailable(said), Code.E_INTERNAL))
        elif order.way is Way.LOCAL:  # whoever asked heard that the station ended, or that nothing was done
            said = "the station was restarted before this was begun"
            self._answer(case, self._clerk.response(order, Unavailable(said, hint="ask again"), Code.E_EXPIRED))
        elif order.kept.body or order.command.max_body_bytes and not getattr(order.arguments, "next", 0):
            said = "the station was restarted before this was begun, and what came with it is gone"
            self._answer(case, self._clerk.response(order, Unavailable(said, hint="ask again"), Code.E_EXPIRED))
        else:
            self.begin(case)

    def tell_progress(self, cases: Iterable[Case], now: float) -> None:
        """Say how far long work is, where that is known and was not said a moment ago."""
        running = [case for case in cases if case.stage is Stage.RUNNING and case.order.command.timeout_s > LONG_S]
        if not running or now < self._told_s + PROGRESS_S:
            return
        self._told_s = now
        far = self._around.progress()
        for case in running if far is not None else ():
            case.tell(self._clerk.response(case.order, result=far, phase="progress"))


def is_trial(arguments: Arguments) -> bool:
    """Say whether a command never leaves a trace: the gate that was tried stands as it stood."""
    return isinstance(arguments, GateArguments) and arguments.to == "try"


def leaves_trace(arguments: Arguments) -> bool:
    """Say whether a command that was done can always be seen afterwards.

    Args:
        arguments: what went into it.

    Returns:
        False for a trial, and for what cancels: a lesson that was being given is gone after a restart anyhow, and to
        cancel again would drop the change that waits instead.
    """
    return not (is_trial(arguments) or isinstance(arguments, CancelArguments))


def _nothing() -> None:
    pass
