"""A request that takes a while, with a bar on a terminal that shows how far the running station is with it.

Not on a terminal it is one call and nothing else. On one, a thread of its own asks the station for its status every
second, and ends before the answer is given.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from edge_agent import api
from edge_agent.errors import EdgeAgentError
from edge_agent.terminal.progressbar import progress_bar

PERIOD_S: Final = 1.0
"""How often the station is asked how far it is [s]."""


def call_watched(
    socket: Path, name: str, arguments: Mapping[str, object], body: bytes = b"", *, title: str = ""
) -> Any:
    """Ask the running station something, and show how far it is.

    Args:
        socket: the station's.
        name: a command of the table.
        arguments: its arguments.
        body: examples, for `teach`.
        title: what takes a while; without one nothing is shown.

    Returns:
        The answer.

    Raises:
        Unavailable: as `api.call`.
        BadData: the station refused, with its reason.
    """
    if not title or not sys.stderr.isatty():
        return api.call(socket, name, arguments, body)
    with progress_bar(title) as progress, _watching(socket, progress):
        return api.call(socket, name, arguments, body)


@contextlib.contextmanager
def _watching(socket: Path, progress: Callable[[int, int], None]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(PERIOD_S):
            with contextlib.suppress(EdgeAgentError):  # whoever waits for the answer hears what is wrong
                if (teaching := api.call(socket, "status")["teaching"]) is not None:
                    progress(*teaching[1:])

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
