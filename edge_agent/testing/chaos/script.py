"""How a network is for a while, and what that does to the bytes of one direction. Pure."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal

LOOK_S: Final = 0.02
"""How often it is looked at what the script says [s]."""

Direction = Literal["both", "up", "down"]


@dataclass(frozen=True)
class Step:
    """How the network is for a while.

    Attributes:
        kind: `pass`: as the other fields say; `stall`: nothing passes and nothing is lost; `swallow`: everything is
            taken and nothing arrives (half-open); `reset`: the connection is torn at once (RST); `refuse`: so is each
            new one.
        direction: `up` is towards the target.
        latency_s: how much later each byte arrives [s].
        jitter_s: how much later still at most, at random [s]; order is kept.
        bandwidth_bytes_s: at most so much passes [bytes/s].
        piece_bytes: each piece is so long at most [bytes]; 1 drips.
        for_s: how long the step holds [s].
        for_bytes: after so many bytes of its direction it is over [bytes]; a packet may be torn by that.
    """

    kind: Literal["pass", "stall", "swallow", "reset", "refuse"] = "pass"
    direction: Direction = "both"
    latency_s: float = 0.0
    jitter_s: float = 0.0
    bandwidth_bytes_s: float = inf
    piece_bytes: int = 65_536
    for_s: float = inf
    for_bytes: float = inf


CLEAR: Final = Step()
"""Nothing is wrong."""


@dataclass
class Pipe:
    """One direction of one connection. Pure: bytes and times in, bytes out.

    Attributes:
        random: draws the jitter.
        held: what is under way, with the time from which it may arrive [s].
        passed_bytes: what has arrived in this step [bytes].
    """

    random: random.Random
    held: deque[tuple[float, bytes]] = field(default_factory=deque)
    passed_bytes: int = 0
    free_s: float = 0.0

    @property
    def held_bytes(self) -> int:
        """What is under way [bytes]."""
        return sum(len(chunk) for _, chunk in self.held)

    def put(self, chunk: bytes, step: Step, now: float) -> None:
        """Take in what was sent [now: s, host monotonic]."""
        if step.kind == "swallow":
            return
        due_s = now + step.latency_s + self.random.uniform(0.0, step.jitter_s)
        last_s = self.held[-1][0] if self.held else now
        self.held.append((max(due_s, last_s), chunk))

    def take(self, step: Step, now: float) -> bytes:
        """Give what arrives now; one piece, b"" for nothing.

        Args:
            step: how the network is.
            now: host monotonic time [s].

        Returns:
            The piece.
        """
        if step.kind != "pass" or not self.held or self.held[0][0] > now or self.free_s > now:
            return b""
        due_s, chunk = self.held.popleft()
        limit = int(
            max(1.0, min(step.piece_bytes, step.for_bytes - self.passed_bytes, step.bandwidth_bytes_s * LOOK_S))
        )
        piece, rest = chunk[:limit], chunk[limit:]
        if rest:
            self.held.appendleft((due_s, rest))
        self.free_s = max(self.free_s, now - LOOK_S) + len(piece) / step.bandwidth_bytes_s
        self.passed_bytes += len(piece)
        return piece

    def due_s(self, step: Step) -> float:
        """Say when something arrives next [s, host monotonic]; infinity when nothing is under way."""
        return max(self.held[0][0], self.free_s) if self.held and step.kind == "pass" else inf
