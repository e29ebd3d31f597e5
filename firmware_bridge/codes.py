"""The numbers of docs/wire.md: versions, limits, types, results and flags. No choice of this program is among them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

PROTOCOL: Final = 1
"""Of these messages, told in HELLO; the layout of packets has its own version in each header."""
AXES: Final = 3
MAX_BLOCK_SAMPLES: Final = 333
"""Samples of a block at most: 2 kB of them."""
MAX_OUTPUTS: Final = 8
"""Outputs are named by a bit each in CONFIG."""


class Type(IntEnum):
    """The number of each message."""

    HELLO = 1
    CONFIG = 2
    CONFIG_ACK = 3
    PING = 4
    PONG = 5
    ARM = 6
    HEARTBEAT = 7
    REJECT = 8
    REJECT_ACK = 9
    REJECT_DONE = 10
    CANCEL = 11
    BLOCK = 12
    EDGE = 13
    STATUS = 14
    LOG = 15
    ACK = 16
    NAK = 17


class ConfigResult(IntEnum):
    """What a microcontroller says of a CONFIG."""

    OK = 0
    BAD_RATE = 1
    BAD_RANGE = 2
    BAD_BLOCK = 3
    BAD_INPUT = 4
    BAD_OUTPUT = 5
    BAD_LEASE = 6


class RejectResult(IntEnum):
    """What a microcontroller says of a REJECT or a CANCEL."""

    ACCEPTED = 0  #: it will fire at its tick
    LATE = 1  #: its tick is past; it will not fire
    DUP = 2  #: this cmd_id was accepted before, and counts once
    FULL = 3  #: no more can wait
    SAFE = 4  #: the outputs are at their safe level and not armed
    CANCELLED = 5  #: taken back before it fired
    UNKNOWN = 6  #: to a CANCEL: no such cmd_id waits
    BAD_OUTPUT = 7  #: there is no such output


class BlockFlag(IntEnum):
    """Bits of `Block.flags`."""

    OVERRUN = 1  #: samples before this block were dropped by the microcontroller
    SATURATED = 2  #: a sample of this block is at the end of the range
    SENSOR_FAULT = 4  #: the sensor did not answer; the samples mean nothing


class StatusFlag(IntEnum):
    """Bits of `Status.flags`."""

    CONFIGURED = 1  #: it samples and counts edges
    ARMED = 2  #: a lease holds; rejects are accepted
    LAPSED = 4  #: the last lease ran out; the outputs are at their safe level
