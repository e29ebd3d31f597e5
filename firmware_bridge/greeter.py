"""Greets the microcontroller until it answers, or until it is time to open the port anew.

Pure. Most microcontrollers boot within two seconds of a reset. Where opening the port is what resets them, opening it
again too early would reset them for ever: a greeting that nobody answers goes on for longer than the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from firmware_bridge.codes import PROTOCOL
from firmware_bridge.complaint import nobody
from firmware_bridge.messages import Hello

HELLO_S: Final = 0.250
"""Between two greetings that are not answered [s]."""
GREETINGS_S: Final = (3.0, 6.0, 15.0, 60.0)
"""How long the first, second … goes on without an answer, the last one for ever after [s]."""


class Greeter:
    """The greetings of one session after the other.

    Args:
        send: sends a message.
        new_id: gives a number that no session before had.
    """

    def __init__(self, send: Callable[[Hello, float], bool], new_id: Callable[[], int]) -> None:
        self._send = send
        self._new_id = new_id
        self._id = 0
        self._begun_s = self._next_s = 0.0
        self._unanswered = 0
        self._said = False
        self._heard_before = (0, 0)
        self.answer: Hello | None = None  #: who has answered, once a STATUS follows

    def begin(self, now: float, heard: tuple[int, int]) -> None:
        """Begin to greet, with another number.

        Args:
            now: host monotonic time [s].
            heard: bytes and whole packets that came before.
        """
        self._id = self._new_id()
        self._begun_s = self._next_s = now
        self._said = False
        self._heard_before = heard
        self.answer = None

    def heard(self, hello: Hello) -> None:
        """Hear a HELLO; one that came before the greeting is no answer."""
        self.answer = hello if self._said else None

    def step(self, now: float, heard: tuple[int, int]) -> None:
        """Say HELLO when that is due.

        Args:
            now: host monotonic time [s].
            heard: bytes and whole packets that came.

        Raises:
            McuFault: nobody has answered for long enough.
        """
        if now >= self._begun_s + self._patience_s:
            self._unanswered += 1
            garbage = heard[0] > self._heard_before[0] and heard[1] == self._heard_before[1]
            raise nobody(now - self._begun_s, garbage)
        if now >= self._next_s:
            self._send(Hello(PROTOCOL, 0, self._id), now)
            self._said = True
            self._next_s = now + HELLO_S

    def came_up(self) -> None:
        """Hear that a session came up: the next greeting is a short one again."""
        self._unanswered = 0

    def next_wake_s(self) -> float:
        """Give when `step` has something to do [s]."""
        return min(self._next_s, self._begun_s + self._patience_s)

    @property
    def _patience_s(self) -> float:
        return GREETINGS_S[min(self._unanswered, len(GREETINGS_S) - 1)]
