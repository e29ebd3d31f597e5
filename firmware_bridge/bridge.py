"""The one thread that owns the port and the session: reads, steps, writes, and opens anew whatever was lost.

Everything it decides is in `session`; here is only the waiting. What is heard goes to one callable on this thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firmware_bridge.errors import BridgeError, McuFault
from firmware_bridge.handshake import State
from firmware_bridge.heard import Heard
from firmware_bridge.port import Port
from firmware_bridge.reject import Fate
from firmware_bridge.session import Session

COMMANDS: Final = 16
"""Pulses that may wait for the thread; one more is refused."""
UNWRITTEN_BYTES: Final = 65_536
"""More than this that the port does not take means that the other end does not read."""
TURN_S: Final = 0.050
"""The thread looks after its commands at least so often [s]."""
DELAYS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Before the port is opened again, the last one for ever after [s]: a cable heals in less than five seconds."""

LAST_S: Final = 1.0
"""After it was asked to stop, the thread goes on at most so long for the pulses that it took [s]."""


@dataclass(frozen=True)
class Down:
    """The session has ended; the next one is tried by itself.

    Attributes:
        error: why.
        retry_s: until then [s].
    """

    error: BridgeError
    retry_s: float


@dataclass(frozen=True)
class Pulse:
    """A pulse to ask for.

    Attributes:
        number: of the edge that announced the part.
        after_s: from the edge to the pulse [s].
        pulse_us: how long it lasts [us].
        output: which output.
    """

    number: int
    after_s: float
    pulse_us: int
    output: int


class Bridge:
    """A microcontroller, for as long as the program runs.

    Args:
        open_port: opens the port; may raise `BridgeError`.
        session: what is said over it.
        now: tells the host monotonic time [s].
        hear: hears everything, on the bridge's thread; must not block.
    """

    def __init__(
        self,
        open_port: Callable[[], Port],
        session: Session,
        now: Callable[[], float],
        hear: Callable[[Heard | Down], None],
    ) -> None:
        self._open_port = open_port
        self.session = session
        self._now = now
        self._hear = hear
        self._lock = threading.Lock()
        self._pulses: deque[Pulse] = deque()
        self._unwritten = b""
        self._failures = 0
        self._ended = False
        self._port: Port | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: BridgeError | None = None  #: why the session is down; None while it is not
        self.sessions = 0  #: sessions that were begun
        self.refused = 0  #: pulses that could not be queued
        self.failure: Exception | None = None  #: a bug that ended the thread

    def start(self) -> None:
        """Start the thread, once."""
        self._thread = threading.Thread(target=self._run, name="bridge")
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, once the pulses that it took have begun or `LAST_S` has passed."""
        self._stop.set()
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end, at most so long [s]; say whether it has."""
        if self._thread is None:
            return True
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    @property
    def up(self) -> bool:
        """Whether edges and samples are coming."""
        return self.session.state is State.UP

    def hold(self, now: float) -> None:
        """Say that whoever decides about parts is alive. Safe from any thread."""
        self.session.lease.hold(now)

    def follow_from(self, from_s: float) -> None:
        """Let the outputs be at their safe level until a moment [s, host monotonic]. Safe from any thread."""
        self.session.lease.follow_from(from_s)

    def pulse(self, pulse: Pulse) -> Fate | None:
        """Queue a pulse. Safe from any thread.

        Args:
            pulse: what to ask for.

        Returns:
            None, and exactly one report follows; or its fate, when it cannot be taken, and nothing more is heard of it.
        """
        with self._lock:
            if self._ended or len(self._pulses) >= COMMANDS:
                self.refused += 1
                return Fate.DOWN if self._ended else Fate.BUSY
            self._pulses.append(pulse)
        self._wake()
        return None

    def _wake(self) -> None:
        port = self._port
        if port is not None:
            port.wake()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._serve()
                except BridgeError as error:
                    delay_s = DELAYS_S[min(self._failures, len(DELAYS_S) - 1)]
                    self._failures += 1
                    self._down(error, delay_s)
                    self._stop.wait(delay_s)
            self._give_up()
        except Exception as error:  # the thread's boundary: handed to whoever asks
            self.failure = error
            with contextlib.suppress(Exception):  # who hears may be what is broken
                self._give_up()
        finally:
            self._ended = True

    def _serve(self) -> None:
        """Open the port and serve the session until it breaks, or is asked to stop and has seen to its last pulses."""
        self._port = self._open_port()
        self._unwritten = b""
        self.sessions += 1
        self.session.open(self._now())
        while not self._stop.is_set():
            self._turn(self._port)
        until = self._now() + LAST_S
        while self.up and (self._pulses or self.session.rejects.awaited) and self._now() < until:
            self._turn(self._port)

    def _turn(self, port: Port) -> None:
        now = self._now()
        wake_s = min(self.session.next_wake_s() - now, TURN_S)
        port.wait(wake_s, bool(self._unwritten))
        data = port.read()
        now = self._now()
        for heard in self.session.receive(data, now):
            self._hear(heard)
        if self.up:
            self.error = None
            self._failures = 0
        self._ask(now)
        for heard in self.session.step(now):
            self._hear(heard)
        self._unwritten += self.session.take_output()
        if self._unwritten:
            self._unwritten = self._unwritten[port.write(self._unwritten) :]
        if len(self._unwritten) > UNWRITTEN_BYTES:
            raise McuFault("the microcontroller does not read what it is told", hint="see its cable and its firmware")

    def _ask(self, now: float) -> None:
        with self._lock:
            pulses, self._pulses = list(self._pulses), deque()
        for pulse in pulses:
            report = self.session.reject(pulse.number, pulse.after_s, pulse.pulse_us, pulse.output, now)
            if report is not None:
                self._hear(report)

    def _down(self, error: BridgeError, retry_s: float) -> None:
        self._release_port()
        for report in self.session.close(self._now()):
            self._hear(report)
        self._ask(self._now())
        self.error = error
        self._hear(Down(error, retry_s))

    def _give_up(self) -> None:
        """End for good: nobody will hear what becomes of what is open."""
        with self._lock:
            self._ended = True
        self._release_port()
        self._ask(self._now())
        for report in self.session.abandon(self._now()):
            self._hear(report)

    def _release_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.close()
