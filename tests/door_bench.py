"""A door with a broker behind it, for tests: what a station would do with it, in a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from edge_agent.config.uplink import UplinkConfig
from edge_agent.runtime.clock import SystemClock
from edge_agent.uplink.message import Delivered, Door, Happening, Inbound, Outgoing
from edge_agent.uplink.mqtt import MqttDoor

CLOCK = SystemClock()
ENOUGH_S = 60.0
"""How long a test waits for what must happen [s]."""

QUIET_S = 0.4
"""How long a test looks whether something happens that must not [s]."""


class Memory:
    """What survives a restart of the station."""

    def __init__(self) -> None:
        self.text = ""

    def give(self) -> str:
        return self.text

    def keep(self, text: str) -> None:
        self.text = text


def door(
    port: int, *subscriptions: str, memory: Memory | None = None, will: Outgoing | None = None, **config: Any
) -> MqttDoor:
    """Make a door to a broker on this machine, that is not connected."""
    client_id = config.pop("client_id", "station")
    scheme = config.pop("scheme", "mqtt")
    host = config.pop("host", "127.0.0.1")
    kept = memory or Memory()
    return MqttDoor(
        UplinkConfig(broker=f"{scheme}://{host}:{port}", **config),
        CLOCK,
        client_id=client_id,
        will=will,
        subscriptions=subscriptions,
        remembered=kept.give,
        remember=kept.keep,
    )


@contextmanager
def opened(port: int, *subscriptions: str, **more: Any) -> Iterator[MqttDoor]:
    """Connect a door for the length of a test."""
    with ExitStack() as stack:
        made = door(port, *subscriptions, **more)
        stack.callback(made.close)
        made.connect()
        yield made


def until(
    used: Door, enough: Callable[[list[Happening]], bool], limit_s: float = ENOUGH_S, acknowledge: bool = True
) -> list[Happening]:
    """Turn until enough has happened; what came is acknowledged at once.

    Args:
        used: the door.
        enough: says so.
        limit_s: when the test has failed [s].
        acknowledge: whether to.

    Returns:
        What happened.
    """
    happened: list[Happening] = []
    give_up_s = CLOCK.now() + limit_s
    while not enough(happened):
        assert CLOCK.now() < give_up_s, f"only this has happened: {happened}"
        new = used.turn(CLOCK.now() + 0.2)
        for one in new:
            if isinstance(one, Inbound) and acknowledge:
                used.acknowledge(one)
        happened += new
    return happened


def reason(used: Door, message: Outgoing) -> int:
    """Publish with QoS 1 and give what the broker says of it."""
    token = used.publish(message)
    happened = until(used, lambda so_far: any(isinstance(one, Delivered) and one.token == token for one in so_far))
    return next(one.reason for one in happened if isinstance(one, Delivered) and one.token == token)


def arrived(used: Door, count: int = 1, **more: Any) -> list[Inbound]:
    """Wait for so many messages."""
    happened = until(used, lambda so_far: sum(isinstance(one, Inbound) for one in so_far) >= count, **more)
    return [one for one in happened if isinstance(one, Inbound)]


def quiet(used: Door, for_s: float = QUIET_S) -> list[Happening]:
    """Turn for a while and give what happened."""
    happened: list[Happening] = []
    until_s = CLOCK.now() + for_s
    while CLOCK.now() < until_s:
        happened += used.turn(until_s)
    return happened
