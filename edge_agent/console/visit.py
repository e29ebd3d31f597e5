"""A connection to the broker for as long as somebody has a use for it, made again whenever it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from edge_agent.config.uplink import UplinkConfig
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.runtime.clock import Clock
from edge_agent.uplink.message import Door, Happening
from edge_agent.uplink.mqtt import MqttDoor

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 15.0
"""How long the broker is left alone after it was not there, twice as long each time [s]."""

IDLE_S: Final = 5.0
"""How long a turn may last in which nothing happens [s]."""

TOGETHER: Final = 256
"""What came within one turn is handed on together, up to so many messages: one commit for all of them."""

PER_S: Final = 20_000.0
"""Messages that are taken [1/s]: what stations tell is no flood; what cannot be stored in time waits at the broker."""


class Visitor(Protocol):
    """Has a use for a connection."""

    def connected(self, door: Door, now: float) -> None:
        """A new connection is there, and subscribed."""

    def happened(self, happenings: Sequence[Happening], door: Door, now: float) -> None:
        """Something came. Raises `Unavailable` where it cannot be taken now: it will come again."""

    def step(self, door: Door, now: float) -> float | None:
        """Do what is due; give when to be called again [s, host monotonic], None for never: the visit is over."""

    def over(self, now: float) -> bool:
        """Say whether a connection is no longer of use."""


def console_door(config: UplinkConfig, clock: Clock, client_id: str, filters: tuple[str, ...]) -> MqttDoor:
    """Make a door for a console: nothing is kept for it at the broker, as stations tell again what was not stored.

    Args:
        config: the way to the broker.
        clock: tells the time.
        client_id: that nobody else has.
        filters: what to listen to.

    Returns:
        The door, not connected.
    """
    return MqttDoor(
        config,
        clock,
        client_id=client_id,
        will=None,
        subscriptions=filters,
        remembered=lambda: "",
        remember=lambda _: None,
        per_s=PER_S,
        lasting=False,
    )


def visit(
    door: Door, visitor: Visitor, clock: Clock, complain: Callable[[EdgeAgentError], None], *, patient: bool
) -> None:
    """Serve a visitor until it is over; the door is closed then.

    Args:
        door: the way to the broker.
        visitor: whom to serve.
        clock: tells the time.
        complain: told why a connection is not there, once for each reason in a row.
        patient: wait for a broker that is not there at first.

    Raises:
        Unavailable: it is not there at first, and nobody waits for it.
    """
    wait_s, said, entered = FIRST_WAIT_S, "", patient
    try:
        while not visitor.over(clock.now()):
            try:
                session = door.connect()
                if session.unheard:
                    raise Unavailable(
                        f"the broker does not let this console hear {', '.join(session.unheard)}",
                        hint="its access rules: packaging/mosquitto/edge-agent.acl has an example",
                    )
                visitor.connected(door, clock.now())
                entered = True
                wait_s, said = FIRST_WAIT_S, ""
                _stay(door, visitor, clock)
            except Unavailable as broken:
                error = _in_our_words(broken)
                if not entered:
                    raise error from broken
                if error.message != said:
                    complain(error)
                    said = error.message
                clock.wait(threading.Event(), clock.now() + wait_s)
                wait_s = min(2.0 * wait_s, LONGEST_WAIT_S)
    finally:
        door.close()


def _in_our_words(error: Unavailable) -> Unavailable:
    """Name the options of the console where the door names the keys of a station."""
    message, hint = (text.replace("uplink.", "--") for text in (error.message, error.hint))
    return Unavailable(message, hint=hint)


def _stay(door: Door, visitor: Visitor, clock: Clock) -> None:
    while True:
        next_s = visitor.step(door, clock.now())
        if next_s is None:
            return
        happenings = list(door.turn(min(next_s, clock.now() + IDLE_S)))
        more = happenings
        while more and len(happenings) < TOGETHER:
            more = list(door.turn(clock.now()))
            happenings += more
        if happenings:
            visitor.happened(happenings, door, clock.now())
