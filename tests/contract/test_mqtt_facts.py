"""What a real broker and the client library do, each with what would break if the door did not know it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from broker import DEFAULT, Broker, broker
from door_bench import CLOCK, Memory, arrived, door, opened, quiet, reason, until
from peer import peer

from edge_agent.errors import Unavailable
from edge_agent.uplink import link
from edge_agent.uplink.dialect import Version
from edge_agent.uplink.greeting import packet_bytes
from edge_agent.uplink.link import RECEIVE
from edge_agent.uplink.message import Delivered, Happening, Inbound, Outgoing
from edge_agent.uplink.mqtt import MqttDoor

WILL = Outgoing("out/online", b"gone", retain=True)


@pytest.fixture
def plain(tmp_path: Path) -> Broker:
    with broker(tmp_path) as made:
        yield made


def rules(folder: Path, text: str) -> str:
    """Write access rules; give the lines of the configuration that name them."""
    (folder / "acl").write_text(text)
    return f"{DEFAULT}acl_file {folder / 'acl'}\n"


def delivered(happened: list[Happening]) -> list[int]:
    return [one.reason for one in happened if isinstance(one, Delivered)]


def test_a_publish_that_is_denied_is_no_success(tmp_path: Path) -> None:
    """Taken for a success (the library's own `is_published` says so), every verdict would be lost silently."""
    with broker(tmp_path, rules(tmp_path, "topic read #\n")) as strict, opened(strict.port) as used:
        assert reason(used, Outgoing("out/a", b"verdict")) == 0x87


def test_a_publish_that_nobody_listens_to_says_so(plain: Broker) -> None:
    """A broker forgets such a message at once; counted as told, a verdict would be lost."""
    with opened(plain.port) as used:
        assert reason(used, Outgoing("out/a", b"verdict")) == 0x10


def test_in_3_1_1_neither_is_said(tmp_path: Path) -> None:
    """So that with such a broker only the console's own word is worth anything."""
    with (
        broker(tmp_path, rules(tmp_path, "topic read #\n")) as strict,
        opened(strict.port, protocol="3.1.1") as used,
    ):
        assert reason(used, Outgoing("out/a", b"verdict")) == 0


def test_what_is_too_large_for_the_broker_is_known_before_it_is_sent(tmp_path: Path) -> None:
    """Sent anyway it ends the connection, and after each reconnect again: nothing would ever be told any more."""
    with broker(tmp_path, f"{DEFAULT}max_packet_size 256\n") as small, opened(small.port) as used:
        large = Outgoing("out/a", bytes(300))
        assert not used.fits(large)

        used.publish(large)
        with pytest.raises(Unavailable):
            until(used, lambda so_far: bool(delivered(so_far)))


@pytest.mark.parametrize(
    "more", [{}, {"correlation": b"12345"}, {"expiry_s": 60}, {"correlation": bytes(200), "expiry_s": 1}]
)
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_size_that_is_foreseen_is_what_goes_out(
    plain: Broker, protocol: Version, qos: int, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(plain.port, protocol=protocol) as used:
        assert used._link is not None
        sent: list[int] = []
        send = used._link.connection.send
        monkeypatch.setattr(used._link.connection, "send", lambda data: sent.append(len(data)) or send(data))
        sizes = [0, 1, 50, 100, 120, 127, 128, 16_370, 16_384, 100_000]
        messages = [Outgoing("out/\u00e4", bytes(size), qos=qos, **more) for size in sizes]
        for message in messages:
            used.publish(message)

        assert sent == [packet_bytes(message, protocol) for message in messages]


def test_never_more_is_unacknowledged_than_the_broker_takes(tmp_path: Path) -> None:
    """One more ends the connection (Receive Maximum exceeded), and the same again after each reconnect."""
    with broker(tmp_path, f"{DEFAULT}max_inflight_messages 2\n") as narrow, peer(narrow.port, "out/#") as other:
        with opened(narrow.port) as used:
            narrow.pause()
            tokens = [used.publish(Outgoing("out/a", bytes([n]))) for n in range(10)]
            quiet(used)
            assert used._link is not None
            assert used._session is not None and used._session.in_flight == 2
            assert len(used._link._client._out_messages) == 2
            narrow.resume()
            happened = until(used, lambda so_far: len(delivered(so_far)) == 10)

        assert [one.token for one in happened if isinstance(one, Delivered)] == tokens
        assert [other.hear().payload for _ in range(10)] == [bytes([n]) for n in range(10)]


def test_who_says_far_too_much_at_once_is_stopped(tmp_path: Path) -> None:
    with broker(tmp_path, f"{DEFAULT}max_inflight_messages 2\n") as narrow, opened(narrow.port) as used:
        narrow.pause()
        with pytest.raises(RuntimeError, match="wait for the broker"):
            for _ in range(1000):
                used.publish(Outgoing("out/a", b""))
        narrow.resume()


def test_a_request_that_was_not_acknowledged_before_a_crash_comes_again(plain: Broker) -> None:
    """Acknowledged on arrival, as the library does by itself, a command that is not stored yet dies with a crash."""
    memory = Memory()
    with opened(plain.port, "in/#", memory=memory) as crashing, peer(plain.port) as other:
        other.say("in/a", b"stored")
        other.say("in/b", b"not stored")
        first, _ = arrived(crashing, 2, acknowledge=False)
        crashing.acknowledge(first)
        quiet(crashing, 0.1)
        crash(crashing)
    with opened(plain.port, "in/#", memory=memory) as used:
        came = arrived(used)

        assert [(one.payload, one.again) for one in came] == [(b"not stored", True)]
        assert quiet(used) == []


def crash(used: MqttDoor) -> None:
    assert used._link is not None
    used._link.connection._sock.shutdown(socket.SHUT_RDWR)


def test_an_old_session_listens_to_nothing_that_is_not_wanted_any_more(plain: Broker) -> None:
    """Left there, the station would hear what an earlier version listened to, for ever."""
    memory = Memory()
    with opened(plain.port, "old/#", "in/#", memory=memory):
        pass
    with opened(plain.port, "in/#", memory=memory) as used, peer(plain.port) as other:
        assert used._session is not None and used._session.kept
        other.say("old/a", b"for nobody")
        other.say("in/a", b"for the station")

        assert [one.payload for one in arrived(used)] == [b"for the station"]
        assert quiet(used) == []
    assert memory.text == "in/#"


def test_what_waited_in_a_session_survives_a_change_of_the_subscriptions(plain: Broker) -> None:
    memory = Memory()
    with opened(plain.port, "old/#", "in/#", memory=memory):
        pass
    with peer(plain.port) as other:
        other.say("in/a", b"waited")
    with opened(plain.port, "in/#", memory=memory) as used:
        assert [one.payload for one in arrived(used)] == [b"waited"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_session_that_nobody_remembers_is_begun_anew(plain: Broker, protocol: str) -> None:
    """After the station's own state was lost, too, nothing of what the session listened to is left."""
    with opened(plain.port, "old/#", protocol=protocol):
        pass
    with opened(plain.port, "in/#", memory=Memory(), protocol=protocol) as used, peer(plain.port) as other:
        assert used._session is not None and not used._session.kept
        other.say("old/a", b"for nobody")

        assert quiet(used) == []
    with opened(plain.port, "in/#", memory=remembering("in/#"), protocol=protocol) as used:
        assert used._session is not None and used._session.kept


def remembering(text: str) -> Memory:
    memory = Memory()
    memory.text = text
    return memory


def test_a_crash_between_two_sets_of_subscriptions_leaves_none_unknown(plain: Broker) -> None:
    """What the session may listen to is remembered before it is asked for."""
    memory = Memory()
    with opened(plain.port, "first/#", memory=memory):
        pass

    class Cut(Exception):
        pass

    def keep_and_crash(text: str) -> None:
        memory.text = text
        raise Cut

    crashing = door(plain.port, "second/#", memory=memory)
    crashing._remember = keep_and_crash
    with pytest.raises(Cut):
        crashing.connect()
    crashing.close()

    assert set(memory.text.split("\n")) == {"first/#", "second/#"}


def test_the_library_has_no_thread_that_a_callback_could_kill(plain: Broker) -> None:
    """Its own network thread dies of an exception in a callback, while it goes on to say that it is connected."""
    before = set(threading.enumerate())
    with opened(plain.port, "in/#") as used, peer(plain.port) as other:
        alone = set(threading.enumerate()) - before
        other.say("in/a", b"\xff\xfe not what anybody expects")
        arrived(used)

        assert all("paho" in thread.name for thread in alone)  # the other one's
        assert len(alone) == 1


def test_what_lay_at_the_broker_is_told_from_what_comes_now(plain: Broker) -> None:
    """A retained request would be obeyed at each connect."""
    with peer(plain.port) as other:
        other.say("in/a", b"old", retain=True)
        with opened(plain.port, "in/#") as used:
            assert [one.retain for one in arrived(used)] == [True]
            other.say("in/a", b"new", retain=True)
            assert [one.retain for one in arrived(used)] == [False]


def test_the_station_does_not_hear_what_it_says_itself(plain: Broker) -> None:
    """A station that listened to its own topics by mistake would answer itself for ever."""
    with opened(plain.port, "#") as used:
        used.publish(Outgoing("in/a", b""))
        assert [type(one) for one in quiet(used)] == [Delivered]


def test_a_session_outlives_a_restart_of_a_broker_that_keeps_its_state(tmp_path: Path) -> None:
    config = f"{DEFAULT}persistence true\npersistence_location {tmp_path}/\n"
    memory = Memory()
    with broker(tmp_path, config) as keeping:
        with opened(keeping.port, "in/#", memory=memory):
            pass
        with peer(keeping.port) as other:
            other.say("in/a", b"waited")
        keeping.stop()
        keeping.start()
        with opened(keeping.port, "in/#", memory=memory) as used:
            assert used._session is not None and used._session.kept
            assert [one.payload for one in arrived(used)] == [b"waited"]


def test_a_session_is_gone_with_a_broker_that_keeps_nothing_and_is_made_anew(plain: Broker) -> None:
    """Believing that it was still subscribed, the station would never hear a command again."""
    with opened(plain.port, "in/#") as used:
        plain.kill()
        with pytest.raises(Unavailable):
            until(used, lambda so_far: False)
        plain.start()
        assert not used.connect().kept
        with peer(plain.port) as other:
            other.say("in/a", b"heard")
            assert [one.payload for one in arrived(used)] == [b"heard"]


def test_access_that_is_taken_away_and_given_back_is_noticed_by_each_publish(tmp_path: Path) -> None:
    """The connection lives on all the while; only the reason says that nothing arrives."""
    with (
        broker(tmp_path, rules(tmp_path, "topic readwrite #\n")) as changing,
        peer(changing.port, "out/#"),
        opened(changing.port) as used,
    ):
        assert reason(used, Outgoing("out/a", b"")) == 0
        for text, expected in (("topic read #\n", 0x87), ("topic readwrite #\n", 0)):
            (tmp_path / "acl").write_text(text)
            changing.reload()
            give_up_s = CLOCK.now() + 60.0
            while reason(used, Outgoing("out/a", b"")) != expected:
                assert CLOCK.now() < give_up_s


def test_a_subscription_that_mosquitto_grants_may_bring_nothing(tmp_path: Path) -> None:
    """It looks at its rules for each message only: that no command comes does not say that none was sent."""
    text = "topic readwrite in/#\ntopic write secret/#\n"
    with (
        broker(tmp_path, rules(tmp_path, text)) as strict,
        opened(strict.port, "in/#", "secret/#") as used,
        peer(strict.port) as other,
    ):
        other.say("secret/a", b"for nobody")
        other.say("in/a", b"for the station")

        assert used._session is not None and used._session.unheard == ()
        assert [one.payload for one in arrived(used)] == [b"for the station"]
        assert quiet(used) == []


def test_the_last_will_is_said_after_a_crash_and_not_after_a_goodbye(plain: Broker) -> None:
    with peer(plain.port, "out/#") as other:
        with opened(plain.port, will=WILL, protocol="3.1.1"):
            pass
        other.say("out/end", b"goodbye")
        assert other.hear().payload == b"goodbye"
        with opened(plain.port, will=WILL, protocol="3.1.1") as used:
            crash(used)
            assert other.hear().payload == b"gone"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_who_could_not_say_farewell_leaves_with_the_last_will(
    plain: Broker, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Disconnecting as usual, it would stand there as online for as long as it is away."""
    monkeypatch.setattr(link, "WILL_DELAY_S", 0)
    with peer(plain.port, "out/#") as other, opened(plain.port, will=WILL, protocol=protocol) as used:
        used.close(will=True)
        assert other.hear().payload == b"gone"


def test_the_last_will_waits_for_a_station_that_comes_back(plain: Broker) -> None:
    """A console would see a station go and come with every restart."""
    with peer(plain.port, "out/#") as other, opened(plain.port, will=WILL) as used:
        crash(used)
        with suppress(Unavailable):
            until(used, lambda so_far: False)
        used.connect()
        reason(used, Outgoing("out/a", b"back"))

        assert [other.hear().payload for _ in range(1)] == [b"back"]


def test_the_last_will_is_said_when_the_station_stays_away(plain: Broker) -> None:
    with peer(plain.port, "out/#") as other, opened(plain.port, will=WILL) as used:
        crash(used)
        came = other.hear(15.0)

        assert (came.topic, came.payload) == ("out/online", b"gone")


def test_two_stations_of_one_name_are_told_so(plain: Broker) -> None:
    """They would throw each other out for ever, and nobody would know why; mosquitto closes without a reason."""
    with opened(plain.port) as first, opened(plain.port):
        with pytest.raises(Unavailable) as refusal:
            until(first, lambda so_far: False)
        assert "station.name" in refusal.value.hint


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_message_that_is_larger_than_any_request_costs_nothing_and_comes_once(plain: Broker, protocol: str) -> None:
    """Held in memory while it comes it would be the station's end; not acknowledged it would come for ever."""
    memory = Memory()
    with peer(plain.port) as other:
        with opened(plain.port, "in/#", memory=memory, protocol=protocol) as used:
            other.say("in/large", bytes(2_000_000))
            other.say("in/a", b"small")
            assert [one.payload for one in arrived(used)] == [b"small"]
            quiet(used, 0.1)
            assert used.counts["oversize"] == (1 if protocol == "3.1.1" else 0)  # in MQTT 5 the broker does not send it
        with opened(plain.port, "in/#", memory=memory, protocol=protocol) as used:
            assert quiet(used) == []
            assert used.counts["oversize"] == 0  # it was acknowledged


def test_limits_that_a_broker_names_are_in_the_session(tmp_path: Path) -> None:
    config = f"{DEFAULT}max_packet_size 1000\nmax_inflight_messages 5\nmax_keepalive 11\nretain_available false\n"
    with broker(tmp_path, config) as strict, peer(strict.port, "out/#") as other:
        used = door(strict.port)
        session = used.connect()
        try:
            assert (session.max_bytes, session.in_flight, session.keepalive_s, session.retains) == (1000, 5, 11, False)
            assert used._link is not None
            assert used._link._client.keepalive == 11  # when the library pings
            assert reason(used, Outgoing("out/a", b"kept?", retain=True)) == 0  # as an ordinary one
            assert not other.hear().retain
        finally:
            used.close()


def test_the_broker_sends_no_more_than_the_station_has_room_for(plain: Broker) -> None:
    """A station that does not get to its requests would have them all in its memory."""
    with peer(plain.port) as other, opened(plain.port, "in/#") as used:
        for number in range(RECEIVE + 10):
            other.say("in/a", b"%d" % number)
        came = arrived(used, RECEIVE, acknowledge=False)
        assert quiet(used) == []
        for one in came:
            used.acknowledge(one)

        assert len(came) == RECEIVE
        assert len(arrived(used, 10)) == 10


def test_what_answers_a_request_carries_its_mark_and_its_expiry(plain: Broker) -> None:
    with peer(plain.port, "out/#") as other, opened(plain.port) as used:
        assert reason(used, Outgoing("out/a", b"", correlation=b"\0\1\2", expiry_s=60)) == 0
        properties = other.hear().properties

        assert (properties.CorrelationData, properties.MessageExpiryInterval) == (b"\0\1\2", 60)


def test_inbound_is_frozen_and_says_that_it_came_again_only_when_it_did(plain: Broker) -> None:
    with opened(plain.port, "in/#") as used, peer(plain.port) as other:
        other.say("in/a", b"", qos=0)
        came = arrived(used)[0]

        assert isinstance(came, Inbound) and (came.qos, came.again) == (0, False)
