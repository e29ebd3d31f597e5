"""Keeps what should run running: opens the table's rows, restarts what became unavailable, gives up on bugs.

The type of an error says what to do; the supervisor does it. It is a component itself and never waits, except
in `stop`, which belongs to the end of the process.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edge_agent.errors import ConfigError, Remedy, remedy_for
from edge_agent.runtime.budget import RestartBudget
from edge_agent.runtime.loop import NEVER, Loop

RESTARTED: Final = frozenset({Remedy.RESTART, Remedy.ROLL_BACK, Remedy.OPEN_BREAKER})
"""What a new start may cure: `open` is where a component goes back to its last good copy, or falls back."""


LOOK_AGAIN_S: Final = 0.02
"""How long a component waits before it is seen again whether what it needs is there [s]."""


@dataclass(frozen=True)
class Entry:
    """One row of the table of what runs.

    Attributes:
        name: the component; where it also has a seat in the loop, the same name.
        open: acquires and may raise; safe to call again. On the loop thread: must not block.
        close: releases, and asks its threads to end without waiting for them; never raises, safe twice and
            after a failed `open`.
        budget: how often it may be restarted; a spent one ends the process.
        join: waits until a time [s, host monotonic] for what `close` asked to end; says whether it has.
        when: what it needs is there; it is not opened before.
    """

    name: str
    open: Callable[[], None]
    close: Callable[[], None]
    budget: RestartBudget = field(default_factory=RestartBudget)
    join: Callable[[float], bool] = lambda until: True
    when: Callable[[], bool] = lambda: True


class State(StrEnum):
    """What the supervisor knows of a component."""

    WAITING = "waiting"  #: closed, to be opened when its time has come
    RUNNING = "running"
    FAILED = "failed"  #: given up; the process ends because of it
    STOPPED = "stopped"


@dataclass(frozen=True)
class ComponentStatus:
    """One supervised component, for people.

    Attributes:
        name: the component.
        state: what it is doing.
        until_s: when it will be opened [s, host monotonic]; None unless it is waiting for a restart.
        restarts: how often it was closed to be opened again.
        dropped: items it could not use.
        last_error: what it last failed with, "" if it never did.
        hint: what the operator can do about that.
    """

    name: str
    state: State
    until_s: float | None
    restarts: int
    dropped: int
    last_error: str
    hint: str


@dataclass(frozen=True)
class Ending:
    """Why the supervisor ended the process.

    Attributes:
        component: who failed.
        error: with what.
        exit_code: 78 when a person must change the configuration (systemd does not restart), 1 otherwise.
    """

    component: str
    error: Exception
    exit_code: int


@dataclass
class _Kept:
    entry: Entry
    state: State = State.WAITING
    until: float = -math.inf
    restarts: int = 0
    dropped: int = 0
    last_error: str = ""
    hint: str = ""

    def note(self, error: Exception) -> None:
        self.last_error = str(error) or type(error).__name__
        self.hint = getattr(error, "hint", "")

    def status(self) -> ComponentStatus:
        until_s = self.until if self.state is State.WAITING and self.restarts else None
        return ComponentStatus(
            self.entry.name, self.state, until_s, self.restarts, self.dropped, self.last_error, self.hint
        )


class Supervisor:
    """Opens the rows in table order, keeps them open, and closes them in reverse. Loop thread unless said.

    It needs a seat in the loop (`loop.add(supervisor)`) and its ear (`loop.on_error = supervisor.failed`).

    Args:
        entries: what should run.
        loop: whose components are parked while closed; it is stopped when there is no going on.
        changed: hears a component's status whenever its state changes, on the thread that caused it.
    """

    name = "supervisor"

    def __init__(
        self,
        entries: Iterable[Entry],
        loop: Loop,
        changed: Callable[[ComponentStatus], object] = lambda status: None,
    ) -> None:
        self.ending: Ending | None = None
        self._kept: dict[str, _Kept] = {}
        for entry in entries:
            if entry.name in self._kept:
                raise ValueError(f"two entries are named {entry.name!r}")
            self._kept[entry.name] = _Kept(entry)
        self._loop = loop
        self._changed = changed
        self._failures: dict[str, Exception] = {}
        self._lock = threading.Lock()
        for name in self._kept:
            loop.park(name)

    def step(self, now: float) -> float:
        """Close what failed, open what should run and may; return when the next restart is due."""
        with self._lock:
            failures, self._failures = self._failures, {}
        for name, error in failures.items():
            if self._kept[name].state is State.RUNNING:
                self._restart_later(self._kept[name], error, now)
        for kept in self._kept.values():
            if kept.state is State.WAITING and kept.until <= now and self.ending is None:
                if kept.entry.when():
                    self._open(kept, now)
                else:
                    kept.until = now + LOOK_AGAIN_S
        return min((k.until for k in self._kept.values() if k.state is State.WAITING), default=NEVER)

    def failed(self, name: str, error: Exception) -> None:
        """Hear that `name` failed with `error`, and see to it. Safe from any thread; the loop's `on_error`.

        Whoever is not in the table cannot be restarted: anything but a bad item ends the process.
        """
        remedy = remedy_for(error)
        kept = self._kept.get(name)
        if remedy is Remedy.DROP_ITEM:
            if kept is not None:
                with self._lock:
                    kept.dropped += 1
                kept.note(error)
            if kept is None or kept.state is State.RUNNING:
                self._loop.resume(name)
        elif remedy in RESTARTED and kept is not None:
            with self._lock:
                self._failures.setdefault(name, error)
            self._loop.poke(self.name)
        else:
            self._give_up(name, error)

    def stop(self, until: float) -> tuple[str, ...]:
        """Close everything, last row first: ask all, then wait for all with one shared deadline.

        For the end of the process, when the loop no longer runs.

        Args:
            until: the deadline [s, host monotonic].

        Returns:
            The components that did not close cleanly or in time.
        """
        last_first = list(reversed(self._kept.values()))
        unclean = [kept.entry.name for kept in last_first if not self._close(kept)]
        unclean += [kept.entry.name for kept in last_first if not kept.entry.join(until)]
        for kept in last_first:
            if kept.state is not State.FAILED:
                self._enter(kept, State.STOPPED)
        return tuple(dict.fromkeys(unclean))

    def status(self) -> tuple[ComponentStatus, ...]:
        """Every component in table order. Safe from any thread."""
        return tuple(kept.status() for kept in self._kept.values())

    def _open(self, kept: _Kept, now: float) -> None:
        try:
            kept.entry.open()
        except Exception as error:  # the supervisor's boundary: the type says what to do
            if remedy_for(error) in RESTARTED:
                self._restart_later(kept, error, now)
            else:
                self._give_up(kept.entry.name, error)
            return
        self._enter(kept, State.RUNNING)
        self._loop.resume(kept.entry.name)

    def _restart_later(self, kept: _Kept, error: Exception, now: float) -> None:
        delay_s = kept.entry.budget.delay_s(now)
        if delay_s is None:
            self._give_up(kept.entry.name, error)
        elif self._close(kept):
            kept.note(error)
            kept.restarts += 1
            kept.until = now + delay_s
            self._enter(kept, State.WAITING)

    def _close(self, kept: _Kept) -> bool:
        self._loop.park(kept.entry.name)
        try:
            kept.entry.close()
        except Exception as error:  # the supervisor's boundary: one bad close must not keep the others open
            self._give_up(kept.entry.name, error)
            return False
        return True

    def _give_up(self, name: str, error: Exception) -> None:
        with self._lock:
            if self.ending is None:
                self.ending = Ending(name, error, os.EX_CONFIG if isinstance(error, ConfigError) else 1)
        self._loop.stop()
        if name in self._kept:
            self._kept[name].note(error)
            self._enter(self._kept[name], State.FAILED)

    def _enter(self, kept: _Kept, state: State) -> None:
        kept.state = state
        self._changed(kept.status())
