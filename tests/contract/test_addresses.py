"""A broker has several addresses: one that leads nowhere does not keep the station from the next."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from door_bench import CLOCK

from edge_agent.config.uplink import UplinkConfig
from edge_agent.uplink import connection
from edge_agent.uplink.connection import dial

Address = tuple[int, int, int, str, tuple[str, int]]


@pytest.fixture
def listening() -> Iterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname()


@pytest.fixture
def hole() -> Iterator[Address]:
    """An address that answers nobody: its queue is full."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            caller = stack.enter_context(closing(socket.socket()))
            caller.setblocking(False)
            with suppress(BlockingIOError):
                caller.connect(server.getsockname())
        yield socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname()


def dialled(addresses: list[Address], monkeypatch: pytest.MonkeyPatch) -> tuple[str, int]:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: addresses)
    with closing(dial(UplinkConfig(broker="mqtt://broker.example"), CLOCK)) as sock:
        return sock.getpeername()


def test_a_family_that_the_machine_does_not_speak_is_passed_over(
    listening: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dialled([(9999, *listening[1:]), listening], monkeypatch) == listening[4]


def test_one_that_does_not_answer_leaves_time_for_the_next(
    hole: Address, listening: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "TCP_S", 1.0)

    assert dialled([hole, listening], monkeypatch) == listening[4]
