"""What goes into the commands of the one table, in typed form, and what comes out of some of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Who = Annotated[str, Meta(min_length=1, max_length=80)]
KeyName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._@-]{1,80}\Z")]
KeyRole = Literal["operate", "administer", "acknowledge"]


class StatusArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`status` takes nothing."""


class EventsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`events`: the newest `limit` events, oldest first."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


class LabelArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`label`: a person's word on a part, a class by name or slug; without `label` the last word is taken back."""

    part: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    who: Who
    label: Name | None = None


class TeachArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`teach`: the examples travel as the request's body, see `learning.example`, or are the line's `next` parts.

    `golden` ones are only asked about; `now` promotes unproven; `goes_on` says that more of the lesson follows,
    and `following` how many examples at most, so that a lesson that has no room is refused before its first batch.
    """

    label: Name
    who: Who
    next: Annotated[int, Meta(ge=0, le=100)] = 0
    golden: bool = False
    now: bool = False
    goes_on: bool = False
    following: Annotated[int, Meta(ge=0, le=10**9)] = 0


class LearnedArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`learned` takes nothing."""


class ProofArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`proof` takes nothing."""


class PromoteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`promote`: `overrule` does it also where the proof sheet refuses."""

    who: Who
    overrule: bool = False


class CancelArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cancel`: a lesson that is being given, or a change that waits to be promoted."""

    who: Who


class ForgetArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`forget`: a class by name or slug, a sample's id, or what a sample was taught from."""

    what: Annotated[str, Meta(min_length=1, max_length=200)]
    who: Who


class UndoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`undo`: the last change of what was learned."""

    who: Who


class UseArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`use`: the name of a recipe of the configuration."""

    recipe: Annotated[str, Meta(min_length=1, max_length=40)]
    who: Who


class GateArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`gate`: let the reject gate `follow` the station, `bypass` it so that every part passes, or `try` it once."""

    to: Literal["follow", "bypass", "try"]
    who: Who


class InfoArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`info` takes nothing."""


class PartsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`parts`: the first `limit` parts after the number `after`, ascending; `since` and `until` are wall times [s]."""

    since: float | None = None
    until: float | None = None
    outcome: Literal["OK", "NG", "UNSURE", "MISSED"] | None = None
    after: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class OutboxArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`outbox` takes nothing."""


class IdentifyArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`identify`: say who this is, and record that somebody asked."""

    who: Who


class RestartArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`restart`: end and begin again, between two parts."""

    who: Who


class TrustArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`trust`: `list` the keys that count, `add` one (`name`, `role`, `public`), or `remove` one by `name`."""

    to: Literal["list", "add", "remove"]
    who: Who
    name: KeyName | None = None
    role: KeyRole | None = None
    public: Annotated[str, Meta(min_length=44, max_length=44)] | None = None


@dataclass(frozen=True)
class GateAnswer:
    """What `gate` answers.

    Attributes:
        bypassed: every part passes.
        armed: the gate follows the station; at its safe level otherwise.
        fate: of a trial: `done`, or why the gate did not move; "" without one.
        off_us: of a trial: how much later than asked for it moved [us]; None unless it did.
    """

    bypassed: bool
    armed: bool
    fate: str = ""
    off_us: float | None = None


@dataclass(frozen=True)
class Used:
    """What `use` answers.

    Attributes:
        recipe: the one in use now.
        took_ms: from the moment when the device was ready for it until it was in use [ms].
    """

    recipe: str
    took_ms: float


@dataclass(frozen=True)
class Labelled:
    """What `label` answers.

    Attributes:
        part: the part, as asked.
        label: the class, by its slug; None where a word was taken back.
    """

    part: int
    label: str | None


@dataclass(frozen=True)
class Identity:
    """What `identify` answers.

    Attributes:
        station: its name.
        version: of the program.
        series: the count of triggers it is at.
        number: how far that has come.
    """

    station: str
    version: str
    series: str
    number: int


@dataclass(frozen=True)
class TrustedKey:
    """A key whose signature counts.

    Attributes:
        name: whose it is.
        role: what it may do.
        id: what messages name it by.
        public: the key itself, 32 bytes in base64.
    """

    name: str
    role: KeyRole
    id: str
    public: str


@dataclass(frozen=True)
class Info:
    """What `info` answers.

    Attributes:
        station: its name.
        version: of the program.
        life: of this run; another one after each start.
        recipe: the one in use.
        recipes: all of them.
        bundle: name and version of the bundle in use.
        fingerprints: the state of what commands change, by resource: what `expect` is compared with.
        keys: ids of the keys whose signature counts.
        clock_synchronised: something keeps the wall clock right; None where the kernel may not be asked.
        commands: what can be asked for.
        counts: what became of commands, and of what came over the network, since the start.
    """

    station: str
    version: str
    life: str
    recipe: str
    recipes: tuple[str, ...]
    bundle: str
    fingerprints: dict[str, str]
    keys: tuple[str, ...]
    clock_synchronised: bool | None
    commands: tuple[str, ...]
    counts: dict[str, int]


Arguments = (
    StatusArguments
    | EventsArguments
    | LabelArguments
    | TeachArguments
    | LearnedArguments
    | ProofArguments
    | PromoteArguments
    | CancelArguments
    | ForgetArguments
    | UndoArguments
    | UseArguments
    | GateArguments
    | InfoArguments
    | PartsArguments
    | OutboxArguments
    | IdentifyArguments
    | RestartArguments
    | TrustArguments
)
