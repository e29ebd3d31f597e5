"""A TLS server of the standard library, for versions that no broker speaks any more."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Shake hands with one caller; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                caller, _ = listening.accept()
                with caller, context.wrap_socket(caller, server_side=True) as safe:
                    safe.recv(1)

        thread = threading.Thread(target=serve, name="tls server")
        thread.start()
        yield listening.getsockname()[1]
        thread.join()
