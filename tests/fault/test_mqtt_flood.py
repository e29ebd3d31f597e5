"""A flood on the station's topics: it is held off and counted, and what matters passes as if there were none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Broker, broker
from door_bench import CLOCK, opened
from peer import Peer, peer

from edge_agent.uplink import mqtt
from edge_agent.uplink.message import Delivered, Inbound, Outgoing
from edge_agent.uplink.mqtt import MqttDoor

LASTS_S = 1.5
REQUESTS = 20


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path) as made:
        yield made


@contextmanager
def flood(other: Peer) -> Iterator[None]:
    """Say as much as goes with QoS 0."""
    stopping = threading.Event()

    def say() -> None:
        while not stopping.is_set():
            for _ in range(50):
                other._client.publish("in/flood", bytes(100))
            stopping.wait(0.005)

    thread = threading.Thread(target=say, name="flood")
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def endured(used: MqttDoor, asking: Peer) -> tuple[int, int, set[bytes], int]:
    """Turn for a while; give how many messages of the flood passed, how many may have, requests, and deliveries."""
    passed = delivered = 0
    requests: set[bytes] = set()
    said = asked = 0
    began_s = CLOCK.now()
    while CLOCK.now() < began_s + LASTS_S or len(requests) < REQUESTS or delivered < said:
        assert CLOCK.now() < began_s + 120.0, f"{requests} {said} {delivered}"
        if asked < REQUESTS and asked <= len(requests):
            asking._client.publish("in/request", b"%d" % asked, qos=1)
            used.publish(Outgoing("out/a", b""))
            asked += 1
            said += 1
        for one in used.turn(CLOCK.now() + 0.05):
            match one:
                case Inbound(topic="in/flood"):
                    passed += 1
                case Inbound():
                    requests.add(one.payload)
                    used.acknowledge(one)
                case Delivered():
                    delivered += 1
    allowed = int(mqtt.BURST + mqtt.PER_S * (CLOCK.now() - began_s)) + 1
    return passed, allowed, requests, delivered


def test_a_flood_is_held_off_while_requests_and_publishing_go_on(plain: Broker) -> None:
    with (
        peer(plain.port, client_id="flooder") as flooder,
        peer(plain.port, client_id="console") as asking,
        opened(plain.port, "in/#") as used,
        flood(flooder),
    ):
        passed, allowed, requests, delivered = endured(used, asking)
        counts = used.counts

    assert passed <= allowed
    assert counts["flooded"] > allowed
    assert requests == {b"%d" % number for number in range(REQUESTS)}
    assert delivered == REQUESTS


def test_pings_are_answered_through_a_flood(plain: Broker) -> None:
    """A station that says nothing itself lives by them."""
    with (
        peer(plain.port, client_id="flooder") as flooder,
        opened(plain.port, "in/#", keepalive_s=1) as used,
        flood(flooder),
    ):
        until_s = CLOCK.now() + 4.0
        while CLOCK.now() < until_s:
            used.turn(until_s)

        assert used.counts["flooded"] > 0


def test_without_a_pace_the_flood_would_come_through(plain: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above can fail."""
    burst = mqtt.BURST
    monkeypatch.setattr(mqtt, "BURST", 10**9)
    with (
        peer(plain.port, client_id="flooder") as flooder,
        peer(plain.port, client_id="console") as asking,
        opened(plain.port, "in/#") as used,
        flood(flooder),
    ):
        monkeypatch.setattr(mqtt, "BURST", burst)
        passed, allowed, _, _ = endured(used, asking)

    assert passed > allowed


def test_a_flood_of_requests_waits_and_none_is_lost(plain: Broker) -> None:
    """Those of QoS 1 are never dropped: they wait at the broker."""
    count = mqtt.BURST + 200
    with peer(plain.port, client_id="console") as asking, opened(plain.port, "in/#") as used:
        for number in range(count):
            asking._client.publish("in/request", b"%d" % number, qos=1)
        came: list[int] = []
        give_up_s = CLOCK.now() + 120.0
        while len(came) < count:
            assert CLOCK.now() < give_up_s
            for one in used.turn(CLOCK.now() + 0.05):
                if isinstance(one, Inbound):
                    came.append(int(one.payload))
                    used.acknowledge(one)

        assert came == list(range(count))
        assert used.counts["flooded"] == 0
