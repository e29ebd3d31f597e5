"""The bad network with real sockets: what passes is whole and in order, and what is torn is torn as by a router."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from edge_agent.testing.chaos import CLEAR, ChaosProxy, Step

GIVE_UP_S = 10.0
PAYLOAD = bytes(range(256)) * 400


@pytest.fixture
def echo() -> Iterator[int]:
    """Say everything back, to one caller after another, until it has said all; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stopping = threading.Event()
        listening.settimeout(0.02)

        def serve() -> None:
            while not stopping.is_set():
                with contextlib.suppress(OSError):
                    caller, _ = listening.accept()
                    caller.settimeout(GIVE_UP_S)
                    with caller:
                        while chunk := caller.recv(65_536):
                            caller.sendall(chunk)

        thread = threading.Thread(target=serve, name="echo")
        thread.start()
        yield listening.getsockname()[1]
        stopping.set()
        thread.join()


def echoed(port: int, payload: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), GIVE_UP_S) as caller:
        torn: list[OSError] = []

        def say() -> None:
            try:
                caller.sendall(payload)
                caller.shutdown(socket.SHUT_WR)
            except OSError as error:  # a reset is said once, to whichever end of the caller asks first
                torn.append(error)

        saying = threading.Thread(target=say, name="saying")
        saying.start()
        heard = b""
        try:
            while chunk := caller.recv(65_536):
                heard += chunk
        finally:
            saying.join()
        if torn:
            raise ConnectionResetError from torn[0]
    return heard


@pytest.mark.parametrize(
    "step",
    [
        CLEAR,
        Step(latency_s=0.05, jitter_s=0.05),
        Step(piece_bytes=7),
        Step(bandwidth_bytes_s=200_000.0),
        Step(kind="stall", for_s=0.2),
    ],
    ids=["clear", "late", "pieces", "narrow", "stalled for a while"],
)
def test_what_passes_is_whole(echo: int, step: Step) -> None:
    with ChaosProxy(("127.0.0.1", echo), [step, CLEAR] if step.kind == "stall" else [step]) as proxy:
        assert echoed(proxy.port, PAYLOAD) == PAYLOAD


def test_a_connection_that_is_torn_ends_with_a_reset_after_so_many_bytes(echo: int) -> None:
    with (
        ChaosProxy(("127.0.0.1", echo), [Step(direction="down", for_bytes=100), Step(kind="reset")]) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), GIVE_UP_S) as caller,
    ):
        caller.sendall(bytes(1000))
        heard = b""
        with pytest.raises(ConnectionResetError):
            while True:
                heard += caller.recv(10)

    assert len(heard) <= 100


def test_a_half_open_connection_takes_everything_and_says_nothing(echo: int) -> None:
    with (
        ChaosProxy(("127.0.0.1", echo), [Step(kind="swallow")]) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), 0.3) as caller,
    ):
        caller.sendall(PAYLOAD)
        with pytest.raises(TimeoutError):
            caller.recv(1)


def test_each_connection_begins_the_script_anew(echo: int) -> None:
    with ChaosProxy(("127.0.0.1", echo), [Step(for_bytes=50_000), Step(kind="reset")]) as proxy:
        for _ in range(3):
            assert echoed(proxy.port, bytes(100)) == bytes(100)
        with pytest.raises(ConnectionResetError):
            echoed(proxy.port, PAYLOAD)

        assert proxy.connections == 4


def test_where_nobody_listens_behind_it_the_caller_is_reset() -> None:
    with ChaosProxy(("127.0.0.1", 1)) as proxy, pytest.raises(ConnectionError):
        echoed(proxy.port, b"hello")


@pytest.mark.system
def test_the_program_is_a_bad_network_until_it_is_stopped(echo: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "edge_agent.testing.chaos", "127.0.0.1:0", f"127.0.0.1:{echo}", "--piece", "3"],
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        port = int(program.stderr.readline().split("port ")[1].split(";")[0])
        assert echoed(port, b"hello") == b"hello"
        program.send_signal(signal.SIGINT)

        assert program.wait(GIVE_UP_S) == 0
