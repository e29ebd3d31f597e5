"""What the two ends say to each other: every message is a frozen record. How they lie in a packet is `layout`'s."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there. The host's begins a session; the microcontroller answers, and says it unasked after a start.

    Attributes:
        proto: `PROTOCOL`.
        firmware: version of the program, as major * 65536 + minor * 256 + patch.
        boot_id: differs after every start of a microcontroller, and in every session of a host.
        tick_hz: of its counter [1/s]; 0 from a host.
        sensor: the accelerometer, ASCII; "" from a host.
        full_scale_mg: largest range of the sensor [mg].
        rate_hz: highest nominal sample rate [Hz].
        inputs: trigger inputs that it has.
        outputs: reject outputs that it has, at most 8.
        max_packet: the longest packet that it takes [bytes].
    """

    proto: int
    firmware: int
    boot_id: int
    tick_hz: int = 0
    sensor: str = ""
    full_scale_mg: int = 0
    rate_hz: int = 0
    inputs: int = 0
    outputs: int = 0
    max_packet: int = 2048


@dataclass(frozen=True, slots=True)
class Config:
    """How to sample, what announces a part, what is safe.

    Attributes:
        rate_hz: nominal sample rate [Hz].
        range_mg: full scale of a sample of 32,768 [mg].
        block_samples: samples of a block.
        lease_ms: how long the outputs stay armed after a heartbeat [ms].
        debounce_us: a level of the trigger input counts when it has lasted so long [us].
        trigger_input: which input announces parts.
        trigger_rising: 1 the rising edge, 0 the falling edge.
        active_levels: for each output (bit 0 the first) the level of a pulse.
        safe_levels: for each output the level when nobody holds a lease.
    """

    rate_hz: int
    range_mg: int
    block_samples: int
    lease_ms: int
    debounce_us: int
    trigger_input: int
    trigger_rising: int
    active_levels: int
    safe_levels: int


@dataclass(frozen=True, slots=True)
class ConfigAck:
    """What became of a CONFIG: with OK the values in force, else the first that does not fit.

    Attributes:
        result: a `ConfigResult`.
        rate_hz: nominal sample rate in force [Hz].
        range_mg: full scale in force [mg].
        block_samples: samples of a block in force.
    """

    result: int
    rate_hz: int
    range_mg: int
    block_samples: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for the time.

    Attributes:
        host_ns: host monotonic time of sending [ns].
    """

    host_ns: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a PING.

    Attributes:
        host_ns: of the PING [ns].
        rx_ticks: when it was received [ticks].
        tx_ticks: when this was sent [ticks].
    """

    host_ns: int
    rx_ticks: int
    tx_ticks: int


@dataclass(frozen=True, slots=True)
class Arm:
    """Begins a lease: outputs leave their safe level, rejects are accepted until the lease runs out."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Extends a lease that holds; it never begins one.

    Attributes:
        lease_ms: from its receipt [ms].
    """

    lease_ms: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Asks for a pulse at a tick. The same `cmd_id` counts once, however often it is said.

    Attributes:
        cmd_id: number of the command, never 0.
        part_seq: the part's number, for the log of the microcontroller.
        fire_ticks: when the pulse begins [ticks].
        pulse_us: how long it lasts [us].
        output: which output.
    """

    cmd_id: int
    part_seq: int
    fire_ticks: int
    pulse_us: int
    output: int


@dataclass(frozen=True, slots=True)
class RejectAck:
    """What became of a REJECT or a CANCEL.

    Attributes:
        cmd_id: the command.
        result: a `RejectResult`.
    """

    cmd_id: int
    result: int


@dataclass(frozen=True, slots=True)
class RejectDone:
    """A pulse has begun.

    Attributes:
        cmd_id: the command.
        actual_ticks: when [ticks].
    """

    cmd_id: int
    actual_ticks: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Takes a REJECT back.

    Attributes:
        cmd_id: the command.
    """

    cmd_id: int


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """Samples without a gap between them.

    Attributes:
        block_seq: number of the block since CONFIG, modulo 2^32.
        first_sample: number of its first sample since CONFIG, dropped ones included.
        first_ticks: when that was taken [ticks].
        dropped_before: samples the microcontroller dropped between the block before and this one.
        flags: bits of `BlockFlag`.
        temperature_cdeg: of the sensor [0.01 degrees Celsius].
        samples: raw, shape (n, 3) for axes x, y, z, int16; 32,768 is full scale.
    """

    block_seq: int
    first_sample: int
    first_ticks: int
    dropped_before: int
    flags: int
    temperature_cdeg: int
    samples: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Edge:
    """A part has arrived. Each is said twice, so that one lost packet costs nothing.

    Attributes:
        edge_seq: number of the edge since the start of the microcontroller, from 1.
        ticks: when the input changed [ticks].
        input: which input.
        level: its level after the edge.
        glitches: shorter pulses since the edge before, at most 255.
    """

    edge_seq: int
    ticks: int
    input: int
    level: int
    glitches: int


@dataclass(frozen=True, slots=True)
class Status:
    """How the microcontroller is; after HELLO and once a second.

    Attributes:
        ticks: when it was said [ticks].
        edges: number of the last edge.
        blocks: blocks sent since CONFIG.
        dropped: samples dropped since CONFIG.
        received: packets received since its start.
        corrupt: damaged packets since its start.
        out_of_order: reliable packets that came out of order since its start.
        fifo_high: most samples that ever waited to be sent.
        waiting: rejects that have not fired.
        flags: bits of `StatusFlag`.
    """

    ticks: int
    edges: int
    blocks: int
    dropped: int
    received: int
    corrupt: int
    out_of_order: int
    fifo_high: int
    waiting: int
    flags: int


@dataclass(frozen=True, slots=True)
class Log:
    """A line for people.

    Attributes:
        level: 0 information, 1 warning, 2 error.
        text: at most 200 bytes of UTF-8.
    """

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Ack:
    """Every reliable packet before this number has arrived.

    Attributes:
        expected: the next sequence number that is wanted.
    """

    expected: int


@dataclass(frozen=True, slots=True)
class Nak:
    """A reliable packet came that is not the next one.

    Attributes:
        expected: the next sequence number that is wanted.
    """

    expected: int


Message: TypeAlias = (
    Hello
    | Config
    | ConfigAck
    | Ping
    | Pong
    | Arm
    | Heartbeat
    | Reject
    | RejectAck
    | RejectDone
    | Cancel
    | Block
    | Edge
    | Status
    | Log
    | Ack
    | Nak
)
