"""The one door to pyserial: a raw serial port that nobody else can open, read and written without waiting.

An error of the driver becomes one of ours here, with what a person can do about it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
import threading
from pathlib import Path
from typing import Final, Protocol

import serial

from firmware_bridge.codes import AXES, MAX_BLOCK_SAMPLES
from firmware_bridge.errors import BridgeError, PortLost, PortRefused
from firmware_bridge.layout import LAYOUTS
from firmware_bridge.link import ACK_S
from firmware_bridge.messages import Block
from firmware_bridge.packet import CRC_BYTES, HEADER

READ_BYTES: Final = 65_536
"""At most so much is taken at a time, so that a flood cannot hold up the rest."""
BITS_PER_BYTE: Final = 10
"""On a UART: a start bit, eight bits, a stop bit."""
SHARE: Final = 0.95
"""Of a UART that is planned for; clocks of two ends differ, and a queue must shrink again."""
OTHER_BYTES: Final = 1500
"""What everything but samples needs a second: ten parts with their pulses, pings, acknowledgements [bytes]."""
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
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError, termios.error is not
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
            return os.write(self._serial.fileno(), data)  # pyserial's own write turns for ever when nothing fits
        except BlockingIOError:
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
        with contextlib.suppress(OSError, termios.error):  # else the driver waits for one who does not read
            self._serial.reset_output_buffer()
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
    match _number(error):
        case errno.ENOENT | errno.ENXIO | errno.ENODEV | errno.EIO | errno.EPROTO | errno.ESHUTDOWN:
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


def _number(error: BaseException) -> int | None:
    """Give the errno of an error, or of the one of termios that pyserial wrapped in its own without it."""
    if isinstance(error, termios.error):
        return error.args[0] if error.args and isinstance(error.args[0], int) else None
    number = getattr(error, "errno", None)
    if isinstance(number, int) or error.__context__ is None:
        return number
    return _number(error.__context__)


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
        The rate, with room left for everything else; 0 when there is none [Hz].
    """
    room_bytes = max(0.0, SHARE * baud / BITS_PER_BYTE - OTHER_BYTES)
    return int(room_bytes / _block_bytes(block_samples) * block_samples)


def largest_block(baud: int) -> int:
    """Give the samples of the longest block behind which an acknowledgement still comes in time over a UART.

    Args:
        baud: its speed [bit/s].

    Returns:
        At most `MAX_BLOCK_SAMPLES`; 0 when the UART is too slow for any.
    """
    room_bytes = SHARE * ACK_S * baud / BITS_PER_BYTE
    return max((n for n in range(1, MAX_BLOCK_SAMPLES + 1) if _block_bytes(n) <= room_bytes), default=0)


def _block_bytes(samples: int) -> int:
    """Give the most bytes that a block has on the wire."""
    whole = HEADER.size + BLOCK_BYTES + 2 * AXES * samples + CRC_BYTES
    return whole + whole // 254 + 2
