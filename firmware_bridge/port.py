"""The one door to pyserial: a raw serial port that nobody else can open, read and written without waiting.

An error of the driver becomes one of ours here, with what a person can do about it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
from pathlib import Path
from typing import Final, Protocol

import serial

from firmware_bridge.errors import BridgeError, PortLost, PortRefused
from firmware_bridge.layout import LAYOUTS
from firmware_bridge.messages import Block
from firmware_bridge.packet import CRC_BYTES, HEADER

READ_BYTES: Final = 65_536
"""At most so much is taken at a time, so that a flood cannot hold up the rest."""
BITS_PER_BYTE: Final = 10
"""On a UART: a start bit, eight bits, a stop bit."""
UARTS: Final = ("ttyS", "ttyUSB", "ttyAMA", "ttymxc", "ttyO", "ttyTHS", "ttySC")
"""Names of devices whose baud rate is real; that of USB CDC (ttyACM) and of a pty means nothing."""
BLOCK_BYTES: Final = LAYOUTS[Block].fixed.size
STABLE: Final = "/dev/serial/by-id"


class Port(Protocol):
    """A byte stream to the microcontroller."""

    def wait(self, timeout_s: float, to_write: bool) -> None:
        """Return when bytes have come, `wake` was called, bytes can be written (if asked for), or time is over.

        Args:
            timeout_s: at most so long [s].
            to_write: whether there is something to write.
        """

    def read(self) -> bytes:
        """Take what has come; b"" when nothing has. Raises `PortLost`."""

    def write(self, data: bytes) -> int:
        """Write what fits without waiting; give how many bytes did. Raises `PortLost`."""

    def wake(self) -> None:
        """End a `wait`. Safe from any thread."""

    def close(self) -> None:
        """Release everything; never raises, safe twice."""


class SerialPort:
    """A serial device, opened for this process alone.

    Args:
        path: the device.
        baud: speed of a UART [bit/s]; others do not care.

    Raises:
        PortRefused: it is no serial device, or may not be opened.
        PortLost: it is not there, or another program has it.
    """

    def __init__(self, path: str, baud: int) -> None:
        try:
            self._serial = serial.Serial(path, baud, timeout=0, write_timeout=0, exclusive=True)
        except (OSError, ValueError) as error:  # SerialException is an OSError
            raise refusal(path, error) from None
        self._wake_out, self._wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lock = threading.Lock()
        self._open = True
        self._path = path

    def wait(self, timeout_s: float, to_write: bool) -> None:
        """Return when bytes have come, `wake` was called, bytes can be written, or time is over."""
        try:
            port = self._serial.fileno()
            woken, _, _ = select.select([port, self._wake_out], [port] if to_write else [], [], max(0.0, timeout_s))
            if self._wake_out in woken:
                os.read(self._wake_out, READ_BYTES)
        except (OSError, ValueError) as error:
            raise self._lost(error) from None

    def read(self) -> bytes:
        """Take what has come."""
        try:
            return bytes(self._serial.read(READ_BYTES))
        except (OSError, TypeError) as error:  # TypeError: pyserial, when the port is closed under its feet
            raise self._lost(error) from None

    def write(self, data: bytes) -> int:
        """Write what fits."""
        try:
            return self._serial.write(data) or 0
        except serial.SerialTimeoutException:
            return 0
        except OSError as error:
            raise self._lost(error) from None

    def wake(self) -> None:
        """End a `wait`."""
        with self._lock:  # a descriptor that was closed may be another file's by now
            if self._open:
                with contextlib.suppress(BlockingIOError):  # full: it is awake already
                    os.write(self._wake_in, b"\0")

    def close(self) -> None:
        """Release everything."""
        with self._lock:
            if not self._open:
                return
            self._open = False
            os.close(self._wake_out)
            os.close(self._wake_in)
        with contextlib.suppress(OSError):
            self._serial.close()

    def _lost(self, error: Exception) -> PortLost:
        return PortLost(f"{self._path}: the device is gone ({error})", hint="plug it in again; it is found by itself")


def refusal(path: str, error: Exception) -> BridgeError:
    """Say why a port cannot be opened, and what a person can do.

    Args:
        path: the device.
        error: what pyserial says.

    Returns:
        The error to raise.
    """
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            there = ", ".join(ports_there()) or "none"
            return PortLost(f"{path}: there is no such device", hint=f"plug it in; devices that are there: {there}")
        case errno.EACCES | errno.EPERM:
            return PortRefused(
                f"{path}: this user may not open it",
                hint="add the user of the agent to the group dialout, or install packaging/60-edge-agent.rules",
            )
        case errno.EAGAIN | errno.EBUSY:
            return PortLost(f"{path}: another program has it open", hint=f"find it with: fuser {path}")
        case _:
            return PortRefused(f"{path}: not a usable serial device ({error})", hint="name one of /dev/serial/by-id")


def ports_there() -> list[str]:
    """List the serial devices by their stable names."""
    return sorted(str(path) for path in Path(STABLE).glob("*"))


def is_uart(path: str) -> bool:
    """Say whether the baud rate of a device is real."""
    return Path(path).resolve().name.startswith(UARTS)


def largest_rate_hz(baud: int, block_samples: int) -> int:
    """Give the largest sample rate that a UART carries.

    Args:
        baud: its speed [bit/s].
        block_samples: samples in a block.

    Returns:
        The rate, with 5 % of the wire left for everything else [Hz].
    """
    whole = HEADER.size + BLOCK_BYTES + 6 * block_samples + CRC_BYTES
    packet_bytes = whole + whole // 254 + 2
    return int(0.95 * baud / BITS_PER_BYTE / packet_bytes * block_samples)
