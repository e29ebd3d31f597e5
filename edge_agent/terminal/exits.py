"""How a program of the command line ends: its exit code, and what it says of what it could not do."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Final

from edge_agent.errors import BadData, ConfigError, EdgeAgentError
from edge_agent.terminal.place import placed

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h; the systemd unit does not restart on it."""

EXIT_INTERRUPTED: Final = 128 + signal.SIGINT
"""What a shell makes of Ctrl-C."""


class WrongUsage(BadData):
    """What was typed does not go together, whatever the station is like."""


def done(program: str, verb: Callable[[], int]) -> int:
    """Do what was typed, and say what could not be done.

    Args:
        program: its name.
        verb: does it, and gives the exit code.

    Returns:
        The exit code.
    """
    try:
        return verb()
    except WrongUsage as error:
        return failed(program, error, EXIT_USAGE)
    except ConfigError as error:
        return failed(program, error, EXIT_CONFIG)
    except EdgeAgentError as error:
        return failed(program, error, EXIT_FAILED)
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has gone; nothing is left to say
        return EXIT_OK


def failed(program: str, error: EdgeAgentError, code: int) -> int:
    """Say what could not be done and what to do; give the exit code.

    Args:
        program: its name.
        error: what could not be done.
        code: the exit code.

    Returns:
        The exit code.
    """
    sys.stderr.write("".join(f"{program}: {line}\n" for line in error.message.splitlines()))
    if error.hint:
        sys.stderr.write(f"  {placed(error.hint)}\n")
    return code
