"""What goes into one transaction, and what became of it: values between the backlog and the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.errors import BadData
from edge_agent.ledger.items import Misses, Reached, Receipted, SetAside
from edge_agent.records import Action, Event


class Duplicate(BadData):
    """The trigger has an answer already."""


@dataclass
class Late:
    """What became known about a part after its row was made; None where nothing did."""

    committed_s: float | None = None
    acted_s: float | None = None
    action: Action | None = None
    committed_late: bool = False
    picture: str | None = None
    gate: str | None = None
    gate_off_us: float | None = None


@dataclass(frozen=True)
class Batch:
    """What goes into one transaction.

    Attributes:
        items: what is answered, in the order it came.
        misses: triggers to declare.
        events: to be added to the log.
        late: fields to fill in, by series and number.
        utc: wall time of the declared misses [s since the epoch].
        again: a transaction with some of this has failed before, and may yet have reached the disk.
        told: how far the console has everything, where that is new.
        marks: small things to remember, by name.
        asides: facts that it will never have.
    """

    items: Sequence[Receipted] = ()
    misses: Sequence[Misses] = ()
    events: Sequence[Event] = ()
    late: Sequence[tuple[tuple[str, int], Late]] = ()
    utc: float = 0.0
    again: bool = False
    told: Reached | None = None
    marks: Mapping[str, str] = field(default_factory=dict)
    asides: Sequence[SetAside] = ()


@dataclass(frozen=True)
class Written:
    """What became of a batch.

    Attributes:
        rows: for each of its items the number of the row, or why it has none.
        refused: why misses, late fields or events have none.
        declared: new rows of misses.
    """

    rows: Sequence[int | BadData]
    refused: Sequence[BadData] = ()
    declared: int = 0
