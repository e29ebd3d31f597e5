"""Why a session ends, in words for people: what was found, and what to do about it. Pure."""

from __future__ import annotations

from typing import Final

from firmware_bridge.codes import PROTOCOL, ConfigResult
from firmware_bridge.errors import McuFault, PortRefused
from firmware_bridge.messages import ConfigAck, Hello
from firmware_bridge.packet import VERSION

WORDS: Final = {int(result): result.name.removeprefix("BAD_").lower() for result in ConfigResult}


def nobody(waited_s: float, garbage: bool) -> McuFault:
    """Nobody answered the greeting.

    Args:
        waited_s: how long it went on [s].
        garbage: whether bytes came, and none of them was a packet.

    Returns:
        The error.
    """
    if garbage:
        return McuFault(
            "what comes from the port is not this protocol",
            hint="check that source.wire.port is the right device and source.wire.baud its speed",
        )
    return McuFault(
        f"nobody answers on the port within {waited_s:.0f} s",
        hint="check that source.wire.port is the right device, that it has power and the firmware runs",
    )


def another_version(version: int) -> PortRefused:
    """The packets that come are of another version."""
    return PortRefused(
        f"the microcontroller speaks version {version} of the protocol, this program version {VERSION}",
        hint="install the firmware that belongs to this version of edge-agent (firmware_bridge/firmware)",
    )


def unfit(hello: Hello) -> PortRefused | None:
    """Say why one that says this is nobody to talk to; None when it is."""
    if hello.proto != PROTOCOL:
        return PortRefused(
            f"the microcontroller speaks protocol {hello.proto}, this program {PROTOCOL}",
            hint="install the firmware that belongs to this version of edge-agent (firmware_bridge/firmware)",
        )
    if not hello.tick_hz:
        return PortRefused("what answers has no clock: another host?", hint="source.wire.port must be a firmware's")
    return None


def refused(answer: ConfigAck, hello: Hello) -> PortRefused:
    """The microcontroller cannot do what is wanted of it; it has said what it can."""
    return PortRefused(
        f"the microcontroller cannot do the {WORDS.get(answer.result, 'configuration')} that is asked for; "
        f"it has up to {hello.rate_hz} Hz and {hello.full_scale_mg} mg, {hello.inputs} inputs, {hello.outputs} outputs",
        hint="ask for what it can do: source.wire.rate_hz, source.wire.range_g, source.wire.block_samples",
    )
