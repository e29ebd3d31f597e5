"""The local API over a real Unix socket: typed arguments in, one answer out, clear refusals."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent import api
from edge_agent.commands import EventsArguments, LabelArguments
from edge_agent.errors import BadData, ConfigError, Unavailable
from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.loop import Loop


class Station:
    """A loop with an API in it, whose handlers only repeat what they were asked."""

    def __init__(self, path: Path) -> None:
        self.loop = Loop(SystemClock())
        self.kept: list[api.Request] = []
        handlers = {"status": self._status, "events": self._events, "label": self._label, "teach": self._teach}
        self.server = api.ApiServer(path, handlers, self.loop.poke)
        self.loop.add(self.server)
        self.thread = threading.Thread(target=self.loop.run)

    def start(self) -> None:
        self.server.open()
        self.thread.start()

    def stop(self) -> None:
        self.loop.stop()
        self.thread.join()
        self.server.close()

    def _status(self, request: api.Request, now: float) -> None:
        self.kept.append(request)

    def _events(self, request: api.Request, now: float) -> None:
        assert isinstance(request.arguments, EventsArguments)
        request.done([request.arguments.limit])

    def _label(self, request: api.Request, now: float) -> None:
        assert isinstance(request.arguments, LabelArguments)
        raise BadData(f"there is no part {request.arguments.part}", hint="look at the list")

    def _teach(self, request: api.Request, now: float) -> None:
        request.done({"bytes": len(request.body)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


@pytest.fixture
def station(path: Path) -> Iterator[Station]:
    running = Station(path)
    running.start()
    yield running
    running.stop()


def raw(path: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5.0)
        client.connect(str(path))
        client.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.endswith(b"}"):
            piece = client.recv(65536)
            if not piece:
                break
            answer += piece
    return answer


def test_an_answer_comes_back_as_what_it_was(station: Station, path: Path) -> None:
    assert api.call(path, "events", {"limit": 7}) == [7]
    assert api.call(path, "events") == [50]
    assert api.call(path, "teach", {"label": "pit", "who": "me"}, b"12345") == {"bytes": 5}


def test_only_the_owner_may_open_the_socket_and_it_is_gone_after_the_stop(path: Path) -> None:
    running = Station(path)
    running.start()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    running.stop()
    assert not path.exists()
    with pytest.raises(Unavailable, match="no station answers"):
        api.call(path, "status")


def test_a_refusal_carries_message_and_hint(station: Station, path: Path) -> None:
    with pytest.raises(BadData, match="there is no part 9") as caught:
        api.call(path, "label", {"part": 9, "label": "pit", "who": "me"})
    assert caught.value.hint == "look at the list"


@pytest.mark.parametrize(
    ("name", "arguments", "what"),
    [
        ("events", {"limit": 0}, "limit"),
        ("events", {"limit": "many"}, "limit"),
        ("events", {"colour": "red"}, "colour"),
        ("label", {"part": 1, "label": "Not A Slug", "who": "me"}, "label"),
        ("teach", {"label": "pit"}, "who"),
    ],
)
def test_wrong_arguments_are_refused_by_name(
    station: Station, path: Path, name: str, arguments: dict[str, object], what: str
) -> None:
    with pytest.raises(BadData, match=what):
        api.call(path, name, arguments)


def test_an_unknown_command_names_those_there_are(station: Station, path: Path) -> None:
    answer = raw(path, b"GET /v1/selfdestruct HTTP/1.1\r\nHost: station\r\nConnection: close\r\n\r\n")

    assert b"400" in answer.splitlines()[0]
    assert "events, label, status, teach" in json.loads(answer.partition(b"\r\n\r\n")[2])["hint"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read(station: Station, path: Path) -> None:
    answer = raw(path, b"POST /v1/teach?label=pit&who=me HTTP/1.1\r\nHost: s\r\nContent-Length: 99999999999\r\n\r\n")

    assert b"400" in answer.splitlines()[0]


def test_a_caller_in_the_middle_of_its_request_does_not_hold_up_others(station: Station, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(path))
        slow.sendall(b"POST /v1/teach?label=pit&who=me HTTP/1.1\r\nHost: s\r\nContent-Length: 10\r\n\r\n123")
        assert api.call(path, "events") == [50]
        slow.shutdown(socket.SHUT_RDWR)


def test_stopping_answers_what_was_kept_waiting(path: Path) -> None:
    running = Station(path)
    running.start()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            api.call(path, "status")
        except Unavailable as error:
            errors.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    waited = SystemClock()
    while not running.kept:
        waited.wait(threading.Event(), waited.now() + 0.01)
    running.stop()
    asker.join()
    assert "stopping" in str(errors[0])


def test_a_socket_that_a_dead_agent_left_behind_is_replaced_and_a_living_one_is_not(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    first, second = Station(path), Station(path)
    first.start()

    with pytest.raises(Unavailable, match="another agent"):
        second.server.open()
    first.stop()


def test_a_path_that_no_socket_can_have_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="107 bytes"):
        Station(tmp_path / ("x" * 120)).server.open()
