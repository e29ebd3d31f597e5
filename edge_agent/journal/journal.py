"""The one way of every command that may change something: stored, done, answered, each once and on record.

Before anything is done the disk has the command, with the fingerprint of what it may change; its answer, the row of the
audit and what it changes in the ledger are one transaction. Whatever stops the station in between, the next start finds
the command without an answer, and the fingerprint says whether it happened.

A component; every method belongs to the loop thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Protocol

import msgspec

from edge_agent.api import Handler, Request
from edge_agent.commands import COMMANDS, Arguments, GateArguments, Resource
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.journal.clerk import Clerk
from edge_agent.journal.expiry import Moment, age_after_restart, too_late
from edge_agent.journal.order import Order, Way, order_of
from edge_agent.journal.response import Code, Response
from edge_agent.ledger import Accepted, Answered, Committed, Receipt, StoredCommand
from edge_agent.ledger.items import Effects, Item
from edge_agent.runtime.background import Chore
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER

OPEN_COMMANDS: Final = 16
"""Commands that are under way at once; more are refused, without being stored."""

RETRY_S: Final = 1.0
"""After the ledger could not take an answer [s]."""

PROGRESS_S: Final = 1.0
"""How often whoever asked for long work hears how far it is [s]."""

LONG_S: Final = 5.0
"""What may take longer says that it was accepted, and how far it is [s]."""

Tell = Callable[[Response, object], None]
"""Hears what is said about a request, with the result or the error itself where the station has just made it."""


class Surroundings(Protocol):
    """What the journal needs to know of the station."""

    def fingerprint(self, resource: Resource) -> str:
        """Say by a digest what state something is in that commands change; "" for what has none."""

    def is_ready(self) -> bool:
        """Say whether commands of the life before can be gone on with."""

    def is_safe(self) -> bool:
        """Say whether no part is between its trigger and its action."""

    def is_synchronised(self) -> bool:
        """Say whether something keeps the wall clock right."""

    def progress(self) -> object:
        """Say how far long work is; None where there is none."""

    def stored(self, command_id: str) -> StoredCommand | None:
        """Read a command from the ledger; in the background."""

    def submit(self, chore: Chore) -> bool:
        """Have something done in the background."""

    def record(self, item: Item, then: Callable[[Receipt], None]) -> bool:
        """Have the ledger write something; `then` hears on the loop thread what became of it."""


class _Stage(Enum):
    LEFT = auto()  #: a life before left it without an answer
    STORING = auto()
    UNSTORED = auto()  #: the ledger could not; it is asked again
    WAITING = auto()  #: for a moment between two parts
    RUNNING = auto()
    ANSWERING = auto()  #: the ledger writes the answer
    UNWRITTEN = auto()  #: the ledger could not; it is asked again


@dataclass(eq=False)
class _Open:
    order: Order
    stage: _Stage
    before: str
    holds: Resource
    tells: list[Tell] = field(default_factory=list)
    stored: list[Callable[[], None]] = field(default_factory=list)
    accepted: Accepted | None = None
    answer: Answered | None = None
    response: Response | None = None
    result: object = None
    after: Callable[[], None] = lambda: None


@dataclass
class Counts:
    """What became of commands since the start.

    Attributes:
        accepted: were stored.
        repeated: had an answer already, and were told it.
        refused: too much was under way, or their id belonged to another.
        resolved: were left without an answer by a life before.
    """

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    resolved: int = 0


class Journal:
    """Takes orders and sees each through.

    Args:
        station: its name.
        handlers: for each command, what does it.
        around: the station.
        clock: tells the time.
        poke: asks the loop to step this component.
    """

    name = "journal"

    def __init__(
        self,
        station: str,
        handlers: Mapping[str, Handler],
        around: Surroundings,
        clock: Clock,
        poke: Callable[[str], None],
    ) -> None:
        self.counts = Counts()
        self._clerk = Clerk(station, clock)
        self._handlers = handlers
        self._around = around
        self._clock = clock
        self._poke = poke
        self._open: dict[str, _Open] = {}
        self._held: dict[Resource, _Open] = {}
        self._newest_utc: dict[str, float] = {}
        self._told_s = float("-inf")
        self._bug: Exception | None = None

    def load(
        self,
        left: Iterable[StoredCommand],
        newest_utc: Mapping[str, float],
        teller: Callable[[StoredCommand], Tell | None],
    ) -> None:
        """Take over what a life before left; before any order.

        Args:
            left: commands without an answer.
            newest_utc: for each key, when its newest command was asked [s since the epoch].
            teller: gives who is told about one of them; None for nobody.
        """
        self._newest_utc.update(newest_utc)
        now, utc = self._clock.now(), self._clock.utc()
        for stored in left:
            self.counts.resolved += 1
            tell = teller(stored)
            try:
                order = order_of(stored, now - age_after_restart(stored.accepted_utc, utc))
            except (msgspec.MsgspecError, ValueError) as error:
                self._give_up(stored, str(error))
                continue
            opened = _Open(order, _Stage.LEFT, stored.before, order.command.resource)
            opened.tells += [] if tell is None else [tell]
            self._open[order.id] = opened
            self._hold(opened)

    def take(self, order: Order, tell: Tell, stored: Callable[[], None] = lambda: None) -> None:
        """See an order through.

        Args:
            order: what is asked, by somebody who may.
            tell: hears what is said about it, at last that it is done.
            stored: called when it is safe, or needs not be.
        """
        known = self._open.get(order.id)
        if known is not None:
            self._again(known, order, tell, stored)
            return
        if len(self._open) >= OPEN_COMMANDS:
            self._refuse_more(order, tell, stored)
            return
        resource = order.command.resource
        opened = _Open(order, _Stage.STORING, self._around.fingerprint(resource), resource, [tell], [stored])
        opened.response = refusal = self._refusal(opened)
        opened.accepted = self._clerk.accepted(order, opened.before, refusal)
        self._open[order.id] = opened
        if refusal is None:
            self._hold(opened)
        self._store(opened)

    def step(self, now: float) -> float:
        """Go on with what waits; say how far long work is."""
        if self._bug is not None:
            raise self._bug
        ready, safe = self._around.is_ready(), self._around.is_safe()
        for opened in list(self._open.values()):
            if opened.stage is _Stage.LEFT and ready:
                self._resolve(opened)
            elif opened.stage is _Stage.WAITING:
                self._wait(opened, safe)
            elif opened.stage is _Stage.UNWRITTEN:
                self._write(opened)
            elif opened.stage is _Stage.UNSTORED:
                self._store(opened)
        stages = {opened.stage for opened in self._open.values()}
        if _Stage.RUNNING in stages and now >= self._told_s + PROGRESS_S:
            self._told_s = now
            self._tell_progress()
        if _Stage.WAITING in stages:
            return now + 0.01
        return now + RETRY_S if stages & {_Stage.LEFT, _Stage.UNSTORED, _Stage.UNWRITTEN, _Stage.RUNNING} else NEVER

    def _again(self, known: _Open, order: Order, tell: Tell, stored: Callable[[], None]) -> None:
        if known.order.digest != order.digest:
            self._refuse_id(order, tell, stored)
            return
        self.counts.repeated += 1
        known.tells.append(tell)
        if known.stage in (_Stage.STORING, _Stage.UNSTORED):
            known.stored.append(stored)
        else:
            stored()

    def _refuse_more(self, order: Order, tell: Tell, stored: Callable[[], None]) -> None:
        """Too much is under way; but what was answered before has that answer and no other."""

        def known(found: StoredCommand | EdgeAgentError | None) -> None:
            if isinstance(found, StoredCommand) and found.answer and found.digest == order.digest:
                self.counts.repeated += 1
                stored()
                tell(msgspec.json.decode(found.answer, type=Response), None)
                return
            self.counts.refused += 1
            stored()
            error = Unavailable("too many commands are under way", hint="ask again later")
            tell(self._clerk.response(order, error), None)

        if not self._around.submit(Chore(lambda: self._around.stored(order.id), known)):
            known(None)

    def _refuse_id(self, order: Order, tell: Tell, stored: Callable[[], None]) -> None:
        self.counts.refused += 1
        stored()
        error = BadData(f"the id {order.id} belongs to another request", hint="choose a new id for each request")
        tell(self._clerk.response(order, error, Code.E_DUPLICATE), None)

    def _refusal(self, opened: _Open) -> Response | None:
        """Say why an order is not even begun; None where nothing speaks against it."""
        order = opened.order
        if late := self._late(order):
            return self._clerk.response(order, Unavailable(late), Code.E_EXPIRED)
        for name, wanted in order.expect.items():
            present = self._around.fingerprint(Resource(name))
            if present != wanted:
                said = f"{name} is {present}, not {wanted}"
                result = {"resource": name, "present": present}
                return self._clerk.response(order, BadData(said), Code.E_PRECONDITION, result)
        holder = self._held.get(order.command.resource)
        if holder is not None and holder.order.command.name not in order.command.interrupts:
            hint = "ask again when it is done"
            return self._clerk.response(order, Unavailable(holder.order.command.doing, hint=hint), Code.E_BUSY)
        return None

    def _late(self, order: Order) -> str:
        age_s = self._clock.now() - order.arrived_s
        if not order.key:
            return f"it was to be begun within {order.ttl_s:g} s" if age_s > order.ttl_s else ""
        newest = self._newest_utc.get(order.key, 0.0)
        moment = Moment(self._clock.utc(), self._around.is_synchronised(), age_s, newest)
        return too_late(order.issued_utc, order.ttl_s, moment)

    def _store(self, opened: _Open) -> None:
        assert opened.accepted is not None
        opened.stage = _Stage.STORING
        if not self._around.record(opened.accepted, lambda receipt: self._stored(opened, receipt)):
            self._unstored(opened, "the ledger has too much to do")

    def _stored(self, opened: _Open, receipt: Receipt) -> None:
        if isinstance(receipt, Committed):
            self.counts.accepted += 1
            self._safe(opened)
        elif receipt.cause == "duplicate":
            order_id = opened.order.id
            chore = Chore(lambda: self._around.stored(order_id), lambda found: self._known(opened, found))
            if not self._around.submit(chore):
                self._unstored(opened, "the station has too much to do")
        else:
            self._unstored(opened, receipt.reason)

    def _safe(self, opened: _Open) -> None:
        """The disk has the order: whoever brought it may forget it."""
        order = opened.order
        if order.key:
            self._newest_utc[order.key] = max(order.issued_utc, self._newest_utc.get(order.key, 0.0))
        for stored in opened.stored:
            stored()
        opened.stored.clear()
        if opened.response is not None:
            self._close(opened, opened.response)
            return
        if order.command.timeout_s > LONG_S:
            self._tell(opened, self._clerk.response(order, phase="accepted"))
        self._begin(opened)

    def _known(self, opened: _Open, found: StoredCommand | EdgeAgentError | None) -> None:
        """The id was there before: tell the answer that it has."""
        if found is None or isinstance(found, EdgeAgentError):
            self._unstored(opened, "it cannot be read" if found is None else found.message)
        elif found.digest != opened.order.digest:
            self._drop(opened)
            for index, tell in enumerate(opened.tells):
                self._refuse_id(opened.order, tell, opened.stored[index] if index < len(opened.stored) else _nothing)
        elif found.answer:
            self.counts.repeated += 1
            for stored in opened.stored:
                stored()
            self._close(opened, msgspec.json.decode(found.answer, type=Response))
        else:
            self._safe(opened)  # ours: the transaction that was reported as failed has reached the disk

    def _unstored(self, opened: _Open, why: str) -> None:
        """Nothing is done about what is not stored; what came over the network waits for the ledger."""
        if opened.order.way is not Way.LOCAL:
            opened.stage = _Stage.UNSTORED
            self._poke(self.name)
            return
        self._drop(opened)
        error = Unavailable(f"the command was not recorded: {why}", hint="see `edge-agent status`")
        self._tell(opened, self._clerk.response(opened.order, error))

    def _begin(self, opened: _Open) -> None:
        if late := self._late(opened.order):
            self._answer(opened, self._clerk.response(opened.order, Unavailable(late), Code.E_EXPIRED))
        elif opened.order.command.waits:
            opened.stage = _Stage.WAITING
            self._poke(self.name)
        else:
            self._run(opened)

    def _wait(self, opened: _Open, safe: bool) -> None:
        if safe:
            self._run(opened)
        elif self._clock.now() - opened.order.arrived_s > opened.order.ttl_s:
            error = Unavailable("no moment came without a part between its trigger and its action")
            self._answer(opened, self._clerk.response(opened.order, error, Code.E_UNSAFE))

    def _run(self, opened: _Open) -> None:
        order = opened.order
        opened.stage = _Stage.RUNNING
        self._told_s = self._clock.now()
        request = Request(order.command, order.arguments, order.body, then=lambda made: self._done(opened, made))
        try:
            self._handlers[order.command.name](request, self._clock.now())
        except EdgeAgentError as error:
            request.failed(error)
        except Exception as error:  # a bug: it ends the station once it is on record, so that no restart repeats it
            self._bug_found(opened, error)
        self._poke(self.name)

    def _bug_found(self, opened: _Open, bug: Exception) -> None:
        error = Unavailable("the station failed at this", hint="look at the journal of the service")
        opened.after = lambda: self._end_with(bug)
        self._answer(opened, self._clerk.response(opened.order, error, Code.E_INTERNAL))

    def _end_with(self, bug: Exception) -> None:
        self._bug = bug
        self._poke(self.name)

    def _done(self, opened: _Open, request: Request) -> None:
        result, error = request.outcome()
        opened.after = request.after
        response = self._clerk.response(opened.order, error, result=result)
        self._answer(opened, response, request.effects, result if error is None else error)

    def _answer(self, opened: _Open, response: Response, effects: Effects = (), result: object = None) -> None:
        opened.response, opened.result = response, result
        opened.answer = self._clerk.answered(opened.order, response, effects)
        self._write(opened)

    def _write(self, opened: _Open) -> None:
        assert opened.answer is not None
        opened.stage = _Stage.ANSWERING
        if not self._around.record(opened.answer, lambda receipt: self._written(opened, receipt)):
            opened.stage = _Stage.UNWRITTEN
            self._poke(self.name)

    def _written(self, opened: _Open, receipt: Receipt) -> None:
        if isinstance(receipt, Committed):
            assert opened.response is not None
            self._close(opened, opened.response)
            opened.after()
        elif receipt.cause == "unrecordable" and opened.answer is not None and opened.answer.effects:
            opened.after = _nothing
            self._answer(opened, self._clerk.response(opened.order, BadData(receipt.reason)))
        else:
            opened.stage = _Stage.UNWRITTEN
            self._poke(self.name)

    def _resolve(self, opened: _Open) -> None:
        """Find out whether what a life before left has happened, and go on from there."""
        order = opened.order
        resource = order.command.resource
        if not leaves_trace(order.arguments):
            said = "the station was restarted meanwhile: whether this happened is not known"
            self._answer(opened, self._clerk.response(order, Unavailable(said), Code.E_INTERNAL))
        elif self._around.fingerprint(resource) != opened.before:
            self._answer(opened, self._clerk.response(order, result={"after_restart": True}))
        elif order.kept.body or order.command.max_body_bytes and not getattr(order.arguments, "next", 0):
            said = "the station was restarted before this was begun, and what came with it is gone"
            self._answer(opened, self._clerk.response(order, Unavailable(said, hint="ask again"), Code.E_EXPIRED))
        else:
            self._begin(opened)

    def _give_up(self, stored: StoredCommand, why: str) -> None:
        self._around.record(self._clerk.given_up(stored, why), lambda receipt: None)

    def _tell_progress(self) -> None:
        far = self._around.progress()
        for opened in self._open.values():
            if far is not None and opened.stage is _Stage.RUNNING and opened.order.command.timeout_s > LONG_S:
                self._tell(opened, self._clerk.response(opened.order, result=far, phase="progress"))

    def _close(self, opened: _Open, response: Response) -> None:
        self._drop(opened)
        self._tell(opened, response)

    def _drop(self, opened: _Open) -> None:
        self._open.pop(opened.order.id, None)
        if self._held.get(opened.holds) is opened:
            del self._held[opened.holds]

    def _hold(self, opened: _Open) -> None:
        if opened.holds not in (Resource.NONE, Resource.LEDGER):  # the ledger's own writer keeps labels apart
            self._held.setdefault(opened.holds, opened)

    def _tell(self, opened: _Open, response: Response) -> None:
        for tell in opened.tells:
            tell(response, opened.result)


def leaves_trace(arguments: Arguments) -> bool:
    """Say whether it can be seen afterwards that a command was done: the gate that was tried stands as it stood."""
    return not (isinstance(arguments, GateArguments) and arguments.to == "try")


def changes(name: str) -> bool:
    """Say whether a command goes through the journal."""
    return COMMANDS[name].signed


def _nothing() -> None:
    pass
