"""The one way of every command that may change something: stored, done, answered, each once and on record.

Before anything is done the disk has the command, with the fingerprint of what it may change; its answer, the row of the
audit and what it changes in the ledger are one transaction. Whatever stops the station in between, the next start finds
the command without an answer, and the fingerprint says whether it happened.

A component; every method belongs to the loop thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from edge_agent.api import Handler
from edge_agent.commands import Resource
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.journal.askers import Asker
from edge_agent.journal.case import Case, Held, Stage, Surroundings
from edge_agent.journal.clerk import Clerk
from edge_agent.journal.expiry import Moment, age_after_restart, counted_utc, too_late
from edge_agent.journal.order import Order, Way, order_of
from edge_agent.journal.performer import LONG_S, Performer
from edge_agent.journal.response import Code, Response
from edge_agent.ledger import Committed, Receipt, StoredCommand
from edge_agent.runtime.background import Chore
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER

OPEN_COMMANDS: Final = 16
"""Commands that are under way at once; more are refused, without being stored."""

RETRY_S: Final = 1.0
"""After the ledger could not take something, and while something goes on [s]."""

PATIENCE_S: Final = 10.0
"""How long somebody at the socket waits for the ledger before hearing that it writes nothing [s]."""

LOOK_S: Final = 0.01
"""How often a moment between two parts is looked for [s]."""


@dataclass
class Counts:
    """What became of commands since the start.

    Attributes:
        accepted: were stored.
        repeated: had an answer already, and were told it.
        refused: too much was under way, too many waited for the same, or their id belonged to another.
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
        self._around = around
        self._clock = clock
        self._poke = poke
        self._open: dict[str, Case] = {}
        self._held = Held()
        self._newest_utc: dict[str, float] = {}
        self._performer = Performer(
            handlers, around, self._clerk, clock, self._late, self._close, lambda: poke(self.name)
        )

    def load(
        self,
        left: Iterable[StoredCommand],
        newest_utc: Mapping[str, float],
        asker_of: Callable[[StoredCommand], Asker | None],
    ) -> None:
        """Take over what a life before left; before any order.

        Args:
            left: commands without an answer.
            newest_utc: for each key, when its newest command counts as asked [s since the epoch].
            asker_of: gives who is told about one of them; None for nobody.
        """
        self._newest_utc.update(newest_utc)
        now, utc = self._clock.now(), self._clock.utc()
        for stored in left:
            self.counts.resolved += 1
            try:
                order = order_of(stored, now - age_after_restart(stored.accepted_utc, utc))
            except (msgspec.MsgspecError, ValueError) as error:
                self._give_up(stored, str(error))
                continue
            case = Case(order, Stage.LEFT, stored.before)
            if (asker := asker_of(stored)) is not None:
                case.askers.add(asker.who, asker)
            self._open[order.id] = case
            self._held.hold(case)

    def take(self, order: Order, asker: Asker) -> None:
        """See an order through.

        Args:
            order: what is asked, by somebody who may.
            asker: hears what is said about it, at last that it is done.
        """
        known = self._open.get(order.id)
        if known is not None:
            self._again(known, order, asker)
            return
        if len(self._open) >= OPEN_COMMANDS:
            self._refuse_more(order, asker)
            return
        before = self._around.fingerprint(order.command.resource)
        case = Case(order, Stage.STORING, before)
        case.askers.add(asker.who, asker)
        case.since_s = self._clock.now()
        case.response = refusal = self._refusal(case)
        case.accepted = self._clerk.accepted(order, case.before, refusal)
        self._open[order.id] = case
        if refusal is None:
            self._held.hold(case)
        self._store(case)

    def step(self, now: float) -> float:
        """Go on with what waits; say how far long work is."""
        performer = self._performer
        if performer.bug is not None:
            raise performer.bug
        ready, safe = self._around.is_ready(), self._around.is_safe()
        for case in list(self._open.values()):
            match case.stage:
                case Stage.LEFT if ready:
                    performer.resolve(case)
                case Stage.WAITING:
                    performer.wait(case, safe)
                case Stage.UNWRITTEN:
                    performer.write(case)
                case Stage.UNSTORED:
                    self._store(case)
            if case.order.way is Way.LOCAL and not case.left and now - case.since_s > PATIENCE_S:
                self._leave(case)
        performer.tell_progress(self._open.values(), now)
        stages = {case.stage for case in self._open.values()}
        if Stage.WAITING in stages:
            return now + LOOK_S
        return now + RETRY_S if stages else NEVER

    def _again(self, known: Case, order: Order, asker: Asker) -> None:
        if known.order.digest != order.digest:
            self._refuse_id(order, asker)
            return
        if known.left:
            self._tell_left(known, [asker])
            return
        gone = known.askers.add(asker.who, asker)
        if gone is asker:
            self._refuse(order, asker, Unavailable("too many ask for this at once", hint="ask again later"))
            return
        self.counts.repeated += 1
        if gone is not None:
            gone.safe()  # the newer one is not, as long as the order is not
        if known.stage not in (Stage.STORING, Stage.UNSTORED):
            asker.safe()

    def _refuse_more(self, order: Order, asker: Asker) -> None:
        """Too much is under way; but what was answered before has that answer and no other."""

        def known(found: StoredCommand | EdgeAgentError | None) -> None:
            if isinstance(found, StoredCommand) and found.answer and found.digest == order.digest:
                self.counts.repeated += 1
                asker.safe()
                asker.tell(msgspec.json.decode(found.answer, type=Response), None)
            else:
                self._refuse(order, asker, Unavailable("too many commands are under way", hint="ask again later"))

        if not self._around.submit(Chore(lambda: self._around.stored(order.id), known)):
            known(None)

    def _refuse_id(self, order: Order, asker: Asker) -> None:
        error = BadData(f"the id {order.id} belongs to another request", hint="choose a new id for each request")
        self._refuse(order, asker, error, Code.E_DUPLICATE)

    def _refuse(self, order: Order, asker: Asker, error: EdgeAgentError, code: Code | None = None) -> None:
        """Say why nothing is done, without a record."""
        self.counts.refused += 1
        asker.safe()
        asker.refuse(self._clerk.response(order, error, code))

    def _refusal(self, case: Case) -> Response | None:
        """Say why an order is not even begun; None where nothing speaks against it."""
        order = case.order
        if late := self._late(order):
            return self._clerk.response(order, Unavailable(late), Code.E_EXPIRED)
        for name, wanted in order.expect.items():
            present = self._around.fingerprint(Resource(name))
            if present != wanted:
                said = f"{name} is {present}, not {wanted}"
                result = {"resource": name, "present": present}
                return self._clerk.response(order, BadData(said), Code.E_PRECONDITION, result)
        if (holder := self._held.holder(order)) is not None:
            hint = "ask again when it is done"
            return self._clerk.response(order, Unavailable(holder.order.command.doing, hint=hint), Code.E_BUSY)
        return None

    def _late(self, order: Order) -> str:
        age_s = self._clock.now() - order.arrived_s
        if not order.key:
            return f"it was to be begun within {order.ttl_s:g} s" if age_s > order.ttl_s else ""
        newest = self._newest_utc.get(order.key, 0.0)
        around = self._around
        moment = Moment(self._clock.utc(), around.is_synchronised(), age_s, newest, around.begun_utc())
        return too_late(order.issued_utc, order.ttl_s, moment)

    def _store(self, case: Case) -> None:
        assert case.accepted is not None
        case.stage = Stage.STORING
        self._poke(self.name)  # to be stepped while it waits, also where the disk never answers
        if not self._around.record(case.accepted, lambda receipt: self._stored(case, receipt)):
            self._unstored(case, "the ledger has too much to do")

    def _stored(self, case: Case, receipt: Receipt) -> None:
        if isinstance(receipt, Committed):
            self.counts.accepted += 1
            self._safe(case)
        elif receipt.cause == "duplicate":
            order_id = case.order.id
            chore = Chore(lambda: self._around.stored(order_id), lambda found: self._known(case, found))
            if not self._around.submit(chore):
                self._unstored(case, "the station has too much to do")
        else:
            self._unstored(case, receipt.reason)

    def _safe(self, case: Case) -> None:
        """The disk has the order: whoever brought it may forget it."""
        order = case.order
        if order.key and case.response is None:
            asked_utc = counted_utc(order.issued_utc, self._clock.utc())
            self._newest_utc[order.key] = max(asked_utc, self._newest_utc.get(order.key, 0.0))
        case.safe()
        if case.response is not None:
            self._close(case, case.response)
            return
        if order.command.timeout_s > LONG_S:
            case.tell(self._clerk.response(order, phase="accepted"))
        self._performer.begin(case)

    def _known(self, case: Case, found: StoredCommand | EdgeAgentError | None) -> None:
        """The id was there before: tell the answer that it has."""
        if found is None or isinstance(found, EdgeAgentError):
            self._unstored(case, "it cannot be read" if found is None else found.message)
        elif found.digest != case.order.digest:
            self._drop(case)
            for asker in case.askers.all():
                self._refuse_id(case.order, asker)
        elif found.answer:
            self.counts.repeated += 1
            case.safe()
            self._close(case, msgspec.json.decode(found.answer, type=Response))
        else:
            self._safe(case)  # ours: the transaction that was reported as failed has reached the disk

    def _unstored(self, case: Case, why: str) -> None:
        """Nothing is done about what is not stored; what came over the network waits for the ledger."""
        if case.order.way is not Way.LOCAL:
            case.stage = Stage.UNSTORED
            self._poke(self.name)
            return
        self._drop(case)
        error = Unavailable(f"the command was not recorded: {why}", hint="see `edge-agent status`")
        for asker in case.askers.all():
            asker.refuse(self._clerk.response(case.order, error))

    def _leave(self, case: Case) -> None:
        """The ledger takes nothing: have nobody at the socket wait for it.

        What is not on record by now will not be done, also where it gets there later; an answer is told all the same,
        as what it says has happened.
        """
        if case.stage in (Stage.STORING, Stage.ANSWERING, Stage.UNWRITTEN):
            case.left = True
            self._tell_left(case, case.askers.all())

    def _tell_left(self, case: Case, askers: Iterable[Asker]) -> None:
        for asker in askers:
            if case.stage is not Stage.STORING and case.response is not None:
                asker.tell(case.response, case.result)
                continue
            said = f"nothing was done: the ledger has not recorded the command for {PATIENCE_S:.0f} s"
            asker.refuse(self._clerk.response(case.order, Unavailable(said, hint="see `edge-agent status`")))

    def _give_up(self, stored: StoredCommand, why: str) -> None:
        self._around.record(self._clerk.given_up(stored, why), lambda receipt: None)

    def _close(self, case: Case, response: Response) -> None:
        self._drop(case)
        case.tell(response)

    def _drop(self, case: Case) -> None:
        self._open.pop(case.order.id, None)
        self._held.release(case)
