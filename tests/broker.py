"""A real broker for tests: mosquitto on this machine, which can be stopped, killed, paused and started again."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

STARTS_S: Final = 10.0
"""How long mosquitto may take until it listens [s]; usually 50 ms."""

DEFAULT: Final = "allow_anonymous true\n"


def free_port() -> int:
    """Give a TCP port that nobody listens at."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def password_line(name: str, password: str) -> str:
    """Give the line of a password file of mosquitto."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{name}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


class Broker:
    """mosquitto on one loopback port.

    Attributes:
        port: where it listens; the same after each start.
        folder: where its files are.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self.port = free_port()
        self.folder = folder
        self._config = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self.write(config)

    def write(self, config: str) -> None:
        """Write the configuration that the next start, or `reload`, reads; it follows the line of the listener."""
        head = "user root\n" if os.geteuid() == 0 else ""
        self._config.write_text(f"{head}per_listener_settings false\nlistener {self.port} 127.0.0.1\n{config}\n")

    @property
    def log(self) -> str:
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        assert program, "mosquitto is not installed (Debian/Ubuntu: sudo apt-get install mosquitto)"
        with (self.folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", self._config], stdout=log, stderr=log)
        give_up_at = time.monotonic() + STARTS_S
        while time.monotonic() < give_up_at and self._process.poll() is None:
            with suppress(OSError), closing(socket.create_connection(("127.0.0.1", self.port), 1.0)):
                return
            time.sleep(0.01)
        self.kill()
        raise AssertionError(f"mosquitto does not start:\n{self.log}")

    def stop(self) -> None:
        """End it as a system does: it writes what it has to keep."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it hang: the kernel goes on to take its bytes."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def reload(self) -> None:
        """Have it read its access rules again."""
        os.kill(self.pid, signal.SIGHUP)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(how)
                self._process.send_signal(signal.SIGCONT)
            self._process.wait(STARTS_S)
            self._process = None


@contextmanager
def broker(folder: Path, config: str = DEFAULT) -> Iterator[Broker]:
    """Run mosquitto for the length of a test.

    Args:
        folder: for its files.
        config: what its configuration says besides the listener.

    Yields:
        It, listening.
    """
    made = Broker(folder, config)
    made.start()
    try:
        yield made
    finally:
        made.kill()
