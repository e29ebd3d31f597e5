"""The proxy: one thread that listens, connects, and lets each connection pass as its script says."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Sequence
from typing import Final, Self

from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.testing.chaos.passage import Passage
from edge_agent.testing.chaos.script import CLEAR, LOOK_S, Step

CONNECT_S: Final = 5.0
"""How long the target may take [s]."""


class ChaosProxy:
    """Listens, connects to the target for everybody who comes, and lets pass what the script says.

    Args:
        target: host and port.
        script: how the network is, from the beginning of each connection on.
        listen: host and port; port 0 is any that is free.
        seed: of the jitter.
        clock: tells the time.

    Attributes:
        connections: how many came.
    """

    def __init__(
        self,
        target: tuple[str, int],
        script: Sequence[Step] = (CLEAR,),
        listen: tuple[str, int] = ("127.0.0.1", 0),
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._target = target
        self._script: tuple[Step, ...] = tuple(script) or (CLEAR,)
        self._next: tuple[Step, ...] | None = None
        self._seed = seed
        self._clock = clock or SystemClock()
        self._listening = socket.create_server(listen)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos")
        self._passages: list[Passage] = []
        self.connections = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listening.getsockname()[1])

    def play(self, *script: Step) -> None:
        """Let another script begin, for the connections that there are and for new ones. Safe from any thread."""
        self._next = script or (CLEAR,)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop; connections are torn."""
        self._stopping.set()
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            now = self._clock.now()
            if self._next is not None:
                self._script, self._next = self._next, None
                for passage in self._passages:
                    passage.play(self._script, now)
            wait_s = min([LOOK_S, *(max(0.0, passage.due_s() - now) for passage in self._passages)])
            wanted = [self._listening, *(end for passage in self._passages for end in passage.waits_for())]
            readable = set(select.select(wanted, [], [], wait_s)[0])
            if self._listening in readable:
                self._accept()
            for passage in self._passages:
                passage.turn(readable, self._clock.now())
            self._passages = [passage for passage in self._passages if not passage.over]
        for passage in self._passages:
            passage.tear()

    def _accept(self) -> None:
        near, _ = self._listening.accept()
        self.connections += 1
        near.setblocking(False)
        now = self._clock.now()
        first = self._script[0]
        if first.kind == "refuse":
            Passage(near, None, self._script, self._seed, now).tear()
            return
        try:
            far = socket.create_connection(self._target, CONNECT_S)
        except OSError:
            Passage(near, None, self._script, self._seed, now).tear()
            return
        far.setblocking(False)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._passages.append(Passage(near, far, self._script, self._seed + self.connections, now))
