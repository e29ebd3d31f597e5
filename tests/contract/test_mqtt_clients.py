"""The door with what people type: mosquitto_rr asks, mosquitto_sub listens, mosquitto_pub says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker, broker
from door_bench import arrived, opened, reason

from edge_agent.uplink.message import Outgoing
from edge_agent.uplink.topics import Topics

TOPICS = Topics("insp/v1", "press-3")


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path) as made:
        yield made


def typed(program: str, port: int, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [program, "-h", "127.0.0.1", "-p", str(port), "-V", "5", *arguments], stdout=subprocess.PIPE, text=True
    )


def test_mosquitto_rr_asks_and_prints_the_answer(plain: Broker) -> None:
    request, response = TOPICS.request("status"), TOPICS.response("ada")
    with (
        opened(plain.port, TOPICS.requests) as used,
        typed("mosquitto_rr", plain.port, "-t", request, "-e", response, "-m", '{"v":1}', "-q", "1", "-W", "20") as ada,
    ):
        came = arrived(used)[0]
        assert (came.topic, came.payload, came.reply_to) == (request, b'{"v":1}', response)
        assert reason(used, Outgoing(came.reply_to, b'{"code":"OK"}', correlation=came.correlation)) == 0

        assert ada.communicate(timeout=20)[0] == '{"code":"OK"}\n'


def test_mosquitto_sub_sees_what_is_said_with_its_properties(plain: Broker) -> None:
    topic = TOPICS.event("part")
    with (
        typed(
            "mosquitto_sub", plain.port, "-t", "insp/#", "-q", "1", "-C", "1", "-W", "20", "-F", "%t %q %r %D %E %p"
        ) as ada,
        opened(plain.port) as used,
    ):
        while reason(used, Outgoing(topic, b"verdict", correlation=b"mark", expiry_s=60)) == 0x10:
            continue  # it has not subscribed yet

        assert ada.communicate(timeout=20)[0].startswith(f"{topic} 1 0 mark ")


def test_mosquitto_pub_says_something_with_properties_that_nobody_asked_for(plain: Broker) -> None:
    more = ("-D", "publish", "user-property", "name", "value", "-D", "publish", "content-type", "application/json")
    more += ("-D", "publish", "payload-format-indicator", "1", "-D", "publish", "message-expiry-interval", "9")
    with (
        opened(plain.port, TOPICS.requests) as used,
        typed("mosquitto_pub", plain.port, "-t", TOPICS.request("gate"), "-m", "hello", "-q", "1", *more) as ada,
    ):
        came = arrived(used)[0]
        assert ada.wait(20) == 0

    assert (came.payload, came.reply_to, came.correlation) == (b"hello", "", b"")
