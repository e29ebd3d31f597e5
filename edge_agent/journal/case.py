"""What the journal knows of an order under way, and of the station around it. Holds, and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from edge_agent.commands import Resource
from edge_agent.journal.askers import Asker, Askers
from edge_agent.journal.order import Order
from edge_agent.journal.response import Response
from edge_agent.ledger import Accepted, Answered, Receipt, StoredCommand
from edge_agent.ledger.items import Item
from edge_agent.runtime.background import Chore


class Surroundings(Protocol):
    """What the journal needs to know of the station."""

    def fingerprint(self, resource: Resource) -> str:
        """Say by a digest what state something is in that commands change; "" for what has none."""

    def found(self, resource: Resource) -> str:
        """Say the same of what the life before left, before this one changed anything."""

    def is_ready(self) -> bool:
        """Say whether commands of the life before can be gone on with."""

    def is_safe(self) -> bool:
        """Say whether no part is between its trigger and its action."""

    def is_synchronised(self) -> bool:
        """Say whether something keeps the wall clock right."""

    def begun_utc(self) -> float:
        """Say when the ledger was begun that knows the ids of commands [s since the epoch]."""

    def progress(self) -> object:
        """Say how far long work is; None where there is none."""

    def stored(self, command_id: str) -> StoredCommand | None:
        """Read a command from the ledger; in the background."""

    def submit(self, chore: Chore) -> bool:
        """Have something done in the background."""

    def record(self, item: Item, then: Callable[[Receipt], None]) -> bool:
        """Have the ledger write something; `then` hears on the loop thread what became of it."""


class Stage(Enum):
    """How far an order is."""

    LEFT = auto()  #: a life before left it without an answer
    STORING = auto()
    UNSTORED = auto()  #: the ledger could not; it is asked again
    WAITING = auto()  #: for a moment between two parts
    RUNNING = auto()
    ANSWERING = auto()  #: the ledger writes the answer
    UNWRITTEN = auto()  #: the ledger could not; it is asked again


@dataclass(eq=False)
class Case:
    """An order under way.

    Attributes:
        order: what is asked.
        stage: how far it is.
        before: fingerprint of what it may change, when it was accepted.
        askers: hear what is said about it, and that it is safe.
        accepted: what the ledger is to keep of it.
        answer: what the ledger is to keep of its answer.
        response: what is answered; None while that is not known.
        result: the result or the error itself, where this run of the station has made it.
        after: done once the answer is on record.
        since_s: since when the ledger has the order, or its answer [s, host monotonic].
        left: whoever asked did not wait for the ledger any longer.
    """

    order: Order
    stage: Stage
    before: str
    askers: Askers[Asker] = field(default_factory=Askers)
    accepted: Accepted | None = None
    answer: Answered | None = None
    response: Response | None = None
    result: object = None
    after: Callable[[], None] = lambda: None
    since_s: float = 0.0
    left: bool = False

    def tell(self, response: Response) -> None:
        """Say something to whoever asks."""
        for asker in self.askers.all():
            asker.tell(response, self.result)

    def safe(self) -> None:
        """Say that the request is safe to whoever waits for that."""
        for asker in self.askers.all():
            asker.safe()


class Held:
    """Which resource is being changed by which order."""

    def __init__(self) -> None:
        self._held: dict[Resource, Case] = {}

    def holder(self, order: Order) -> Case | None:
        """Give what keeps an order from being begun; None where nothing does."""
        holder = self._held.get(order.command.resource)
        return None if holder is None or holder.order.command.name in order.command.interrupts else holder

    def hold(self, case: Case) -> None:
        """Keep what an order changes from others."""
        resource = case.order.command.resource
        if resource not in (Resource.NONE, Resource.LEDGER):  # the ledger's own writer keeps labels apart
            self._held.setdefault(resource, case)

    def release(self, case: Case) -> None:
        """Let others change it."""
        resource = case.order.command.resource
        if self._held.get(resource) is case:
            del self._held[resource]
