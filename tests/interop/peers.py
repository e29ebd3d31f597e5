"""The door with brokers and consoles of other makes, from npm; `make interop` runs this, `make test` does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from broker import broker, free_port
from door_bench import Memory, arrived, opened, quiet, reason, until
from peer import peer

from edge_agent.errors import Unavailable
from edge_agent.uplink.message import Delivered, Outgoing
from edge_agent.uplink.topics import Topics

HERE = Path(__file__).parent
TOPICS = Topics("insp/v1", "press-3")
WILL = Outgoing(TOPICS.state("online"), b'{"online":false}', retain=True)


@contextmanager
def aedes(port: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        ["node", HERE / "aedes_broker.mjs", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def port() -> int:
    return free_port()


def test_with_a_broker_that_knows_only_3_1_1_parts_are_told_and_requests_come(port: int) -> None:
    with (
        aedes(port),
        peer(port, "insp/#", protocol=paho.MQTTv311) as console,
        opened(port, TOPICS.requests, will=WILL) as used,
    ):
        assert used._session is not None and used._session.protocol == "3.1.1"
        assert reason(used, Outgoing(TOPICS.event("part"), b"verdict", correlation=b"ignored", expiry_s=9)) == 0
        assert console.hear().payload == b"verdict"
        console.say(TOPICS.request("gate"), b"request")
        came = arrived(used)[0]

        assert (came.payload, came.reply_to, came.correlation) == (b"request", "", b"")


def test_there_a_request_that_was_not_acknowledged_comes_again(port: int) -> None:
    memory = Memory()
    with aedes(port), peer(port, protocol=paho.MQTTv311) as console:
        with opened(port, TOPICS.requests, memory=memory, will=WILL) as used:
            console.say(TOPICS.request("gate"), b"request")
            arrived(used, acknowledge=False)
        with opened(port, TOPICS.requests, memory=memory, will=WILL) as used:
            assert used._session is not None and used._session.kept
            assert [one.payload for one in arrived(used)] == [b"request"]
            assert quiet(used) == []


def test_there_many_messages_are_delivered(port: int) -> None:
    with aedes(port), opened(port, TOPICS.requests, will=WILL) as used:
        for start in range(0, 200, 20):
            for number in range(start, start + 20):
                used.publish(Outgoing(TOPICS.event("part"), b"%d" % number))
            until(used, lambda so_far: sum(isinstance(one, Delivered) for one in so_far) == 20)


def test_there_the_end_of_the_broker_is_noticed(port: int) -> None:
    with aedes(port) as process, opened(port, TOPICS.requests, will=WILL) as used:
        process.kill()
        with pytest.raises(Unavailable):
            until(used, lambda so_far: False)


def test_a_console_on_mqtt_js_asks_and_hears_the_answer_with_its_mark(tmp_path: Path) -> None:
    with (
        broker(tmp_path) as plain,
        opened(plain.port, TOPICS.requests) as used,
        subprocess.Popen(
            [
                "node",
                HERE / "mqttjs_console.mjs",
                str(plain.port),
                TOPICS.request("gate"),
                TOPICS.response("mqttjs"),
                '{"v":1}',
            ],
            stdout=subprocess.PIPE,
            text=True,
        ) as console,
    ):
        came = arrived(used)[0]
        assert (came.payload, came.reply_to) == (b'{"v":1}', TOPICS.response("mqttjs"))
        assert came.correlation == b"\x00\x01\xff"
        answer = Outgoing(came.reply_to, b'{"code":"OK"}', correlation=came.correlation, expiry_s=60)
        assert reason(used, answer) == 0
        heard = json.loads(console.communicate(timeout=20)[0])

    assert heard == {
        "topic": TOPICS.response("mqttjs"),
        "payload": '{"code":"OK"}',
        "correlation": "0001ff",
        "expiry": 60,
        "qos": 1,
    }
