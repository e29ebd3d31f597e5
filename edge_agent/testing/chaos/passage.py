"""One connection through a bad network: two sockets, and the place in the script."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Sequence
from typing import Final

from edge_agent.testing.chaos.script import CLEAR, LOOK_S, Pipe, Step

HELD_BYTES: Final = 262_144
"""What may be under way in one direction [bytes]; beyond that the sender waits, as in a real network."""


class Passage:
    """One connection through the proxy, with its place in the script.

    Args:
        near: to whoever connected.
        far: to the target; None where it never got there.
        script: the steps.
        seed: of the jitter.
        now: host monotonic time [s].
    """

    def __init__(
        self, near: socket.socket, far: socket.socket | None, script: Sequence[Step], seed: int, now: float
    ) -> None:
        self._ends = {"up": (near, far), "down": (far, near)}
        self._script = script
        self._at = 0
        self._since_s = now
        self._pipes = {name: Pipe(random.Random(f"{seed}.{name}")) for name in ("up", "down")}
        self._ended: set[str] = set()
        self._told: set[str] = set()
        self.over = False

    def step_for(self, direction: str) -> Step:
        """Give how the network is in a direction."""
        step = self._script[self._at]
        return step if step.direction in ("both", direction) else CLEAR

    def play(self, script: Sequence[Step], now: float) -> None:
        """Let another script begin [now: s, host monotonic]."""
        self._script = script
        self._begin(0, now)

    def due_s(self) -> float:
        """Say when something has to be done [s, host monotonic]."""
        return min(pipe.due_s(self.step_for(name)) for name, pipe in self._pipes.items())

    def waits_for(self) -> list[socket.socket]:
        """Give the sockets to read from."""
        return [
            source
            for name, (source, _) in self._ends.items()
            if source is not None
            and name not in self._ended | self._told
            and self.step_for(name).kind != "stall"
            and self._pipes[name].held_bytes < HELD_BYTES
        ]

    def turn(self, readable: set[socket.socket], now: float) -> None:
        """Let pass what passes [now: s, host monotonic]."""
        self._advance(now)
        try:
            for name, (source, sink) in self._ends.items():
                if source in readable and source is not None:
                    self._read(name, source, now)
                if sink is not None:
                    self._write(name, sink, now)
        except OSError:
            self.tear()
        if any(self.step_for(name).kind == "reset" for name in self._pipes):
            self.tear()

    def _read(self, name: str, source: socket.socket, now: float) -> None:
        chunk = source.recv(65_536)
        if chunk:
            self._pipes[name].put(chunk, self.step_for(name), now)
        else:
            self._ended.add(name)

    def _write(self, name: str, sink: socket.socket, now: float) -> None:
        pipe = self._pipes[name]
        while piece := pipe.take(self.step_for(name), now):
            sent = 0
            with contextlib.suppress(BlockingIOError):
                sent = sink.send(piece)
            if sent < len(piece):
                pipe.held.appendleft((now + LOOK_S, piece[sent:]))
                pipe.passed_bytes -= len(piece) - sent
                break
            self._advance(now)
        if name in self._ended and not pipe.held and self.step_for(name).kind == "pass":
            self._ended.remove(name)
            self._told.add(name)
            sink.shutdown(socket.SHUT_WR)
            if len(self._told) == len(self._pipes):
                self.close()

    def _advance(self, now: float) -> None:
        step = self._script[self._at]
        passed = max(pipe.passed_bytes for name, pipe in self._pipes.items() if step.direction in ("both", name))
        if self._at + 1 < len(self._script) and (now - self._since_s >= step.for_s or passed >= step.for_bytes):
            self._begin(self._at + 1, now)

    def _begin(self, at: int, now: float) -> None:
        self._at, self._since_s = at, now
        for pipe in self._pipes.values():
            pipe.passed_bytes = 0

    def tear(self) -> None:
        """End it with RST on both sides."""
        for end in self._ends["up"]:
            if end is not None:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End it."""
        for end in self._ends["up"]:
            if end is not None:
                end.close()
        self.over = True
