"""The door to systemd's notification socket (sd_notify, sd_watchdog_enabled).

Nothing here raises or blocks: a station that runs without systemd, or whose systemd is busy, judges on.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(assignments: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Send `assignments` to systemd and say whether they were sent. Safe from any thread.

    Args:
        assignments: one a line: `READY=1`, `WATCHDOG=1`, `STATUS=text for people`, `STOPPING=1`.
        environ: where systemd put the address of its socket; without one nothing is sent.

    Returns:
        False where there is no socket, or where it does not take the message now.
    """
    address = environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return False
    if address.startswith("@"):  # an abstract socket: its address begins with a zero byte
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.setblocking(False)
            channel.sendto(assignments.encode(errors="replace"), os.fsencode(address))
    except OSError:
        return False
    return True


def extend(for_s: float) -> bool:
    """Have systemd wait on for what blocks the start, and the watchdog with it; say whether that was sent.

    Args:
        for_s: how long it may take from now [s], or until the next such word, where the start has no time left.

    Returns:
        As `notify`.
    """
    return notify(f"EXTEND_TIMEOUT_USEC={round(1e6 * for_s)}\nWATCHDOG=1")


def watchdog_period_s(environ: Mapping[str, str] = os.environ) -> float | None:
    """Half of the unit's `WatchdogSec` [s]: how often to send `WATCHDOG=1`. None where no watchdog is set."""
    limit_us = environ.get("WATCHDOG_USEC", "")
    meant_for = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not limit_us.isascii() or not limit_us.isdigit() or int(limit_us) == 0 or meant_for != str(os.getpid()):
        return None
    return int(limit_us) / 2e6
