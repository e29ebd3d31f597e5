"""What may be typed about a wire, and the configuration that it means."""

from __future__ import annotations

import argparse
import contextlib
from typing import Final

from firmware_bridge.codes import MAX_BLOCK_SAMPLES
from firmware_bridge.errors import PortRefused
from firmware_bridge.messages import Config
from firmware_bridge.port import is_uart, largest_block, largest_rate_hz

BLOCK_SAMPLES: Final = 256
LEASE_MS: Final = 500
DEBOUNCE_US: Final = 500


def wire_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of a wire."""
    verb.add_argument("--baud", type=positive_int, default=2_000_000, metavar="N", help="of a UART (2000000)")
    verb.add_argument("--rate-hz", type=positive_int, metavar="N", help="samples a second (what the wire can carry)")
    verb.add_argument("--range-mg", type=positive_int, default=16_000, metavar="N", help="of the sensor (16000)")
    verb.add_argument("--trigger-input", type=bits, default=0, metavar="N", help="which one announces parts (0)")
    verb.add_argument("--falling", action="store_true", help="parts are announced by the falling edge")
    verb.add_argument("--safe-levels", type=bits, default=0, metavar="BITS", help="of the outputs, 0b01 the first (0)")


def config(arguments: argparse.Namespace) -> Config:
    """Give what the microcontroller is asked to do; raises `PortRefused` where a UART does not carry it."""
    block, rate_hz = BLOCK_SAMPLES, arguments.rate_hz or 26_667
    if is_uart(arguments.port):
        block = min(block, largest_block(arguments.baud))
        most_hz = largest_rate_hz(arguments.baud, block) if block else 0
        if arguments.rate_hz is None and most_hz:
            rate_hz = min(rate_hz, most_hz)
        if rate_hz > most_hz:
            raise PortRefused(
                f"{arguments.port}: {arguments.baud} baud carry {most_hz} samples/s, not {rate_hz}",
                hint="a smaller --rate-hz, or a faster --baud on both ends",
            )
    return Config(
        rate_hz=rate_hz,
        range_mg=arguments.range_mg,
        block_samples=min(block, MAX_BLOCK_SAMPLES),
        lease_ms=LEASE_MS,
        debounce_us=DEBOUNCE_US,
        trigger_input=arguments.trigger_input,
        trigger_rising=0 if arguments.falling else 1,
        active_levels=0,  # they are never armed
        safe_levels=arguments.safe_levels,
    )


def positive(text: str) -> float:
    """Read a number above 0."""
    with contextlib.suppress(ValueError):
        if 0.0 < float(text) < 1e9:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text} is not a number above 0")


def not_negative(text: str) -> float:
    """Read a number that is not below 0."""
    return 0.0 if text == "0" else positive(text)


def positive_int(text: str) -> int:
    """Read a whole number above 0."""
    with contextlib.suppress(ValueError):
        if 0 < int(text) < 2**31:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")


def bits(text: str) -> int:
    """Read a number of eight bits."""
    with contextlib.suppress(ValueError):
        if 0 <= int(text, 0) < 256:
            return int(text, 0)
    raise argparse.ArgumentTypeError(f"{text} is not a whole number between 0 and 255")
