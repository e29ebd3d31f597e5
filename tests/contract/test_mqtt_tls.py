"""Only the right broker is talked to, only the right station is let in, and who is kept out learns why."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from broker import DEFAULT, Broker, broker, free_port, password_line
from certificates import Authority, Pair
from door_bench import arrived, door, opened, reason, until
from tls_server import tls_server

from edge_agent.config.uplink import UplinkConfig
from edge_agent.errors import Unavailable
from edge_agent.uplink.connection import tls_context
from edge_agent.uplink.message import Delivered, Outgoing


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    """Start a broker with a certificate, and with what else its configuration says."""
    with ExitStack() as stack:

        def start(pair: Pair, config: str = "") -> Broker:
            text = f"{DEFAULT}certfile {pair.certificate}\nkeyfile {pair.key}\n{config}"
            return stack.enter_context(broker(tmp_path, text))

        yield start


def refusal(port: int, **config: Any) -> Unavailable:
    used = door(port, **config)
    try:
        with pytest.raises(Unavailable) as refused:
            used.connect()
    finally:
        used.close()
    return refused.value


def test_much_goes_out_through_tls(authority: Authority, serve: Any) -> None:
    served = serve(authority.issue("127.0.0.1"))
    with opened(served.port, scheme="mqtts", ca=str(authority.certificate)) as used:
        large = Outgoing("out/a", bytes(200_000))
        tokens = [used.publish(large) for _ in range(20)]
        happened = until(used, lambda so_far: len(so_far) >= 20)
        assert [one.token for one in happened if isinstance(one, Delivered)] == tokens


def test_a_large_message_through_tls_is_whole(authority: Authority, serve: Any) -> None:
    """TLS hands out what it has decrypted, which the socket says nothing about."""
    served = serve(authority.issue("127.0.0.1"))
    ca = str(authority.certificate)
    with (
        opened(served.port, "in/#", scheme="mqtts", ca=ca) as used,
        opened(served.port, scheme="mqtts", ca=ca, client_id="other") as other,
    ):
        payloads = [bytes([n]) * 100_000 for n in range(5)]
        for payload in payloads:
            other.publish(Outgoing("in/a", payload))
        until(other, lambda so_far: len(so_far) >= 5)

        assert [one.payload for one in arrived(used, 5)] == payloads


def test_a_certificate_lets_the_station_in_without_a_password(authority: Authority, serve: Any) -> None:
    config = f"cafile {authority.certificate}\nrequire_certificate true\nuse_identity_as_username true\n"
    served = serve(authority.issue("127.0.0.1"), config)
    own = authority.issue("press-3")
    with opened(
        served.port,
        scheme="mqtts",
        ca=str(authority.certificate),
        certificate=str(own.certificate),
        key=str(own.key),
    ) as used:
        assert reason(used, Outgoing("out/a", b"")) == 0x10


def test_a_broker_of_another_authority_is_refused(authority: Authority, serve: Any, tmp_path: Path) -> None:
    served = serve(authority.issue("127.0.0.1"))
    refused = refusal(served.port, scheme="mqtts", ca=str(Authority(tmp_path, "other").certificate))

    assert "signed by nobody whom the station trusts" in refused.message
    assert "uplink.ca" in refused.hint


def test_without_an_authority_of_its_own_a_station_trusts_those_of_the_system(authority: Authority, serve: Any) -> None:
    served = serve(authority.issue("127.0.0.1"))

    assert "signed by nobody" in refusal(served.port, scheme="mqtts").message


def test_an_expired_broker_is_refused(authority: Authority, serve: Any) -> None:
    served = serve(authority.issue("127.0.0.1", -2.0, -1.0))

    assert "has expired" in refusal(served.port, scheme="mqtts", ca=str(authority.certificate)).message


def test_a_broker_that_is_not_valid_yet_points_to_the_clock(authority: Authority, serve: Any) -> None:
    served = serve(authority.issue("127.0.0.1", 1.0, 2.0))

    assert "clock of this machine" in refusal(served.port, scheme="mqtts", ca=str(authority.certificate)).hint


@pytest.mark.parametrize("name", ["broker.example", "127.0.0.2"])
def test_a_broker_of_another_name_is_refused(authority: Authority, serve: Any, name: str) -> None:
    served = serve(authority.issue(name))

    assert "for another name" in refusal(served.port, scheme="mqtts", ca=str(authority.certificate)).message


def test_a_station_without_the_certificate_that_the_broker_wants_is_told(authority: Authority, serve: Any) -> None:
    """In TLS 1.3 that comes after the handshake, at times when CONNECT is under way already."""
    served = serve(authority.issue("127.0.0.1"), f"cafile {authority.certificate}\nrequire_certificate true\n")
    refused = refusal(served.port, scheme="mqtts", ca=str(authority.certificate))

    assert "does not accept the station's certificate" in refused.message
    assert "uplink.certificate" in refused.hint


@pytest.mark.parametrize("days", [(-2.0, -1.0), (1.0, 2.0)])
def test_a_station_whose_certificate_is_not_valid_now_is_told(
    authority: Authority, serve: Any, days: tuple[float, float]
) -> None:
    served = serve(authority.issue("127.0.0.1"), f"cafile {authority.certificate}\nrequire_certificate true\n")
    own = authority.issue("press-3", *days)
    refused = refusal(
        served.port,
        scheme="mqtts",
        ca=str(authority.certificate),
        certificate=str(own.certificate),
        key=str(own.key),
    )

    assert "does not accept the station's certificate" in refused.message


def test_old_versions_of_tls_are_not_offered() -> None:
    assert tls_context(UplinkConfig(broker="mqtts://127.0.0.1")).minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_broker_with_old_versions_of_tls_only_is_refused(authority: Authority) -> None:
    """mosquitto cannot be brought to speak TLS 1.1 any more; a server of the system's library can."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = authority.issue("127.0.0.1")
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with tls_server(context) as port:
        refused = refusal(port, scheme="mqtts", ca=str(authority.certificate))

    assert "no version of TLS that is safe" in refused.message


def test_a_plain_broker_where_tls_is_expected_is_named(tmp_path: Path) -> None:
    with broker(tmp_path) as plain:
        refused = refusal(plain.port, scheme="mqtts")

    assert "does not speak TLS" in refused.message
    assert "8883" in refused.hint


def test_tls_where_a_plain_broker_is_expected_is_named(authority: Authority, serve: Any) -> None:
    served = serve(authority.issue("127.0.0.1"))
    refused = refusal(served.port)

    assert "mqtts://" in refused.hint


def test_a_wrong_password_is_named_and_the_right_one_works(tmp_path: Path) -> None:
    (tmp_path / "names").write_text(password_line("press-3", "secret"))
    secret = tmp_path / "secret"
    with broker(tmp_path, f"allow_anonymous false\npassword_file {tmp_path / 'names'}\n") as strict:
        for protocol in ("5", "3.1.1"):
            write_private(secret, "wrong\n")
            config = {"username": "press-3", "password_file": str(secret), "protocol": protocol}
            refused = refusal(strict.port, **config)
            assert "not authorized" in refused.message or "user name or the password" in refused.message
            write_private(secret, "secret\n")
            with opened(strict.port, **config):
                pass


def write_private(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_password_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret\n")
    secret.chmod(mode)
    refused = refusal(1, username="press-3", password_file=str(secret))

    assert "can be read by others" in refused.message
    assert "chmod 600" in refused.hint


@pytest.mark.parametrize("text", ["", "\n", "x" * 65_536])
def test_a_file_without_a_password_is_named(tmp_path: Path, text: str) -> None:
    write_private(tmp_path / "secret", text)

    assert "no password" in refusal(1, username="press-3", password_file=str(tmp_path / "secret")).message


def test_files_that_are_missing_are_named(tmp_path: Path, authority: Authority) -> None:
    missing = str(tmp_path / "missing")
    assert missing in refusal(1, scheme="mqtts", ca=missing).message
    assert missing in refusal(1, scheme="mqtts", certificate=missing, key=missing).message
    assert missing in refusal(1, username="press-3", password_file=missing).message


def test_a_key_that_belongs_to_another_certificate_or_has_a_passphrase_is_named(authority: Authority) -> None:
    one, other, locked = authority.issue("a"), authority.issue("b"), authority.issue("c", passphrase=b"secret")
    for certificate, key in ((one.certificate, other.key), (locked.certificate, locked.key)):
        refused = refusal(1, scheme="mqtts", certificate=str(certificate), key=str(key))
        assert "cannot use the certificate" in refused.message
        assert "passphrase" in refused.hint


def test_a_name_that_nobody_knows_is_named() -> None:
    refused = refusal(1883, host="no-such-host.invalid")

    assert "cannot look up" in refused.message


def test_where_nobody_listens_is_named() -> None:
    assert "no broker listens" in refusal(free_port()).message
