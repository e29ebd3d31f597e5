"""The way to the console, as the configuration says: the door to the broker, and what is told through it."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.config import Config
from edge_agent.desired import Wishes
from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.ledger import LedgerWriter, Mark
from edge_agent.ledger.facts import FactReader, Lateness
from edge_agent.runtime.clock import Clock
from edge_agent.uplink.courier import Courier, Hearers
from edge_agent.uplink.drain import Drain
from edge_agent.uplink.message import Door, Inbound, Outgoing
from edge_agent.uplink.teller import Teller
from edge_agent.uplink.topics import Topics
from edge_agent.uplink.uplink import Uplink

SUBSCRIPTIONS: Final = "subscriptions"
"""The mark that holds what the session at the broker listens to."""


class Memory:
    """What the session at the broker listens to: the ledger is asked once, and told of each change.

    Args:
        read: gives what the ledger has; where it cannot, nobody knows, and the session begins anew.
        write: tells the ledger.
    """

    def __init__(self, read: Callable[[], str], write: Callable[[str], object]) -> None:
        self._read, self._write = read, write
        self._text: str | None = None

    def give(self) -> str:
        """Give it; "" where nobody knows."""
        if self._text is None:
            try:
                self._text = self._read()
            except (Unavailable, StateDamaged, ConfigError):
                self._text = ""
        return self._text

    def keep(self, text: str) -> None:
        """Remember it."""
        self._text = text
        self._write(text)


def uplink_of(
    config: Config,
    clock: Clock,
    ledger: LedgerWriter,
    trusted: Callable[[], Mapping[str, bytes]],
    hearers: Hearers,
    door: Door | None = None,
) -> Uplink:
    """Make the way to the console.

    Args:
        config: the resolved configuration.
        clock: tells the time.
        ledger: remembers how far the console is.
        trusted: gives the public keys of those who may acknowledge, by id.
        hearers: who hears what comes, and what fails.
        door: to a broker, instead of the configured one.

    Returns:
        It, not yet open.
    """
    topics = Topics(config.uplink.root, config.station.name)
    state_dir = Path(config.station.state_dir)
    lateness = Lateness(config.source.kind == "wire", tuple(config.ledger.keep_evidence))
    offline = Outgoing(topics.state("online"), msgspec.json.encode({"v": 1, "online": False}), retain=True)
    drain = Drain(config.uplink.backlog_per_s, by_broker=config.uplink.acknowledge == "broker")
    courier = Courier(
        door or _door(config, clock, ledger, topics, offline),
        Teller(drain, topics, trusted, ledger.offer),
        lambda: FactReader(state_dir, lateness),
        clock,
        config.uplink.broker,
        hearers,
        offline,
        random.Random(secrets.randbits(64)),
    )
    return Uplink(courier, topics, clock, partial(_valid_until, config.uplink.certificate))


def desires_of(wishes: Wishes, uplink: Uplink) -> Callable[[Inbound, float], None]:
    """Give who hears what the console wants: settings; anything else is let go of."""
    topic = uplink.topics.desired("config")

    def hear(inbound: Inbound, now: float) -> None:
        if inbound.topic == topic:
            wishes.came(topic, inbound.payload, lambda: uplink.acknowledge(inbound))
        else:
            uplink.acknowledge(inbound)

    return hear


def _valid_until(path: str) -> float | None:
    """Read until when a certificate is valid; None where there is none to be read, as connecting will say."""
    if not path:
        return None
    from edge_agent.trust.certificate import certificate_of  # noqa: PLC0415 (only where there is one)

    try:
        return certificate_of(Path(path).read_bytes()).valid_to_utc
    except (OSError, BadData):
        return None


def _door(config: Config, clock: Clock, ledger: LedgerWriter, topics: Topics, will: Outgoing) -> Door:
    """Make the door to the configured broker; only here is the client library loaded."""
    from edge_agent.uplink.mqtt import MqttDoor  # noqa: PLC0415 (only where there is a broker)

    def read() -> str:
        with closing(FactReader(Path(config.station.state_dir))) as facts:
            return facts.mark(SUBSCRIPTIONS)

    memory = Memory(read, lambda text: ledger.offer(Mark(SUBSCRIPTIONS, text)))
    return MqttDoor(
        config.uplink,
        clock,
        client_id=f"edge-agent-{config.station.name}",
        will=will,
        subscriptions=(topics.ack, topics.requests, topics.desired("#")),
        remembered=memory.give,
        remember=memory.keep,
    )
