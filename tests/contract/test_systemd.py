"""Against real datagram sockets, with a path and abstract, as systemd makes them."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.runtime.systemd import extend, notify, watchdog_period_s


@contextlib.contextmanager
def listening(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        channel.settimeout(5.0)
        yield channel


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@edge-agent-test-{os.getpid()}"


@pytest.mark.parametrize(
    "assignments", ["READY=1", "WATCHDOG=1\nSTATUS=12 parts, 1 NG – größer", "STOPPING=1", "STATUS=\udcff"]
)
def test_systemd_hears_every_word(address: str, assignments: str) -> None:
    with listening(address) as systemd:
        assert notify(assignments, {"NOTIFY_SOCKET": address})
        assert systemd.recv(4096) == assignments.encode(errors="replace")


def test_what_blocks_the_start_asks_for_more_time_and_feeds_the_watchdog(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with listening(address) as systemd:
        assert extend(90.5)
        assert systemd.recv(4096) == b"EXTEND_TIMEOUT_USEC=90500000\nWATCHDOG=1"


def test_the_environment_of_the_process_is_the_default(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with listening(address) as systemd:
        assert notify("READY=1")
        assert systemd.recv(4096) == b"READY=1"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "relative/path"},
        {"NOTIFY_SOCKET": "vsock:2:1234"},
        {"NOTIFY_SOCKET": "/nonexistent/notify"},
        {"NOTIFY_SOCKET": "/" + "x" * 300},
        {"NOTIFY_SOCKET": "@nobody-listens-here"},
    ],
)
def test_without_systemd_nothing_happens(environ: dict[str, str]) -> None:
    assert not notify("READY=1", environ)


def test_a_systemd_that_does_not_listen_holds_nobody_up(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listening(address):
        sent = [notify("STATUS=" + "x" * 1000, {"NOTIFY_SOCKET": address}) for _ in range(5000)]

    assert sent[0]
    assert not sent[-1]


@pytest.mark.parametrize(
    ("environ", "period_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "³"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_systemd_asks(environ: dict[str, str], period_s: float | None) -> None:
    assert watchdog_period_s(environ) == period_s
