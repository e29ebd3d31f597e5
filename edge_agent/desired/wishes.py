"""Hears what the console wants of the settings, and sees each wish through: checked, tried, proven or taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import msgspec

from edge_agent.config import Config
from edge_agent.desired.standing import Fate, Wish
from edge_agent.desired.store import Desired, fingerprint
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.runtime.allowance import Allowance
from edge_agent.runtime.background import Background, Chore
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.loop import NEVER
from edge_agent.strictjson import decode
from edge_agent.trust.signing import Envelope, is_signed

PROBATION_S: Final = 60.0
"""A station that has judged parts for so long with new settings keeps them [s]."""

COMING_UP_S: Final = 120.0
"""A station that does not come up for so long, or judges none of its parts, goes back [s]: what a start may take."""

PATIENCE_S: Final = 10.0
"""How long a moment without a part between trigger and action is waited for before the station begins anew [s]."""

LOOK_S: Final = 0.05
"""How often it is looked whether that moment has come [s]."""

TRIAL_LOOK_S: Final = 1.0
"""How often a trial is looked at [s]."""

RETRY_S: Final = 10.0
"""What the disk or a busy station did not take is tried again after this [s]."""

QUIET_S: Final = 60.0
"""Refusals are an event at most so often [s]: nobody fills the ledger by being refused."""

Note = Callable[[str, str, str], None]


@dataclass(frozen=True)
class Prospect:
    """What a trial has to know of the running station; each is asked on the loop thread.

    Attributes:
        is_up: the source has been opened.
        triggers: parts that were announced since the start.
        judged: parts that were answered in time by what they looked and sounded like, since the start.
        is_idle: nothing is begun that should be ended first: a start, or a part between trigger and action.
    """

    is_up: Callable[[], bool]
    triggers: Callable[[], int]
    judged: Callable[[], int]
    is_idle: Callable[[], bool]


class Reported(msgspec.Struct, frozen=True):
    """What `state/config` says.

    Attributes:
        version: of the wish that the station runs by; 0 without one.
        sha256: digest of all settings in force.
        applied_at: since when that wish holds [s since the epoch]; None while it is on trial, and without one.
        trial: it has yet to prove itself.
        last: what became of the last wish or dry run; None before the first.
        errors: why that was refused or taken back.
    """

    version: int
    sha256: str
    applied_at: float | None
    trial: bool
    last: Fate | None
    errors: tuple[str, ...]


class Wishes:
    """The console's word on the settings of a running station. A component; loop thread.

    One thing at a time: while a wish is considered, or a trial ended, the newest wish and the newest dry run wait, in
    this order, and those before them are dropped.

    Attributes:
        refused: messages that were no wishes of somebody who may have them.

    Args:
        desired: what is kept; None at a station without a file of settings.
        config: what the station runs by.
        opens: gives what is in an envelope that came on a topic, from somebody who may decide on settings.
        background: does what looks at the disk.
        clock: tells the time.
        line: the running station.
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
        line: Prospect,
        restart: Callable[[], None],
        note: Note,
        poke: Callable[[str], None],
    ) -> None:
        self.refused = 0
        self._desired, self._config, self._opens = desired, config, opens
        self._background, self._clock, self._line = background, clock, line
        self._restart, self._note, self._poke = restart, note, poke
        self._sha256 = fingerprint(config)
        self._waiting: dict[bool, tuple[Wish, Callable[[], None]]] = {}  # by whether it is a dry run
        self._doing = False
        self._again_s = float("-inf")
        self._refusals = Allowance(1, QUIET_S)
        self._leaving_by_s: float | None = None
        self._word: Fate | None = None
        self._begin_trial()
        if desired is not None:
            if desired.damage:
                self._note("error", "desired_damaged", desired.damage)
            if (fate := desired.went_back) is not None:
                self._note(
                    "error", "desired_taken_back", f"wish {fate.version} is taken back: {'; '.join(fate.errors)}"
                )

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
            self._turn_away(f"settings from the console were refused: {error.message}")
            settled()
            return
        if self._desired is None:
            self._turn_away("this station has no file of settings that could be changed")
            settled()
            return
        if wish.dry_run in self._waiting:
            self._waiting[wish.dry_run][1]()
        self._waiting[wish.dry_run] = wish, settled
        self._poke(self.name)

    def step(self, now: float) -> float:
        """Consider the newest wish; end a trial that has ended; begin anew when it is time to."""
        if self._leaving_by_s is not None:
            if self._line.is_idle() or now >= self._leaving_by_s:
                self._leaving_by_s = None
                self._restart()
            return now + LOOK_S
        if self._doing or self._desired is None:
            return NEVER
        if now < self._again_s:
            return self._again_s
        if self._waiting:
            wish, settled = self._waiting[min(self._waiting)]
            work = partial(self._desired.consider, wish, self._config, self._clock.utc())
            if self._do(work, partial(self._considered, wish, settled, self._desired.standing.newest)):
                del self._waiting[wish.dry_run]
            return self._again_s if not self._doing else NEVER
        return self._look_at_trial(self._desired, now)

    def ended(self) -> None:
        """Take note that this life of the station ended because somebody wanted it to; after the loop has ended."""
        if self._desired is not None:
            try:
                self._desired.end()
            except Unavailable as error:
                self._note("warning", "desired_refused", f"the start of a trial stays counted: {error.message}")

    def reported(self) -> Reported:
        """Give what `state/config` is to say."""
        if self._desired is None:
            return Reported(0, self._sha256, None, False, None, ())
        standing = self._desired.standing
        runs_by = self._desired.trying or standing.holds
        is_trial = self._desired.trying is not None and self._desired.trying == standing.trial
        last = self._word or standing.newest
        return Reported(
            version=0 if runs_by is None else runs_by.version,
            sha256=self._sha256,
            applied_at=None if standing.holds is None or is_trial else standing.held_since_utc,
            trial=is_trial,
            last=last,
            errors=() if last is None else last.errors,
        )

    def _read(self, topic: str, payload: bytes) -> Wish:
        envelope = is_signed(payload)
        if envelope is None:
            raise BadData("they are not signed")
        return decode(self._opens(envelope, topic).encode(), Wish)

    def _turn_away(self, message: str) -> None:
        self.refused += 1
        now = self._clock.now()
        if self._refusals.has_room(now):
            self._refusals.use(now)
            self._note("warning", "desired_refused", f"{_printable(message)}; {self.refused} since the start")

    def _do(self, work: Callable[[], Any], then: Callable[[Any], None]) -> bool:
        """Do something in the background; say whether it was taken."""

        def finish(result: Any) -> None:
            self._doing = False
            if isinstance(result, Unavailable):
                self._again_s = self._clock.now() + RETRY_S
            then(result)
            self._poke(self.name)

        self._doing = self._background.submit(Chore(work, finish))
        if not self._doing:
            self._again_s = self._clock.now() + RETRY_S
        return self._doing

    def _considered(
        self, wish: Wish, settled: Callable[[], None], known: Fate | None, result: Fate | EdgeAgentError
    ) -> None:
        if isinstance(result, Unavailable):
            if wish.dry_run in self._waiting:
                settled()
            else:
                self._waiting[wish.dry_run] = wish, settled
            return
        settled()
        if isinstance(result, EdgeAgentError):
            self._word = Fate(wish.version, wish.digest, "refused", (result.message,))
            self._turn_away(f"wish {wish.version} was not taken: {result.message}")
            return
        if wish.dry_run:
            self._word = result
            return
        if result != known:
            self._word = None
        by, said = _printable(wish.by), ", ".join(f"{c.key} {c.before} → {c.after}" for c in result.changes)
        match result.phase:
            case "refused":
                self._turn_away(f"wish {wish.version} of {by} was refused: {'; '.join(result.errors)}")
            case "trial" if result.changes and self._desired is not None and self._desired.trying != wish:
                self._note("info", "desired_trial", f"wish {wish.version} of {by} is tried: {said}")
                patience_s = PATIENCE_S if self._line.is_up() else COMING_UP_S
                self._leaving_by_s = self._clock.now() + patience_s
            case "trial":
                self._begin_trial()
            case _:
                pass

    def _begin_trial(self) -> None:
        self._began_s = self._clock.now()
        self._triggers, self._judged = self._line.triggers(), self._line.judged()
        self._first_trigger_s: float | None = None
        self._first_judged_s: float | None = None

    def _look_at_trial(self, desired: Desired, now: float) -> float:
        wish = desired.trying
        if wish is None or wish != desired.standing.trial:
            return NEVER
        if self._first_trigger_s is None and self._line.triggers() > self._triggers:
            self._first_trigger_s = now
        if self._first_judged_s is None and self._line.judged() > self._judged:
            self._first_judged_s = now
        if self._first_judged_s is not None:
            if now >= self._first_judged_s + PROBATION_S:
                self._do(partial(desired.prove, wish, self._clock.utc()), partial(self._proven, wish))
        elif not self._line.is_up():
            if now >= self._began_s + COMING_UP_S:
                self._take_back(desired, wish, "the station did not come up with it")
        elif self._first_trigger_s is not None and now >= self._first_trigger_s + COMING_UP_S:
            self._take_back(desired, wish, "no part could be judged with it")
        return NEVER if self._doing else now + TRIAL_LOOK_S

    def _proven(self, wish: Wish, result: bool | EdgeAgentError) -> None:
        if result is True:
            self._note("info", "desired_holds", f"wish {wish.version} has proven itself and holds")

    def _take_back(self, desired: Desired, wish: Wish, reason: str) -> None:
        def taken(result: bool | EdgeAgentError) -> None:
            if result is True:
                self._note("error", "desired_taken_back", f"wish {wish.version} is taken back: {reason}")
                self._restart()

        self._do(partial(desired.take_back, wish, reason), taken)


def _printable(text: str) -> str:
    """Give a text from outside without what a terminal would act on."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
