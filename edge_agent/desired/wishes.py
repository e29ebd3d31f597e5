"""Hears what the console wants of the settings, and sees each wish through: checked, tried, proven or taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from edge_agent.config import Config
from edge_agent.desired.standing import Fate, Wish
from edge_agent.desired.store import Desired, fingerprint
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.runtime.background import Background, Chore
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER
from edge_agent.signing import Envelope, is_signed
from edge_agent.strictjson import decode

PROBATION_S: Final = 60.0
"""A station that has judged parts for so long with new settings keeps them [s]."""

COMING_UP_S: Final = 120.0
"""A station that judges no part after so long goes back to the old ones [s]; as long as systemd waits for a start."""

PATIENCE_S: Final = 10.0
"""How long a moment without a part between trigger and action is waited for before the station begins anew [s]."""

LOOK_S: Final = 0.05
"""How often it is looked whether that moment has come [s]."""

Note = Callable[[str, str, str], None]


class Reported(msgspec.Struct, frozen=True):
    """What `state/config` says.

    Attributes:
        version: of the wish that the station runs by; 0 without one.
        sha256: digest of all settings in force.
        applied_at: since when that wish holds [s since the epoch]; None while it is on trial, and without one.
        trial: it has yet to prove itself.
        last: what became of the last wish; None before the first.
        errors: why the last one was refused or taken back.
    """

    version: int
    sha256: str
    applied_at: float | None
    trial: bool
    last: Fate | None
    errors: tuple[str, ...]


class Wishes:
    """The console's word on the settings of a running station. A component; loop thread.

    Args:
        desired: what is kept; None at a station without a file of settings.
        config: what the station runs by.
        opens: gives what is in an envelope that came on a topic, from somebody who may decide on settings.
        background: does what looks at the disk.
        clock: tells the time.
        is_up: parts are judged.
        idle: no part is between trigger and action.
        restart: has the station begin anew.
        note: records an event: severity, kind, message.
        poke: asks the loop to step this component.
    """

    name = "desired"

    def __init__(
        self,
        desired: Desired | None,
        config: Config,
        opens: Callable[[Envelope, str], str],
        background: Background,
        clock: Clock,
        *,
        is_up: Callable[[], bool],
        idle: Callable[[], bool],
        restart: Callable[[], None],
        note: Note,
        poke: Callable[[str], None],
    ) -> None:
        self.refused = 0
        self._desired, self._config, self._opens = desired, config, opens
        self._background, self._clock = background, clock
        self._is_up, self._idle, self._restart = is_up, idle, restart
        self._note, self._poke = note, poke
        self._sha256 = fingerprint(config)
        self._began_s = clock.now()
        self._up_s: float | None = None
        self._leaving_by_s: float | None = None
        self._busy = False
        self._next: tuple[Wish, Callable[[], None]] | None = None
        if desired is not None and desired.damage:
            self._note("error", "desired_damaged", desired.damage)

    def came(self, topic: str, payload: bytes, settled: Callable[[], None]) -> None:
        """Hear a message on the topic of the wishes.

        Args:
            topic: where it came.
            payload: what came.
            settled: called when it need not come again.
        """
        try:
            wish = self._read(topic, payload)
        except BadData as error:
            self.refused += 1
            self._note("warning", "desired_refused", f"settings from the console were refused: {error.message}")
            settled()
            return
        if self._desired is None:
            self._note("warning", "desired_refused", "this station has no file of settings that could be changed")
            settled()
            return
        if self._next is not None:
            self._next[1]()
        self._next = wish, settled
        self._consider(self._desired)

    def step(self, now: float) -> float:
        """Begin anew when it is time to; hold on to what has proven itself, take back what does not come up."""
        if self._leaving_by_s is not None:
            if self._idle() or now >= self._leaving_by_s:
                self._leaving_by_s = None
                self._restart()
            return now + LOOK_S
        if self._desired is None or self._desired.standing.trial is None:
            return NEVER
        if self._up_s is None and self._is_up():
            self._up_s = now
        due_s = self._began_s + COMING_UP_S if self._up_s is None else self._up_s + PROBATION_S
        if now < due_s:
            return min(due_s, now + 1.0)
        self._settle(proven=self._up_s is not None)
        return NEVER

    def reported(self) -> Reported:
        """Give what `state/config` is to say."""
        if self._desired is None:
            return Reported(0, self._sha256, None, False, None, ())
        standing = self._desired.standing
        runs_by = standing.trial or standing.holds
        return Reported(
            version=0 if runs_by is None else runs_by.version,
            sha256=self._sha256,
            applied_at=standing.held_since_utc if standing.holds is not None and standing.trial is None else None,
            trial=standing.trial is not None,
            last=standing.last,
            errors=() if standing.last is None else standing.last.errors,
        )

    def _consider(self, desired: Desired) -> None:
        """Have the newest wish considered, one at a time."""
        if self._busy or self._next is None:
            return
        (wish, settled), self._next = self._next, None

        def considered(result: bool | EdgeAgentError) -> None:
            self._busy = False
            if isinstance(result, EdgeAgentError):
                self._note("warning", "desired_refused", f"wish {wish.version} was not taken: {result.message}")
            else:
                self._tell(wish, result)
            if not isinstance(result, Unavailable):
                settled()  # where the disk fails it comes again
            self._consider(desired)

        self._busy = self._background.submit(Chore(lambda: desired.consider(wish, self._config), considered))

    def _read(self, topic: str, payload: bytes) -> Wish:
        envelope = is_signed(payload)
        if envelope is None:
            raise BadData("they are not signed")
        return decode(self._opens(envelope, topic).encode(), Wish)

    def _tell(self, wish: Wish, begins_anew: bool) -> None:
        assert self._desired is not None
        standing = self._desired.standing
        last = standing.last
        if last is None or last.version != wish.version:
            return
        said = ", ".join(f"{change.key} {change.before} → {change.after}" for change in last.changes)
        match last.phase:
            case "refused":
                self._note("warning", "desired_refused", f"wish {wish.version} of {wish.by}: {'; '.join(last.errors)}")
            case "trial" if begins_anew:
                self._note("info", "desired_trial", f"wish {wish.version} of {wish.by} is tried: {said}")
                self._leaving_by_s = self._clock.now() + PATIENCE_S
                self._poke(self.name)
            case "trial":
                self._poke(self.name)
            case _:
                pass

    def _settle(self, *, proven: bool) -> None:
        desired = self._desired
        assert desired is not None

        def kept(result: Any) -> None:
            if isinstance(result, EdgeAgentError):
                self._began_s = self._clock.now()  # the disk fails: it is tried again
                self._poke(self.name)
                return
            last = desired.standing.last
            version = 0 if last is None else last.version
            if proven:
                self._note("info", "desired_holds", f"wish {version} has proven itself and holds")
            else:
                self._note("error", "desired_taken_back", f"wish {version} is taken back: no part was judged with it")
                self._restart()

        utc = self._clock.utc()
        work: Callable[[], object] = (
            (lambda: desired.prove(utc)) if proven else (lambda: desired.take_back("no part was judged with it"))
        )
        if not self._background.submit(Chore(work, kept)):
            self._began_s = self._clock.now()
