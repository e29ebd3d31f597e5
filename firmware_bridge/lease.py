"""Keeps the outputs armed while whoever decides about parts is alive, and no longer.

Pure. The microcontroller holds the lease; this end only says that it is still wanted, and why not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from firmware_bridge.messages import Arm, Heartbeat

BEATS: Final = 4
"""Heartbeats in a lease: three may be lost."""
ARM_S: Final = 0.5
"""Between two attempts to arm [s]."""
LOOK_S: Final = 0.050
"""Unarmed outputs that are not wanted are looked after at least so often [s]: whoever decides may be alive again."""


class Lease:
    """One microcontroller's lease, seen from the host.

    Args:
        lease_ms: how long the outputs stay armed after a heartbeat [ms].
        send: sends a message; False when it cannot be taken.
    """

    def __init__(self, lease_ms: int, send: Callable[[Arm | Heartbeat, float], bool]) -> None:
        self._lease_ms = lease_ms
        self._send = send
        self._held_s = -math.inf
        self._from_s = -math.inf
        self._due_s = 0.0
        self.armed = False  #: what the microcontroller said last

    def hold(self, now: float) -> None:
        """Say that whoever decides is alive. Safe from any thread."""
        self._held_s = now

    def follow_from(self, from_s: float) -> None:
        """Let the outputs be at their safe level until a moment [s, host monotonic]. Safe from any thread."""
        self._from_s = from_s

    def begin(self, now: float) -> None:
        """Start with a microcontroller that is not armed; whoever decides has to say anew that it is alive."""
        self.armed = False
        self._held_s = -math.inf
        self._due_s = now

    def told(self, armed: bool, now: float) -> bool:
        """Hear from a STATUS whether a lease holds; say whether that is news."""
        news = self.armed != armed
        self.armed = armed
        if news:
            self._due_s = now
        return news

    def step(self, now: float) -> bool:
        """Arm, or extend the lease, when that is due and wanted; say whether ARM was said.

        A host whose loop stands still stops extending after half a lease, so the outputs are safe after one and a half.
        """
        if now < self._due_s:
            return False
        lease_s = self._lease_ms / 1e3
        wanted = now >= self._from_s and now - self._held_s <= lease_s / 2.0
        self._due_s = now + lease_s / BEATS
        if not self.armed:
            self._due_s = now + (ARM_S if wanted else min(lease_s / BEATS, LOOK_S))
        if now < self._from_s:
            self._due_s = min(self._due_s, self._from_s)
        if wanted and self.armed:
            self._send(Heartbeat(self._lease_ms), now)
        return wanted and not self.armed and self._send(Arm(), now)

    def next_wake_s(self) -> float:
        """Give when `step` has something to do [s]."""
        return self._due_s
