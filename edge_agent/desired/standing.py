"""What became of the console's wishes: the one that holds, the one on trial, the last one that did not do. Pure.

A wish is the whole of what the console wants, not a change of it, and its version only grows. A new one is on trial
until the station has run with it for a while; a station that does not come up with it goes back by itself.
"""

from __future__ import annotations

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


class Fate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of the last wish.

    Attributes:
        version: of it.
        phase: `checked` (a dry run), `refused`, `trial`, `holds` or `taken_back`.
        errors: why it was refused or taken back.
        changes: what it changes, or would change.
    """

    version: int
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
        last: what became of the last wish; None before the first.
    """

    holds: Wish | None = None
    held_since_utc: float = 0.0
    trial: Wish | None = None
    tries: Annotated[int, Meta(ge=0, le=TRIES)] = 0
    last: Fate | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What to run by now."""
        wish = self.trial or self.holds
        return {} if wish is None else wish.settings

    def is_old(self, wish: Wish) -> bool:
        """Say whether there is nothing to do about a wish.

        Args:
            wish: what came.

        Returns:
            It is known already: it holds, is on trial, or did not do.

        Raises:
            BadData: it is older than what is known, or another one of the same version.
        """
        known = self.trial or self.holds
        if known is not None and wish.version == known.version:
            if wish.settings != known.settings:
                raise BadData(f"there is another wish of version {wish.version} already")
            return not wish.dry_run
        latest = max((w.version for w in (self.trial, self.holds) if w is not None), default=0)
        if wish.version < latest:
            raise BadData(f"version {wish.version} is older than {latest}, which is known")
        return (
            self.last is not None
            and self.last.version == wish.version
            and self.last.phase in ("refused", "taken_back")
            and not wish.dry_run
        )

    def checked(self, wish: Wish, made: tuple[Change, ...]) -> Self:
        """Remember what a wish would change."""
        return replace(self, last=Fate(wish.version, "checked", (), made))

    def refused(self, wish: Wish, errors: tuple[str, ...]) -> Self:
        """Remember why a wish cannot be."""
        return replace(self, last=Fate(wish.version, "refused", errors))

    def on_trial(self, wish: Wish, made: tuple[Change, ...]) -> Self:
        """Have a wish tried at the next start."""
        return replace(self, trial=wish, tries=TRIES, last=Fate(wish.version, "trial", (), made))

    def started(self) -> Self:
        """Count one start with the trial; the one on trial is taken back where none was left."""
        if self.trial is None:
            return self
        if self.tries == 0:
            return self.taken_back("the station did not come up with it")
        return replace(self, tries=self.tries - 1)

    def proven(self, now_utc: float) -> Self:
        """Hold on to what was tried."""
        if self.trial is None or self.last is None:
            return self
        fate = Fate(self.trial.version, "holds", (), self.last.changes)
        return replace(self, holds=self.trial, held_since_utc=now_utc, trial=None, tries=0, last=fate)

    def taken_back(self, reason: str) -> Self:
        """Go back to what held before."""
        if self.trial is None:
            return self
        made = () if self.last is None else self.last.changes
        return replace(self, trial=None, tries=0, last=Fate(self.trial.version, "taken_back", (reason,), made))
