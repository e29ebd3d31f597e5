"""The local API over a real Unix socket: typed arguments in, one answer out, clear refusals."""

from __future__ import annotations

import json
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent import api
from edge_agent.commands import COMMANDS, checked
from edge_agent.commands.arguments import EventsArguments, LabelArguments, StatusArguments
from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.loop import Loop


class Station:
    """A loop with an API in it, whose handlers only repeat what they were asked."""

    def __init__(self, path: Path) -> None:
        self.loop = Loop(SystemClock())
        self.kept: list[api.Request] = []
        self.bodies: list[api.Request] = []
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
        assert self.server.join(SystemClock().now() + 5.0)

    def _status(self, request: api.Request, now: float) -> None:
        self.kept.append(request)

    def _events(self, request: api.Request, now: float) -> None:
        assert isinstance(request.arguments, EventsArguments)
        request.done([request.arguments.limit])

    def _label(self, request: api.Request, now: float) -> None:
        assert isinstance(request.arguments, LabelArguments)
        raise BadData(f"there is no part {request.arguments.part}", hint="look at the list")

    def _teach(self, request: api.Request, now: float) -> None:
        self.bodies.append(request)
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


def wait_until(what: Callable[[], bool]) -> None:
    clock = SystemClock()
    until = clock.now() + 60.0
    while not what():
        assert clock.now() < until, "it never came to that"
        clock.wait(threading.Event(), clock.now() + 0.01)


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
    with pytest.raises(Unavailable, match="no station runs"):
        api.call(path, "status")


@pytest.mark.parametrize(
    ("name", "arguments", "seen"),
    [("teach", {"label": "pit", "who": "me"}, "edge-agent learned"), ("status", {}, "try again")],
)
def test_a_station_that_dies_while_it_is_asked_is_not_said_to_be_none(
    tmp_path: Path, name: str, arguments: dict[str, object], seen: str
) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen(1)

        def die() -> None:
            listening.accept()[0].close()

        dying = threading.Thread(target=die)
        dying.start()
        with pytest.raises(Unavailable, match=f"broke before it answered `{name}`") as caught:
            api.call(tmp_path / "s", name, arguments)
        dying.join()

    assert seen in caught.value.hint
    assert not isinstance(caught.value, api.NoStation)


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
        ("label", {"part": 1, "label": "x" * 81, "who": "me"}, "label"),
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
    wait_until(lambda: bool(running.kept))
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


def test_another_file_is_not_replaced_by_the_socket(path: Path) -> None:
    path.write_text("results of a year")
    with pytest.raises(ConfigError, match="something else than a socket"):
        Station(path).server.open()
    assert path.read_text() == "results of a year"


def test_close_does_not_wait_and_a_request_that_comes_during_the_stop_is_refused_at_once(path: Path) -> None:
    running = Station(path)
    running.start()
    clock = SystemClock()
    with socket.socket(socket.AF_UNIX) as late:
        late.settimeout(5.0)
        late.connect(str(path))
        late.sendall(b"GET /v1/status HTTP/1.1\r\n")
        wait_until(lambda: any("process_request" in thread.name for thread in threading.enumerate()))
        running.loop.stop()
        running.thread.join()
        running.server.close()
        assert not running.server.join(clock.now())
        late.sendall(b"\r\n")
        answer = late.recv(65536) + late.recv(65536)
        assert running.server.join(clock.now() + 60.0)
    assert b"503" in answer
    assert b"the station is stopping" in answer
    assert running.server.stats().refused == 1


def test_a_caller_that_trickles_bytes_does_not_hold_up_the_stop(path: Path) -> None:
    running = Station(path)
    running.start()
    clock, gone = SystemClock(), threading.Event()

    def trickle() -> None:
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(str(path))
            slow.sendall(b"GET /v1/status HTTP/1.1\r\nX: ")
            while not gone.is_set():
                try:
                    slow.sendall(b"x")
                except OSError:
                    return
                clock.wait(gone, clock.now() + 0.1)

    caller = threading.Thread(target=trickle)
    caller.start()
    try:
        wait_until(lambda: any("process_request" in thread.name for thread in threading.enumerate()))
        running.loop.stop()
        running.thread.join()
        running.server.close()
        assert running.server.join(clock.now() + 60.0)
    finally:
        gone.set()
        caller.join()


def test_it_can_be_opened_again_after_it_was_closed(path: Path) -> None:
    running = Station(path)
    running.start()
    assert api.call(path, "events") == [50]
    running.server.close()
    running.server.open()

    assert api.call(path, "events") == [50]
    assert running.server.stats().put == 1
    running.stop()


def test_the_body_is_not_kept_once_it_was_answered(station: Station, path: Path) -> None:
    api.call(path, "teach", {"label": "pit", "who": "me"}, b"12345")

    assert [request.body for request in station.bodies] == [b""]


def test_what_completes_an_answer_runs_on_the_thread_that_waits_for_it() -> None:
    request = api.Request(COMMANDS["status"], StatusArguments())
    request.finish(lambda: threading.current_thread().name)
    answers: list[object] = []
    carrier = threading.Thread(target=lambda: answers.append(request.wait()), name="carrier")
    carrier.start()
    carrier.join()

    assert answers == ["carrier"]


def test_an_error_of_what_completes_an_answer_is_the_answer() -> None:
    def damaged() -> object:
        raise StateDamaged("the ledger is damaged")

    request = api.Request(COMMANDS["events"], EventsArguments())
    request.finish(damaged)
    with pytest.raises(StateDamaged):
        request.wait()


def test_only_the_first_answer_counts() -> None:
    request = api.Request(COMMANDS["events"], EventsArguments())
    request.failed(Unavailable("the station is stopping"))
    request.done([])
    with pytest.raises(Unavailable, match="stopping"):
        request.wait()


def failing_connect(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def connect(self: socket.socket, address: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "connect", connect)


def test_a_socket_of_another_user_is_not_taken_for_a_station_that_does_not_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_connect(monkeypatch, PermissionError(13, "Permission denied"))

    for ask in (lambda: api.call(path, "status"), lambda: api.is_listening(path)):
        with pytest.raises(Unavailable, match="another user") as caught:
            ask()
        assert "sudo -u edge-agent" in caught.value.hint


@pytest.mark.parametrize("error", [TimeoutError("timed out"), BlockingIOError(11, "Resource temporarily unavailable")])
def test_a_station_that_is_too_busy_to_answer_runs(path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    failing_connect(monkeypatch, error)

    assert api.is_listening(path)
    with pytest.raises(Unavailable, match="does not answer"):
        api.call(path, "status")


def test_a_socket_that_nobody_listens_on_belongs_to_no_station(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    assert not api.is_listening(path)
    with pytest.raises(Unavailable, match="no station runs"):
        api.call(path, "status")


def test_arguments_are_checked_the_same_way_without_a_station() -> None:
    assert checked("label", part=3, label=None, who="me") == LabelArguments(3, "me")
    assert checked("label", part="3", label="pit", who="me") == LabelArguments(3, "me", "pit")
    assert checked("events", limit=None) == EventsArguments()
    for arguments, what in (
        ({"part": 3, "who": "me", "label": "x" * 81}, "label"),
        ({"part": 3}, "who"),
        ({"part": 2**63, "who": "me"}, "part"),
        ({"part": 3, "who": "me", "name": "x"}, "name"),
    ):
        with pytest.raises(BadData, match=what):
            checked("label", **arguments)


def test_a_length_that_is_no_number_is_refused(station: Station, path: Path) -> None:
    for length in (b"-1", b"9" * 5000, b"\xb2"):
        answer = raw(path, b"POST /v1/teach?label=pit&who=me HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n")
        assert b"400" in answer.splitlines()[0]
