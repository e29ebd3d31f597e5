"""Tells systemd that the station lives, but only while every watched stage makes progress.

A timer that always said "alive" would hide a stage that hangs. An idle stage that turned its loop and found
nothing to do has made progress.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Watchdog:
    """Feeds systemd's watchdog from the progress of the stages.

    Args:
        limits_s: for each stage, the longest it may go without progress [s].
        notify: sends assignments to systemd, one a line (`systemd.notify`); must not block.
        now: when the watch begins [s, host monotonic].
        period_s: time between two messages [s]; at most half of systemd's `WatchdogSec`.
        summary: one line for `systemctl status` while all is well.
    """

    name = "watchdog"

    def __init__(
        self,
        limits_s: Mapping[str, float],
        notify: Callable[[str], object],
        now: float,
        period_s: float = 5.0,
        summary: Callable[[], str] = lambda: "running",
    ) -> None:
        self._limits_s = dict(limits_s)
        self._notify = notify
        self._period_s = period_s
        self._summary = summary
        self._seen = dict.fromkeys(limits_s, now)

    def progressed(self, stage: str, now: float) -> None:
        """Note that `stage` made progress at `now` [s, host monotonic]. Safe from any thread."""
        if stage not in self._seen:
            raise KeyError(f"no stage named {stage!r} is watched")
        self._seen[stage] = now

    def stalled(self, now: float) -> dict[str, float]:
        """How long each stage that is over its limit at `now` has made no progress [s]."""
        idle_s = {stage: now - seen for stage, seen in self._seen.items()}
        return {stage: idle for stage, idle in idle_s.items() if idle > self._limits_s[stage]}

    def step(self, now: float) -> float:
        """Feed the watchdog, or say who keeps it from being fed."""
        if stalled := self.stalled(now):
            stages = ", ".join(f"{s} {idle:.1f} s (limit {self._limits_s[s]:g} s)" for s, idle in stalled.items())
            self._notify(f"STATUS=stalled: {stages}")
        else:
            status = " ".join(self._summary().splitlines())
            self._notify(f"WATCHDOG=1\nSTATUS={status}")
        return now + self._period_s
