"""What became of the console's wishes: the one that holds, the one on trial, the fate of the newest. Pure.

A wish is the whole of what the console wants, not a change of it, and its version only grows: one that is older than
the newest that was considered is nothing, whatever became of that. A new one is on trial until the station has judged
parts with it for a while; a station that does not come up with it goes back by itself. A dry run leaves nothing behind.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal, Self

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from edge_agent.desired.settings import Change
from edge_agent.errors import BadData

TRIES: Final = 2
"""Starts that a wish on trial gets: one may be ended by a power cut that had nothing to do with it."""

MAX_SETTINGS: Final = 200
"""In one wish; there are fewer that may be set."""

DIGEST_DIGITS: Final = 16

Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Phase = Literal["checked", "refused", "trial", "holds", "taken_back"]


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the console wants.

    Attributes:
        v: version of this format.
        version: grows with each wish.
        settings: by key, with dots; what is not in it is as the station's file says.
        by: who wants it.
        dry_run: only say what it would change.
    """

    v: Literal[1]
    version: Version
    settings: dict[Annotated[str, Meta(max_length=80)], Any]
    by: Annotated[str, Meta(min_length=1, max_length=80)]
    dry_run: bool = False

    @property
    def digest(self) -> str:
        """What tells wishes apart, whoever says them: a digest of version and settings."""
        said = msgspec.json.encode((self.version, self.settings), order="sorted")
        return hashlib.sha256(said).hexdigest()[:DIGEST_DIGITS]


class Fate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a wish.

    Attributes:
        version: of it.
        digest: of it, as `Wish.digest`.
        phase: `checked` (a dry run), `refused`, `trial`, `holds` or `taken_back`.
        errors: why it was refused or taken back.
        changes: what it changes, or would change.
    """

    version: int
    digest: str
    phase: Phase
    errors: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


class Standing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the wishes stand.

    Attributes:
        holds: what the station runs by; None without one.
        held_since_utc: since when [s since the epoch].
        trial: what it tries; None without one.
        tries: starts that the trial has left.
        newest: fate of the newest wish that was considered; None before the first.
    """

    holds: Wish | None = None
    held_since_utc: float = 0.0
    trial: Wish | None = None
    tries: Annotated[int, Meta(ge=0, le=TRIES)] = 0
    newest: Fate | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What to run by now."""
        wish = self.trial or self.holds
        return {} if wish is None else wish.settings

    def is_known(self, wish: Wish) -> bool:
        """Say whether a wish is the newest that was considered.

        Args:
            wish: no dry run.

        Returns:
            There is nothing to do about it; False: it is new.

        Raises:
            BadData: it is older, or another one of the same version.
        """
        if self.newest is None or wish.version > self.newest.version:
            return False
        if wish.version < self.newest.version:
            raise BadData(f"version {wish.version} is older than {self.newest.version}, which is known")
        if wish.digest != self.newest.digest:
            raise BadData(f"there is another wish of version {wish.version} already")
        return True

    def refused(self, wish: Wish, errors: tuple[str, ...]) -> Self:
        """Remember why a wish cannot be."""
        return replace(self, newest=Fate(wish.version, wish.digest, "refused", errors))

    def on_trial(self, wish: Wish, made: tuple[Change, ...]) -> Self:
        """Have a wish tried at the next start."""
        return replace(self, trial=wish, tries=TRIES, newest=Fate(wish.version, wish.digest, "trial", (), made))

    def held(self, wish: Wish, now_utc: float) -> Self:
        """Hold on to a wish, at once where it changes nothing."""
        return self._settled(wish, "holds", replace(self, holds=wish, held_since_utc=now_utc))

    def taken_back(self, reason: str) -> Self:
        """Go back to what held before the trial."""
        return self if self.trial is None else self._settled(self.trial, "taken_back", self, (reason,))

    def started(self) -> Self:
        """Count one start with the trial; the one on trial is taken back where none was left."""
        if self.trial is None:
            return self
        return self.taken_back("the station did not come up with it") if self.tries == 0 else self._with_tries(-1)

    def stopped(self) -> Self:
        """Take one start back from the count: it ended because somebody wanted it to."""
        return self if self.trial is None else self._with_tries(1)

    def _with_tries(self, more: int) -> Self:
        return replace(self, tries=min(self.tries + more, TRIES))

    def _settled(self, wish: Wish, phase: Phase, standing: Self, errors: tuple[str, ...] = ()) -> Self:
        """End the trial; the fate of the newest wish changes where this is the one."""
        newest = self.newest
        made = newest.changes if newest is not None and newest.digest == wish.digest else ()
        if newest is None or newest.version <= wish.version:
            newest = Fate(wish.version, wish.digest, phase, errors, made)
        return replace(standing, trial=None, tries=0, newest=newest)
