"""Each way to be kept out is named, with what to do about it; a wrong word would send a person the wrong way."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from edge_agent.uplink.refusal import ended, refused, unreachable

WHERE = "broker.example:8883"


def tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    return error


def unverified(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, "something is wrong"
    return error


@pytest.mark.parametrize(
    ("error", "said", "hinted"),
    [
        (unverified(10), "has expired", "clock"),
        (unverified(9), "not valid yet", "clock"),
        (unverified(19), "signed by nobody whom the station trusts", "uplink.ca"),
        (unverified(20), "signed by nobody whom the station trusts", "uplink.ca"),
        (unverified(62), "for another name", "uplink.broker"),
        (unverified(64), "for another name", "uplink.broker"),
        (unverified(23), "something is wrong", "docs/uplink.md"),
        (tls("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "does not accept the station's certificate", "uplink.certificate"),
        (tls("TLSV1_ALERT_UNKNOWN_CA"), "does not accept the station's certificate", "uplink.certificate"),
        (tls("TLSV1_ALERT_PROTOCOL_VERSION"), "no version of TLS that is safe", "TLS 1.2"),
        (tls("WRONG_VERSION_NUMBER"), "does not speak TLS", "8883"),
        (tls("SOMETHING_NEW"), "SOMETHING_NEW", "docs/uplink.md"),
        (socket.gaierror(-2, "Name or service not known"), "cannot look up", "name server"),
        (TimeoutError(), "does not answer", "firewall"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "no broker listens", "start the broker"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no way to", "network"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "broke: Connection reset", ""),
    ],
)
def test_what_the_system_says_becomes_what_a_person_can_do(error: OSError, said: str, hinted: str) -> None:
    refusal = unreachable(error, WHERE)

    assert said in refusal.message and WHERE in refusal.message
    assert hinted in refusal.hint


@pytest.mark.parametrize(
    ("code", "said"), [(0x86, "user name or the password"), (0x87, "not authorized"), (0xBF, "reason 0xbf")]
)
def test_each_reason_for_refusing_is_named_with_the_broker_s_own_words(code: int, said: str) -> None:
    refusal = refused(code, "go away", WHERE)

    assert said in refusal.message and '"go away"' in refusal.message


def test_a_twin_is_named_as_the_reason_for_being_thrown_out() -> None:
    assert "station.name" in ended(0x8E, "", WHERE).hint
