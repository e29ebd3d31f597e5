"""Asks the microcontroller for the time, and lays its clock on the host's: when the next ping is due, and which count.

Pure: time in, pings out through a callable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from firmware_bridge.clocksync import ClockSync
from firmware_bridge.messages import Ping, Pong

FIRST_PINGS: Final = 10
"""Pings that are answered before times are told."""
FIRST_PING_S: Final = 0.020
"""Between an answer and the next ping at the start [s]; pings that do not wait for it would measure a queue."""
PING_S: Final = 1.0
"""Between the pings afterwards [s]."""
PING_AGAIN_S: Final = 0.1
"""Until the next one when one was of no use, or at the start not answered [s]."""
DITHER: Final = 0.618
"""Pauses are longer by a share that changes, up to the whole: pings in step with the blocks would all wait for one."""
PINGS_OPEN: Final = 64
"""Pings whose answer is still taken, if it comes; the oldest is forgotten."""


class Pinger:
    """The pings of one session after the other.

    Args:
        send: sends a message.
    """

    def __init__(self, send: Callable[[Ping, float], bool]) -> None:
        self._send = send
        self._open: deque[int] = deque(maxlen=PINGS_OPEN)
        self._answered = 0
        self._next_s = 0.0
        self._synced = False
        self.clock = ClockSync(1)

    def begin(self, tick_hz: int, now: float) -> None:
        """Begin with another counter, of `tick_hz` [1/s]; the first ping is due `now` [s]."""
        self.clock = ClockSync(tick_hz)
        self._open.clear()
        self._answered = 0
        self._synced = False
        self._next_s = now

    def step(self, now: float) -> None:
        """Ping when that is due."""
        if now >= self._next_s:
            ping = Ping(round(now * 1e9))
            self._open.append(ping.host_ns)
            self._send(ping, now)
            self._next_s = now + (PING_S if self._synced else PING_AGAIN_S)

    def answered(self, pong: Pong, now: float) -> bool:
        """Take an answer; say whether it is the one with which enough is known to tell times.

        Args:
            pong: the answer; one that nobody asked for, or that came before, says nothing.
            now: host monotonic time at which it came [s].

        Returns:
            True once in a session.
        """
        if pong.host_ns not in self._open:
            return False
        self._open.remove(pong.host_ns)
        of_use = self.clock.add(pong.host_ns / 1e9, pong.rx_ticks, pong.tx_ticks, now)
        pause_s = FIRST_PING_S if not self._synced else PING_S if of_use else PING_AGAIN_S
        self._next_s = min(self._next_s, now + pause_s * (1.0 + DITHER * self._answered % 1.0))
        self._answered += 1
        if self._synced or self._answered < FIRST_PINGS or not self.clock.ready:
            return False
        self._synced = True
        self._next_s = now + PING_S
        return True

    def next_wake_s(self) -> float:
        """Give when the next ping is due [s]."""
        return self._next_s
