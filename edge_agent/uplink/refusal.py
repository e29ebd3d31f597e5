"""Why a broker is not to be had, in words and with what can be done. Pure."""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

from edge_agent.errors import Unavailable

BAD_VERSION: Final = 0x84
"""The broker does not speak this version of MQTT (MQTT 5, 3.2.2.2; 3.1.1 says 1)."""

_NO_NAME: Final = "see uplink.username and uplink.password_file, and the broker's own list"
_ACCESS_HINT: Final = "the broker's access rules must let the station in: docs/uplink.md"
_TLS_PORT_HINT: Final = "uplink.broker must name the broker's port for TLS, usually 8883"
_TWIN_HINT: Final = "two stations have the same station.name, or this one runs twice"

_CONNACK_HINTS: Final[dict[int, tuple[str, str]]] = {
    0x84: ("does not speak this version of MQTT", 'set uplink.protocol to "auto"'),
    0x85: ("refuses the client identifier", "see station.name"),
    0x86: ("refuses the user name or the password", _NO_NAME),
    0x87: ("does not let the station in: not authorized", _ACCESS_HINT),
    0x88: ("says that it is not available", ""),
    0x89: ("says that it is busy", ""),
    0x8A: ("has banned the station", _ACCESS_HINT),
    0x8C: ("wants another way to authenticate", _NO_NAME),
    0x90: ("refuses the topic of the last will", "see uplink.root"),
    0x97: ("says that a quota is used up", ""),
    0x9A: ("keeps no retained messages", "the last will needs them: allow them at the broker"),
    0x9B: ("does not take QoS 1", "allow QoS 1 at the broker: what is told must be acknowledged"),
}
_DISCONNECT_HINTS: Final[dict[int, tuple[str, str]]] = {
    0x8B: ("is shutting down", ""),
    0x8D: ("has heard nothing for too long", "see uplink.keepalive_s"),
    0x8E: ("has another connection of the same name", _TWIN_HINT),
    0x87: ("has taken the station's rights away", _ACCESS_HINT),
    0x93: ("had more unacknowledged messages than it takes", ""),
    0x95: ("got a packet that was too large", ""),
    0x97: ("says that a quota is used up", ""),
    0x98: ("was told to disconnect the station", ""),
}

_CERTIFICATE_HINTS: Final[dict[int, tuple[str, str]]] = {
    ssl_code: words
    for codes, words in (
        ((9,), ("is not valid yet", "check the clock of this machine")),
        ((10,), ("has expired", "renew the broker's certificate, and check the clock of this machine")),
        (
            (2, 18, 19, 20, 21),
            ("is signed by nobody whom the station trusts", "uplink.ca must be the authority that signed it"),
        ),
        ((62, 64), ("is for another name", "uplink.broker must name a host that the certificate names")),
    )
    for ssl_code in codes
}
"""By the numbers of OpenSSL (x509_vfy.h)."""


def refused(code: int, said: str, where: str) -> Unavailable:
    """Give the error for a CONNACK that lets nobody in.

    Args:
        code: the reason code, as MQTT 5 numbers them.
        said: the broker's own words; "" without.
        where: host and port.

    Returns:
        The error.
    """
    what, hint = _CONNACK_HINTS.get(code, (f"refuses the connection with reason {code:#04x}", ""))
    return Unavailable(f"the broker at {where} {what}{_quoted(said)}", hint=hint)


def ended(code: int, said: str, where: str) -> Unavailable:
    """Give the error for a DISCONNECT of the broker.

    Args:
        code: its reason code.
        said: the broker's own words; "" without.
        where: host and port.

    Returns:
        The error.
    """
    what, hint = _DISCONNECT_HINTS.get(code, (f"gives reason {code:#04x}", ""))
    return Unavailable(f"the broker at {where} has ended the connection: it {what}{_quoted(said)}", hint=hint)


def unreachable(error: OSError, where: str) -> Unavailable:
    """Give the error for a connection that did not come about, or broke.

    Args:
        error: what the system or the TLS library said.
        where: host and port.

    Returns:
        The error.
    """
    match error:
        case ssl.SSLCertVerificationError():
            what, hint = _CERTIFICATE_HINTS.get(error.verify_code, (f"is not good: {error.verify_message}", ""))
            what, hint = f"the certificate of the broker at {where} {what}", hint or "see docs/uplink.md"
        case ssl.SSLError():
            what, hint = _unsafe(error, where)
        case socket.gaierror():
            what = f"cannot look up the broker at {where}: {error.strerror}"
            hint = "check the name in uplink.broker, and the name server of this machine"
        case TimeoutError():
            what = f"the broker at {where} does not answer: connecting took too long"
            hint = "check uplink.broker, and the network and its firewall"
        case ConnectionRefusedError():
            what, hint = f"no broker listens at {where}", "check uplink.broker, and start the broker"
        case _ if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            what, hint = f"there is no way to {where}: {error.strerror}", "check the network"
        case _:
            what, hint = f"the connection to the broker at {where} broke: {error.strerror or error}", ""
    return Unavailable(what, hint=hint)


def no_tls(where: str) -> Unavailable:
    """Give the error for a handshake that the other side breaks off, as one does that does not understand it."""
    return Unavailable(f"what listens at {where} does not speak TLS", hint=_TLS_PORT_HINT)


def _unsafe(error: ssl.SSLError, where: str) -> tuple[str, str]:
    reason = (error.reason or "").upper()
    if "ALERT" in reason and any(
        word in reason for word in ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE", "ACCESS_DENIED")
    ):
        return (
            f"the broker at {where} does not accept the station's certificate: {reason}",
            "see uplink.certificate and uplink.key; the broker must trust the authority that signed it",
        )
    if "PROTOCOL" in reason:
        return (
            f"the broker at {where} speaks no version of TLS that is safe: {reason}",
            "the broker must offer TLS 1.2 or newer",
        )
    if any(word in reason for word in ("WRONG_VERSION", "RECORD_LAYER", "EOF", "HTTP_REQUEST")):
        return f"what listens at {where} does not speak TLS", _TLS_PORT_HINT
    return f"no safe connection to {where}: {error}", "see docs/uplink.md"


def _quoted(said: str) -> str:
    return f' ("{said[:200]}")' if said else ""
