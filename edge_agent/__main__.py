"""The process: takes what was typed, owns the signals, gives the exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edge_agent import cli
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime import systemd
from edge_agent.runtime.garbage import keep_for_good, let_go
from edge_agent.terminal.exits import EXIT_FAILED

if TYPE_CHECKING:
    from edge_agent.agent import Agent

STOP_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT}

LOOK_S: Final = 0.2
"""How often the main thread looks whether it is to stop, and whether the loop has ended by itself."""

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a busy Python thread may keep the others from running; the default of 5 ms is a tenth of a deadline."""

ONE_BLAS_THREAD: Final = "OPENBLAS_NUM_THREADS"
"""Read when numpy is loaded: solving a head of 128 dimensions on several threads takes longer on a busy machine."""


def serve(make: Callable[[], Agent]) -> int:
    """Make an agent and run it until a stop signal or its own end; begin anew where it ended to do so.

    Args:
        make: builds it; called after the signals are blocked, so that every thread inherits that.

    Returns:
        The exit code.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    while True:
        code, again = _serve_once(make)
        if not again or signal.sigtimedwait(STOP_SIGNALS, 0) is not None:
            return code


def _serve_once(make: Callable[[], Agent]) -> tuple[int, bool]:
    """Run one agent to its end; give the exit code, and whether another one is wanted."""
    let_go()
    agent = make()
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(agent.run()), name="loop")
    thread.start()
    ready = stopped = False
    while thread.is_alive():
        if agent.is_settled and not ready:
            ready = True
            systemd.notify("READY=1")
            keep_for_good()
        thread.join(LOOK_S)  # sigtimedwait with a timeout takes SIGCONT for a stop signal (CPython 3.11, on EINTR)
        if signal.sigtimedwait(STOP_SIGNALS, 0) is not None:
            stopped = True
            agent.loop.stop()
            thread.join()
    ending = agent.supervisor.ending
    again = agent.restarts and ending is None and not stopped
    if not again:
        systemd.notify("STOPPING=1")
    if ending is not None:
        _say_why(ending.component, ending.error)
    unclean = agent.close()
    code = codes[0] if codes else EXIT_FAILED
    if unclean:
        sys.stderr.write(f"edge-agent: did not end in time: {', '.join(unclean)}\n")
        sys.stdout.flush()
        os._exit(code or EXIT_FAILED)  # a thread that hangs in a driver cannot be ended
    return code, again


def _say_why(component: str, error: Exception) -> None:
    """Tell a person what ended the program; a bug is told with its traceback, for whoever mends it."""
    sys.stderr.write(f"edge-agent: {component}: {error}\n")
    if not isinstance(error, EdgeAgentError):
        traceback.print_exception(error)
    elif error.hint:
        sys.stderr.write(f"  {error.hint}\n")


def main() -> int:
    """Run the program; give its exit code."""
    os.environ.setdefault(ONE_BLAS_THREAD, "1")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if sys.argv[1:2] != ["run"]:  # which systemd stops: `serve` waits for it, and before that it ends at once
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a verb cleans up as on Ctrl-C
    return cli.main(sys.argv[1:], serve)


if __name__ == "__main__":
    sys.exit(main())
