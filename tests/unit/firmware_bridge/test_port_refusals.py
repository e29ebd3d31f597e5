"""Why a port cannot be opened: each error says what a person can do, and whether it may heal by itself."""

import errno
import os
import termios

import pytest
import serial

from firmware_bridge.errors import BridgeError, PortLost, PortRefused
from firmware_bridge.port import is_uart, largest_block, largest_rate_hz, refusal

PATH = "/dev/serial/by-id/usb-sensor"


def wrapped(cause: Exception) -> Exception:
    """What pyserial makes of an error of termios: its own, without the number."""
    try:
        try:
            raise cause
        except termios.error as error:
            raise serial.SerialException(f"Could not configure port: {error}")  # noqa: B904
    except serial.SerialException as error:
        return error


CASES: dict[str, tuple[Exception, type[BridgeError], str, str]] = {
    "not there": (serial.SerialException(errno.ENOENT, "no"), PortLost, "no such device", "plug it in"),
    "driver gone": (OSError(errno.ENXIO, "no"), PortLost, "no such device", "plug it in"),
    "no permission": (serial.SerialException(errno.EACCES, "no"), PortRefused, "may not open", "dialout"),
    "not permitted": (OSError(errno.EPERM, "no"), PortRefused, "may not open", "dialout"),
    "locked": (serial.SerialException(errno.EAGAIN, "no"), PortLost, "another program", f"fuser {PATH}"),
    "busy": (OSError(errno.EBUSY, "no"), PortLost, "another program", f"fuser {PATH}"),
    "pulled while it opens": (wrapped(termios.error(errno.EIO, "I/O")), PortLost, "no such device", "plug it in"),
    "pulled a moment later": (termios.error(errno.EIO, "I/O"), PortLost, "no such device", "plug it in"),
    "not a tty": (wrapped(termios.error(errno.ENOTTY, "not a tty")), PortRefused, "not a usable serial", "by-id"),
    "a folder": (OSError(errno.EISDIR, "is a directory"), PortRefused, "not a usable serial", "by-id"),
    "no such speed": (ValueError("Invalid baud rate: 3"), PortRefused, "Invalid baud rate: 3", "by-id"),
    "no number": (OSError("odd"), PortRefused, "odd", "by-id"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_error_names_the_device_the_cause_and_what_to_do(case: str) -> None:
    error, kind, cause, hint = CASES[case]

    refused = refusal(PATH, error)

    assert type(refused) is kind
    assert refused.message.startswith(f"{PATH}: ")
    assert cause in refused.message
    assert hint in refused.hint


def test_the_numbers_are_those_of_this_system() -> None:
    assert os.strerror(errno.EAGAIN) == "Resource temporarily unavailable"


@pytest.mark.parametrize(
    ("path", "real"),
    [
        ("/dev/ttyUSB0", True),
        ("/dev/ttyAMA0", True),
        ("/dev/ttyS1", True),
        ("/dev/ttyACM0", False),
        ("/dev/pts/3", False),
    ],
)
def test_only_the_baud_rate_of_a_uart_is_real(path: str, real: bool) -> None:
    assert is_uart(path) is real


@pytest.mark.parametrize(("baud", "rate_hz"), [(9_600, 0), (115_200, 1_525), (1_000_000, 15_101), (2_000_000, 30_445)])
def test_the_largest_rate_of_a_uart_is_what_its_bits_carry(baud: int, rate_hz: int) -> None:
    assert largest_rate_hz(baud, 256) == rate_hz


def test_two_megabaud_carry_the_full_rate_and_one_does_not() -> None:
    assert largest_rate_hz(2_000_000, 256) >= 26_667 > largest_rate_hz(1_000_000, 256)


@pytest.mark.parametrize(("baud", "samples"), [(9_600, 0), (115_200, 29), (1_000_000, 308), (2_000_000, 333)])
def test_the_longest_block_leaves_an_acknowledgement_its_20_ms(baud: int, samples: int) -> None:
    assert largest_block(baud) == samples
