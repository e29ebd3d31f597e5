"""What no real broker can be made to say: a server that answers each connection with the bytes that a test wrote."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_3 = b"\x20\x02\x00\x00"


@dataclass
class Scripted:
    """What was said and heard.

    Attributes:
        port: where it listens.
        heard: the first bytes of each connection.
    """

    port: int
    heard: list[bytes] = field(default_factory=list)

    @property
    def versions(self) -> list[int]:
        """The protocol level of each CONNECT: 5, or 4 for 3.1.1."""
        return [first[8] for first in self.heard]


@contextlib.contextmanager
def scripted(*answers: Sequence[bytes] | None) -> Iterator[Scripted]:
    """Answer the n-th connection with the n-th answer, later ones with the last.

    Args:
        answers: pieces, each said after something more was heard, or the end of it; None closes without a word.

    Yields:
        What was heard.
    """
    stopping = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.02)
        said = Scripted(listening.getsockname()[1])

        def serve() -> None:
            while not stopping.is_set():
                with contextlib.suppress(TimeoutError, OSError):
                    caller, _ = listening.accept()
                    with caller:
                        answer(caller)

        def answer(caller: socket.socket) -> None:
            caller.settimeout(0.02)
            pieces = list(answers[min(len(said.heard), len(answers) - 1)] or ())
            silent = answers[min(len(said.heard), len(answers) - 1)] is None
            first = True
            while not stopping.is_set():
                try:
                    got = caller.recv(65_536)
                except TimeoutError:
                    continue
                if first:
                    said.heard.append(got)
                    first = False
                if not got or silent:
                    return
                if pieces:
                    caller.sendall(pieces.pop(0))

        thread = threading.Thread(target=serve, name="scripted broker")
        thread.start()
        try:
            yield said
        finally:
            stopping.set()
            thread.join()
