"""What the ledger is told and what it answers: frozen records, beside `records.Part` and `records.Event`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.ledger.spoken import Spoken
from edge_agent.records import Action, Event, Gated, Part


@dataclass(frozen=True)
class Misses:
    """Triggers that were never judged, declared so that the counts add up.

    Declaring a trigger that has a row changes nothing. A range takes no memory, however long it is.

    Attributes:
        series: the trigger source's count.
        first: number of the first one.
        last: number of the last one, included.
        cause: one word for why (`restart`, `disk`, …).
        recipe: the recipe that should have judged them.
    """

    series: str
    first: int
    last: int
    cause: str
    recipe: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"misses {self.first} to {self.last} of {self.series}: numbers start at 1")


@dataclass(frozen=True)
class Acted:
    """What the output was told about a part, known after its row was written.

    Attributes:
        series: the trigger source's count.
        number: the part's number in it.
        action: what the output was told.
        acted_s: when [s, host monotonic].
        committed_late: the output was told before the ledger had the part.
    """

    series: str
    number: int
    action: Action
    acted_s: float
    committed_late: bool = False


@dataclass(frozen=True)
class Pictured:
    """A part's picture is on the disk.

    Attributes:
        series: the trigger source's count.
        number: the part's number in it.
        picture: digest of the picture.
    """

    series: str
    number: int
    picture: str


@dataclass(frozen=True)
class Reached:
    """How far the console has everything. Another ledger than the one it speaks of does not hear it.

    Attributes:
        ledger: id of the database.
        upto: number of the last fact, for each class.
        counter: of the console's last word.
    """

    ledger: str
    upto: Mapping[str, int]
    counter: int = 0


@dataclass(frozen=True)
class Mark:
    """Something small to remember.

    Attributes:
        name: under which name.
        value: what.
    """

    name: str
    value: str


@dataclass(frozen=True)
class SetAside:
    """A fact that the console will never have. Another ledger than the one it speaks of does not hear it.

    Attributes:
        ledger: id of the database.
        kind: its class.
        first: everything from this number on is missing; there is one fact in it.
        last: its own number.
        why: one word.
        utc: wall time [s since the epoch].
    """

    ledger: str
    kind: str
    first: int
    last: int
    why: str
    utc: float


Receipted = Part | Spoken
"""What is answered by exactly one receipt."""

Item = Receipted | Misses | Event | Acted | Gated | Pictured | Reached | Mark | SetAside
"""Whatever the ledger can be told. Parts, what was spoken and misses are committed at once; the others ride
along with the next commit, half a second later at most."""


@dataclass(frozen=True, eq=False)
class Committed:
    """It is on the disk, fsynced.

    Attributes:
        item: the object that was offered.
        id: number of its row.
        committed_s: when the disk had it [s, host monotonic].
    """

    item: Receipted
    id: int
    committed_s: float


@dataclass(frozen=True, eq=False)
class Rejected:
    """It was not recorded, and never will be.

    Attributes:
        item: the object that was offered.
        cause: `duplicate` (the trigger has an answer already), `unrecordable` (breaks a rule of the table) or
            `disk`; of the last two a part becomes a declared miss.
        reason: one sentence for people.
    """

    item: Receipted
    cause: str
    reason: str


Receipt = Committed | Rejected
