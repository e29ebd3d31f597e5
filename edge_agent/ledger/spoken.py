"""What the ledger is told that somebody waits for: words on parts, lessons, commands and their answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from edge_agent.errors import BadData
from edge_agent.records import Event


class WordKind(StrEnum):
    """What a person did to a part's label."""

    CONFIRM = "confirm"
    CORRECT = "correct"
    UNDO = "undo"


@dataclass(frozen=True)
class Word:
    """A person's word on a part. Words are only added; `undo` takes back the one before.

    Attributes:
        part: the ledger's number of the part.
        kind: confirm or correct, with a label; undo, without.
        label: slug of the class; None for undo.
        utc: wall time [s since the epoch].
        who: name of the person or the program.
        id: the ledger's number of the word; 0 until it is committed.
    """

    part: int
    kind: WordKind
    label: str | None
    utc: float
    who: str = ""
    id: int = 0

    def __post_init__(self) -> None:
        if (self.label is None) != (self.kind is WordKind.UNDO):
            raise ValueError(f"{self.kind} with label {self.label!r}: a label belongs to all but undo")


@dataclass(frozen=True)
class Teaching:
    """A change of knowledge, for the audit.

    Attributes:
        utc: wall time [s since the epoch].
        action: `teach`, `forget`, `undo`, `adopt` or `look`; `cancel` of what was proposed; `overrule`, whose sources
            are the reasons.
        slug: the class.
        before: digest of the knowledge before, "" where there was none.
        after: digest of the knowledge after.
        sources: where each example came from: a part's number or a file's digest.
        who: name of the person or the program.
        id: the ledger's number of the teaching; 0 until it is committed.
    """

    utc: float
    action: str
    slug: str
    before: str
    after: str
    sources: tuple[str, ...] = ()
    who: str = ""
    id: int = 0


@dataclass(frozen=True)
class Audited:
    """A fact for the audit.

    Attributes:
        utc: wall time [s since the epoch].
        kind: `command`, or `refused`.
        body: what happened, a JSON object.
    """

    utc: float
    kind: str
    body: str


@dataclass(frozen=True)
class Accepted:
    """A command, before anything is done about it.

    Attributes:
        id: chosen by whoever asks.
        name: of the command.
        digest: of what is asked.
        request: what is asked, JSON.
        before: fingerprint of what it may change.
        utc: wall time [s since the epoch].
        ttl_s: how long after that it may be begun [s].
        key: id of the key that signed it, "" without one.
        issued_utc: when it was asked, as the asker says [s since the epoch].
        answer: what is answered where nothing will be done, JSON; "" where something will.
        told: the asker has that answer, or asks for it himself.
        audit: the row that goes with that answer.
    """

    id: str
    name: str
    digest: str
    request: str
    before: str
    utc: float
    ttl_s: float
    key: str = ""
    issued_utc: float = 0.0
    answer: str = ""
    told: bool = False
    audit: Audited | None = None


Effects = tuple[Word | Teaching | Event, ...]
"""What a command changes in the ledger itself."""


@dataclass(frozen=True)
class Answered:
    """The answer to a command, with the effects that live in the ledger: all of it or nothing.

    Attributes:
        id: of the command.
        answer: JSON.
        utc: wall time [s since the epoch].
        audit: the row that says so.
        told: the asker has it, or asks for it himself.
        effects: what was asked for.
    """

    id: str
    answer: str
    utc: float
    audit: Audited
    told: bool = False
    effects: Effects = ()


@dataclass(frozen=True)
class Told:
    """The asker has the answer.

    Attributes:
        id: of the command.
    """

    id: str


Spoken = Word | Teaching | Accepted | Answered | Told | Audited
"""What somebody waits for."""


def standing_label(words: Iterable[Word]) -> str | None:
    """Give the label that counts after some words.

    Args:
        words: oldest first.

    Returns:
        The label; None where none counts.

    Raises:
        BadData: an `undo` with nothing left to take back.
    """
    standing: list[str | None] = []
    for word in words:
        if word.kind is not WordKind.UNDO:
            standing.append(word.label)
        elif standing:
            standing.pop()
        else:
            raise BadData(f"part {word.part} has no label to take back")
    return standing[-1] if standing else None
