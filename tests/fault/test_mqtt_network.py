"""Through a bad network what was acknowledged is there, what was not is told again, and every wait has an end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broker import DEFAULT, Broker, broker
from certificates import Authority
from door_bench import CLOCK, Memory, arrived, door, opened, quiet, reason, until
from peer import Peer, peer

from edge_agent.errors import Unavailable
from edge_agent.testing.chaos import CLEAR, ChaosProxy, Step
from edge_agent.uplink import connection, mqtt
from edge_agent.uplink.message import Delivered, Inbound, Outgoing
from edge_agent.uplink.mqtt import MqttDoor

KEEPALIVE_S = 1
MESSAGES = 40


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Broker]:
    with broker(tmp_path, f"{DEFAULT}max_queued_messages 0\n") as made:
        yield made


@pytest.fixture
def network(plain: Broker) -> Iterator[ChaosProxy]:
    with ChaosProxy(("127.0.0.1", plain.port)) as made:
        yield made


def test_a_half_open_connection_is_found_after_one_and_a_half_keepalives(network: ChaosProxy) -> None:
    """However long the station would have waited for something to happen."""
    with opened(network.port, keepalive_s=KEEPALIVE_S) as used:
        network.play(Step(kind="swallow"))
        give_up_s = CLOCK.now() + 60.0
        with pytest.raises(Unavailable, match="silent for 1.5 s"):
            while CLOCK.now() < give_up_s:
                used.turn(give_up_s)

        assert CLOCK.now() < give_up_s - 30.0


def test_a_station_that_only_listened_to_the_library_would_not_notice(network: ChaosProxy) -> None:
    """The library calls itself connected while nothing comes: so the age of what came last is what counts."""
    with opened(network.port, keepalive_s=60) as used:
        network.play(Step(kind="swallow"))
        quiet(used)

        assert used._link is not None
        assert used._link._client.is_connected()
        used._link.connection.heard_s -= 1.5 * 60 + 1.0
        with pytest.raises(Unavailable, match="silent"):
            used.turn(CLOCK.now())


def test_publishing_alone_does_not_make_a_dead_connection_live(network: ChaosProxy) -> None:
    with opened(network.port, keepalive_s=KEEPALIVE_S) as used:
        network.play(Step(kind="swallow"))
        give_up_s = CLOCK.now() + 60.0
        with pytest.raises(Unavailable):
            while CLOCK.now() < give_up_s:
                used.publish(Outgoing("out/a", b"", qos=0))
                used.turn(CLOCK.now() + 0.05)

        assert CLOCK.now() < give_up_s


def test_a_quiet_connection_lives_as_long_as_pings_are_answered(network: ChaosProxy) -> None:
    with opened(network.port, keepalive_s=KEEPALIVE_S) as used:
        assert quiet(used, 3.0 * KEEPALIVE_S) == []
        assert reason(used, Outgoing("out/a", b"")) == 0x10


def test_a_message_torn_in_the_middle_comes_again_whole(plain: Broker, network: ChaosProxy) -> None:
    memory = Memory()
    with peer(plain.port) as other, opened(network.port, "in/#", memory=memory) as used:
        network.play(Step(direction="down", for_bytes=500), Step(kind="reset"))
        other.say("in/a", bytes(1000))
        with pytest.raises(Unavailable):
            until(used, lambda so_far: False)
        network.play(CLEAR)
        used.connect()

        assert [(len(one.payload), one.again) for one in arrived(used)] == [(1000, True)]


@pytest.mark.parametrize(
    "step",
    [
        Step(piece_bytes=1),
        Step(latency_s=0.2, jitter_s=0.1),
        Step(bandwidth_bytes_s=10_000.0),
    ],
    ids=["dribble", "satellite", "10 kB/s"],
)
def test_a_slow_network_is_a_working_one(plain: Broker, network: ChaosProxy, step: Step) -> None:
    network.play(step)
    with peer(plain.port, "out/#") as other, opened(network.port, "in/#", keepalive_s=KEEPALIVE_S * 5) as used:
        for number in range(10):
            used.publish(Outgoing("out/a", bytes([number]) * 1000))
        other.say("in/a", bytes(3000))
        happened = until(used, lambda so_far: len(so_far) >= 11)

        assert [one.reason for one in happened if isinstance(one, Delivered)] == [0] * 10
        assert [one.payload for one in happened if isinstance(one, Inbound)] == [bytes(3000)]
        assert [other.hear().payload[0] for _ in range(10)] == list(range(10))


def test_in_a_network_that_takes_nothing_unimportant_messages_are_dropped_and_counted(network: ChaosProxy) -> None:
    with opened(network.port) as used:
        network.play(Step(kind="stall", direction="up"))
        for _ in range(1000):
            used.publish(Outgoing("tele/a", bytes(60_000), qos=0))

        assert used.counts["unsent"] > 800


def test_a_broker_that_is_not_there_and_comes_later(tmp_path: Path) -> None:
    late = Broker(tmp_path, DEFAULT)
    used = door(late.port, "in/#")
    try:
        with pytest.raises(Unavailable, match="no broker listens"):
            used.connect()
        late.start()
        assert used.connect().protocol == "5"
    finally:
        used.close()
        late.kill()


def test_a_broker_that_hangs_is_given_up_before_and_after_it_let_the_station_in(
    plain: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel goes on to accept connections for it."""
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
    with opened(plain.port, keepalive_s=KEEPALIVE_S) as used:
        plain.pause()
        with pytest.raises(Unavailable, match="silent"):
            until(used, lambda so_far: False)
        with pytest.raises(Unavailable, match="does not answer"):
            used.connect()
        plain.resume()
        monkeypatch.undo()
        used.connect()


def test_a_network_that_refuses_and_one_that_swallows_from_the_beginning(
    plain: Broker, network: ChaosProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "ANSWER_S", 0.5)
    used = door(network.port)
    for kind in ("refuse", "swallow", "stall", "reset"):
        network.play(Step(kind=kind))
        quietly_apply(network)
        with pytest.raises(Unavailable):
            used.connect()
    network.play(CLEAR)
    quietly_apply(network)
    monkeypatch.undo()
    used.connect()
    used.close()


def quietly_apply(network: ChaosProxy) -> None:
    give_up_s = CLOCK.now() + 60.0
    while network._next is not None:
        assert CLOCK.now() < give_up_s


def test_a_handshake_that_drips_has_one_deadline_for_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit for each step would never be reached: there is always one more byte."""
    monkeypatch.setattr(connection, "TLS_S", 0.5)
    authority = Authority(tmp_path)
    pair = authority.issue("127.0.0.1")
    config = f"{DEFAULT}certfile {pair.certificate}\nkeyfile {pair.key}\n"
    with (
        broker(tmp_path, config) as safe,
        ChaosProxy(("127.0.0.1", safe.port), [Step(direction="down", bandwidth_bytes_s=500.0, piece_bytes=1)]) as slow,
    ):
        used = door(slow.port, scheme="mqtts", ca=str(authority.certificate))
        with pytest.raises(Unavailable, match="took too long"):
            used.connect()
        used.close()


def test_a_connect_to_nowhere_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TCP_S", 0.2)
    used = door(1883, host="192.0.2.1")  # an address that documents use and nobody has
    with pytest.raises(Unavailable):
        used.connect()
    used.close()


def told(used: MqttDoor, network: ChaosProxy, dice: random.Random, count_at: str) -> set[int]:
    """Tell numbered messages through connections that are torn at random, until all count as told.

    Args:
        used: the door.
        network: what tears them.
        dice: where.
        count_at: `delivered`, as it must be, or `published`, as it must not.

    Returns:
        The numbers that count as told.
    """
    waiting: list[int] = list(range(MESSAGES))
    done: set[int] = set()
    give_up_s = CLOCK.now() + 240.0
    while len(done) < MESSAGES:
        assert CLOCK.now() < give_up_s
        tears = [Step(for_bytes=dice.randrange(50, 3000)), Step(kind="reset")]
        network.play(*(tears if dice.random() < 0.8 else [CLEAR]))
        quietly_apply(network)
        under_way: dict[int, int] = {}
        try:
            used.connect()
            while len(done) < MESSAGES:
                for number in [one for one in waiting if one not in done and one not in under_way.values()][:5]:
                    under_way[used.publish(Outgoing("out/a", b"%d" % number + b" " * 150))] = number
                    if count_at == "published":
                        done.add(number)
                for one in used.turn(CLOCK.now() + 0.5):
                    if isinstance(one, Delivered) and one.reason < 0x80:
                        done.add(under_way.pop(one.token))
        except Unavailable:
            continue
    return done


@pytest.mark.parametrize("seed", range(3))
def test_what_counts_as_told_has_arrived_however_the_network_tears(
    plain: Broker, network: ChaosProxy, seed: int
) -> None:
    with peer(plain.port, "out/#") as other:
        used = door(network.port)
        try:
            assert told(used, network, random.Random(seed), "delivered") == set(range(MESSAGES))
        finally:
            used.close()
        other.say("out/end", b"-1")
        settle(other, lambda heard: -1 in heard)

        assert network.connections > 1


def settle(other: Peer, enough: Callable[[set[int]], bool]) -> set[int]:
    """Wait for what is under way; give all numbers that arrived."""
    heard: set[int] = set()
    while not enough(heard):
        heard.add(int(other.hear().payload))
    assert heard >= set(range(MESSAGES))
    return heard


def test_who_counts_what_was_only_published_loses_some(plain: Broker, network: ChaosProxy) -> None:
    """The test above can fail."""
    with peer(plain.port, "out/#") as other:
        used = door(network.port)
        told(used, network, random.Random(0), "published")
        used._hang_up()
        used.close()
        other.say("out/end", b"-1")

        with pytest.raises(AssertionError):
            settle(other, lambda heard: -1 in heard)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_each_request_comes_until_it_was_acknowledged_however_the_network_tears(
    plain: Broker, network: ChaosProxy, protocol: str
) -> None:
    dice = random.Random(protocol)
    memory = Memory()
    used = door(network.port, "in/#", memory=memory, protocol=protocol)
    used.connect()
    with peer(plain.port) as other:
        for number in range(MESSAGES):
            other.say("in/a", b"%d" % number)
    stored: set[int] = set()
    give_up_s = CLOCK.now() + 240.0
    while len(stored) < MESSAGES:
        assert CLOCK.now() < give_up_s
        try:
            for one in used.turn(CLOCK.now() + 0.5):
                if isinstance(one, Inbound):
                    stored.add(int(one.payload))
                    used.acknowledge(one)
        except Unavailable:
            network.play(Step(for_bytes=dice.randrange(50, 1500)), Step(kind="reset"))
            quietly_apply(network)
            try:
                used.connect()
            except Unavailable:
                continue
    used.close()

    assert stored == set(range(MESSAGES))
