"""Which stations there are and how they are, from the states that lie at the broker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from edge_agent.config.uplink import UplinkConfig
from edge_agent.console import lines
from edge_agent.console.collector import Collector
from edge_agent.console.heard import State
from edge_agent.console.visit import console_door, visit
from edge_agent.console.watch import client_id, complain, filters_of
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.clock import SystemClock
from edge_agent.terminal.printing import say, say_json
from edge_agent.uplink.message import Door, Happening

QUIET_S: Final = 0.5
"""What lies at the broker comes at once; after so long without more of it that was all [s]."""

LONGEST_S: Final = 5.0
"""Where stations go on to say new states, the look ends after so long [s]."""


@dataclass(frozen=True)
class StationRow:
    """What is known of a station.

    Attributes:
        station: its name.
        online: what it, or the broker in its name, said last; None where nothing was said.
        since_utc: since when that is so [s since the epoch]; None where nobody says.
        seen_utc: the newest time in any of its states [s since the epoch]; None where there is none.
        version: of its program; "" where it does not say.
        backlog: messages that wait to be told; None where it does not say.
        health: `ok`, `warn` or `fault`; "" where it does not say.
        troubles: what is wrong, a sentence for each kind.
    """

    station: str
    online: bool | None
    since_utc: float | None
    seen_utc: float | None
    version: str
    backlog: int | None
    health: str = ""
    troubles: dict[str, str] = field(default_factory=dict)


def row_of(station: str, states: Mapping[str, Mapping[str, Any]]) -> StationRow:
    """Make the row of a station.

    Args:
        station: its name.
        states: what it says of itself, by name.

    Returns:
        The row; what it does not say is left open.
    """
    online, info, health = (states.get(name, {}) for name in ("online", "info", "health"))
    times = [time for state in states.values() for name in ("since", "utc", "at") if (time := _number(state.get(name)))]
    said = health.get("troubles")
    troubles = [trouble for trouble in said if isinstance(trouble, dict)] if isinstance(said, list) else []
    return StationRow(
        station,
        online["online"] if isinstance(online.get("online"), bool) else None,
        _number(online.get("since")),
        max(times, default=None),
        lines.shown(info.get("version", "")),
        _count(health.get("backlog")),
        lines.shown(health.get("health", "")),
        {lines.shown(trouble.get("kind", "?")): lines.shown(trouble.get("message", "")) for trouble in troubles},
    )


class Roll:
    """Collects states until no more come.

    Args:
        root: what all topics begin with.
        now: host monotonic time [s].
        longest_s: how long at most [s].
    """

    def __init__(self, root: str, now: float, longest_s: float = LONGEST_S) -> None:
        self.collector = Collector(root)
        self.states: dict[str, dict[str, State]] = {}
        self._until_s, self._quiet_s = now + longest_s, float("inf")

    def connected(self, door: Door, now: float) -> None:
        """Begin to wait for what lies there."""
        self._quiet_s = now + QUIET_S

    def happened(self, happenings: Sequence[Happening], door: Door, now: float) -> None:
        """Take states; the newest of each counts."""
        for station, state in self.collector.collect(happenings, door).states:
            self.states.setdefault(station, {})[state.name] = state
            self._quiet_s = now + QUIET_S

    def step(self, door: Door, now: float) -> float | None:
        """Wait for more."""
        return None if self.over(now) else min(self._quiet_s, self._until_s)

    def over(self, now: float) -> bool:
        """Nothing more came, or it takes too long."""
        return now >= min(self._quiet_s, self._until_s)

    def rows(self) -> list[StationRow]:
        """Give the stations by name."""
        return [
            row_of(station, {name: state.value for name, state in states.items()})
            for station, states in sorted(self.states.items())
        ]


def list_stations(config: UplinkConfig, *, as_json: bool) -> int:
    """Print the stations that the broker knows of.

    Args:
        config: the way to the broker.
        as_json: print JSON.

    Returns:
        0 when every station is online, else 1.
    """
    clock = SystemClock()
    roll = Roll(config.root, clock.now())
    reasons: list[EdgeAgentError] = []
    door = console_door(config, clock, client_id(clock), filters_of(config.root, (), ("state/#",)))
    visit(door, roll, clock, reasons.append, patient=False)
    if reasons and not roll.states:
        raise reasons[-1]
    for reason in reasons:
        complain(reason)
    rows = roll.rows()
    if as_json:
        say_json(rows)
    else:
        _print(rows, say)
    return 0 if rows and all(row.online for row in rows) else 1


def _print(rows: Sequence[StationRow], out: Callable[[str], None]) -> None:
    if not rows:
        out("no station has said anything here")
        return
    out(f"{'station':<20} {'':<8} {'health':<6} {'since':<17} {'seen':<17} {'backlog':>8}  version")
    for row in rows:
        word = {True: "online", False: "offline", None: "?"}[row.online]
        backlog = "?" if row.backlog is None else str(row.backlog)
        out(
            f"{row.station:<20} {word:<8} {row.health or '?':<6} {_date(row.since_utc):<17} "
            f"{_date(row.seen_utc):<17} {backlog:>8}  {row.version or '?'}"
        )
        for text in row.troubles.values():
            out(f"  {text}")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: object) -> int | None:
    """Read a count, or the sum of counts by class."""
    if isinstance(value, dict):
        counts = [_count(inner) for inner in value.values()]
        return (
            sum(count for count in counts if count is not None) if any(count is not None for count in counts) else None
        )
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _date(utc: float | None) -> str:
    try:
        return "?" if utc is None else datetime.fromtimestamp(utc).astimezone().strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return "?"
