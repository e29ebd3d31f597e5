"""A process of a peer that answers one request at a time, in JSON lines; and a command that is only run.

Each is the head of its own process group, so that whatever it starts ends with it, and Ctrl-C reaches only the bench.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Timer
from types import TracebackType
from typing import IO, Any, Final, Self, TypeVar

import msgspec

T = TypeVar("T")

LONGEST_REASON: Final = 300
"""Characters of an error that a table still shows."""


class PeerFailed(Exception):
    """This peer has no figures; the message says why, in one line."""


class Refusal(msgspec.Struct):
    """What a runner answers when its runtime raised something.

    Attributes:
        error: the exception, in one line.
    """

    error: str = ""


class Child:
    """A running peer.

    Args:
        command: what to start.
        folder: where it works.
        log: where its error stream goes; what was there before is gone.

    Raises:
        PeerFailed: it cannot be started.
    """

    def __init__(self, command: Sequence[str | Path], folder: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as stream:
            self._process = _started(command, folder, subprocess.PIPE, subprocess.PIPE, stream)

    def ask(self, request: Mapping[str, Any], kind: type[T], timeout_s: float) -> T:
        """Send a request and wait for its answer.

        Args:
            request: what to do, for the runner's service.
            kind: what the answer is.
            timeout_s: the longest wait; a process that takes longer is ended.

        Returns:
            The answer.

        Raises:
            PeerFailed: it refused, ended, or took too long.
        """
        requests, answers = self._process.stdin, self._process.stdout
        assert requests is not None and answers is not None
        late = Event()
        guard = Timer(timeout_s, self._expire, (late,))
        guard.start()
        try:
            with contextlib.suppress(BrokenPipeError):  # then there is no answer either
                requests.write(json.dumps(request, default=str).encode() + b"\n")
                requests.flush()
            line = answers.readline()
        finally:
            guard.cancel()
            guard.join()
        if not line:
            self._end()
            raise PeerFailed(f"no answer within {timeout_s:g} s" if late.is_set() else self._obituary())
        try:
            refusal = msgspec.json.decode(line, type=Refusal)
            if refusal.error:
                raise PeerFailed(shortened(refusal.error))
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            raise PeerFailed(f"an answer that makes no sense: {error}") from error

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._end()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _expire(self, late: Event) -> None:
        late.set()
        self._end()

    def _end(self) -> None:
        end_group(self._process)

    def _obituary(self) -> str:
        said = last_words(self._log)
        return shortened(f"{ending(self._process.returncode)}{': ' if said else ''}{said}")


def run_to_end(command: Sequence[str | Path], folder: Path, log: Path, timeout_s: float) -> None:
    """Run a command whose output only matters when it fails.

    Args:
        command: what to run.
        folder: where it works.
        log: where its output goes; what was there before is gone.
        timeout_s: the longest it may take.

    Raises:
        PeerFailed: it failed or took too long.
    """
    with log.open("wb") as stream:
        process = _started(command, folder, subprocess.DEVNULL, stream, stream)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired as late:
        raise PeerFailed(f"{Path(command[0]).name} did not end within {timeout_s:g} s") from late
    finally:
        end_group(process)
    if process.returncode != 0:
        raise PeerFailed(shortened(f"{ending(process.returncode)}: {last_words(log)}"))


def _started(
    command: Sequence[str | Path], folder: Path, said: int, answers: int | IO[bytes], errors: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, cwd=folder, stdin=said, stdout=answers, stderr=errors, start_new_session=True)
    except OSError as error:
        raise PeerFailed(f"cannot be started: {error}") from error


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with all that it started; fine when they are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ending(code: int) -> str:
    """Say how a process ended."""
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def last_words(log: Path) -> str:
    """Give the line of a log that says most: the last that begins with ERROR, or else the last one."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or [""])[-1]


def shortened(text: str) -> str:
    """Give a text in one line of at most `LONGEST_REASON` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"
