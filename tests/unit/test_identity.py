"""Who the station is: a key that stays, and a certificate that is used only when it is good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from authority import NOW, Authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.errors import BadData, ConfigError, EdgeAgentError
from edge_agent.testing.disk import FakeDisk, power_cuts
from edge_agent.trust import certificate
from edge_agent.trust.identity import (
    CA,
    PENDING,
    PREVIOUS,
    STATION,
    Hardware,
    Identities,
    Identity,
)

UTC = NOW.timestamp()
AUTHORITY, STRANGER = Authority(), Authority("another CA")
NOTHING = Hardware(None, None, None, None)


def look(identities: Identities) -> Identity:
    return identities.look(Path("state"), NOTHING, UTC)


def installed(name: str = "press-3") -> tuple[FakeDisk, Identities]:
    disk = FakeDisk()
    identities = Identities(disk, name)
    identities.make()
    identities.install(AUTHORITY.signed(identities.request()), AUTHORITY.pem, UTC)
    return disk, identities


def test_a_station_goes_from_nothing_to_a_certificate() -> None:
    identities = Identities(FakeDisk(), "press-3")
    assert look(identities).pending is None

    made = identities.make()
    assert (look(identities).pending, look(identities).key) == (made, None)

    said = identities.install(AUTHORITY.signed(identities.request()), AUTHORITY.pem, UTC)
    after = look(identities)
    assert (after.pending, after.key, said.key, said.name) == (None, made, made, "press-3")
    assert after.days_left == 365.0
    assert after.ca


def test_the_request_is_for_a_client_with_the_station_s_name_and_has_no_private_key() -> None:
    identities = Identities(FakeDisk(), "press-3")
    identities.make()
    text = identities.request()
    asked = x509.load_pem_x509_csr(text)

    assert asked.is_signature_valid
    assert [name.value for name in asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["press-3"]
    usage = asked.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert b"PRIVATE" not in text


@pytest.mark.parametrize("with_certificate", [False, True])
def test_a_key_is_never_overwritten(with_certificate: bool) -> None:
    disk = FakeDisk()
    identities = Identities(disk, "press-3")
    identities.make()
    if with_certificate:
        identities.install(AUTHORITY.signed(identities.request()), AUTHORITY.pem, UTC)
    before = look(identities)

    with pytest.raises(ConfigError, match="already"):
        identities.make()
    assert look(identities) == before


def test_what_is_not_there_is_said_with_what_to_do() -> None:
    empty = Identities(FakeDisk(), "press-3")
    for act in (empty.request, empty.renew, lambda: empty.install(AUTHORITY.pem, None, UTC)):
        with pytest.raises(ConfigError) as caught:
            act()
        assert "edge-agent identity" in caught.value.hint


def csr(name: str = "press-3") -> tuple[Identities, bytes]:
    identities = Identities(FakeDisk(), name)
    identities.make()
    return identities, identities.request()


def other_key() -> bytes:
    return certificate.request(certificate.make_key(), "press-3")


INTERMEDIATE, EXPIRED_CA = Authority("line CA", by=AUTHORITY), Authority(days=-1)

WRONG = {
    "another station": (lambda r: AUTHORITY.signed(csr("press-4")[1]), "press-4"),
    "another key": (lambda r: AUTHORITY.signed(other_key()), "another key"),
    "another authority": (STRANGER.signed, "not the CA"),
    "an authority of the same name": (lambda r: Authority().signed(r), "not the CA"),
    "expired": (lambda r: AUTHORITY.signed(r, begins=-30, ends=-1), "expired"),
    "not yet": (lambda r: AUTHORITY.signed(r, begins=1), "valid from"),
    "for servers": (lambda r: AUTHORITY.signed(r, usage=ExtendedKeyUsageOID.SERVER_AUTH), "client authentication"),
    "for nothing in particular": (lambda r: AUTHORITY.signed(r, usage=None), "client authentication"),
    "the authority itself": (lambda r: AUTHORITY.pem, "test CA"),
    "in between left out": (INTERMEDIATE.signed, "not the CA"),
    "in the wrong order": (lambda r: INTERMEDIATE.signed(r) + STRANGER.pem, "follow"),
    "too many": (lambda r: AUTHORITY.signed(r) * 6, "at most"),
    "a request": (lambda r: r, "PEM file of certificates"),
    "nothing": (lambda r: b"", "PEM file of certificates"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_certificate_that_is_not_good_changes_nothing(case: str) -> None:
    disk, identities = installed()
    request = identities.renew()
    before = look(identities)
    make, reason = WRONG[case]

    with pytest.raises(BadData, match=reason) as caught:
        identities.install(make(request), AUTHORITY.pem, UTC)
    assert caught.value.hint or case == "too many"
    assert look(identities) == before
    assert not disk.exists(PREVIOUS)


def test_the_certificate_of_an_authority_that_has_expired_is_worth_nothing() -> None:
    identities, request = csr()

    with pytest.raises(BadData, match="CA's certificate has expired"):
        identities.install(EXPIRED_CA.signed(request), EXPIRED_CA.pem, UTC)


def test_an_authority_between_is_followed() -> None:
    identities, request = csr()
    said = identities.install(INTERMEDIATE.signed(request) + INTERMEDIATE.pem, AUTHORITY.pem, UTC)

    assert said.issuer == "CN=line CA"


def test_a_renewed_certificate_comes_with_a_new_key_and_the_old_pair_stays_until_then_and_after() -> None:
    disk, identities = installed()
    old = disk.read(STATION)
    request = identities.renew()
    assert disk.read(STATION) == old
    assert x509.load_pem_x509_csr(identities.renew()).public_key() == x509.load_pem_x509_csr(request).public_key()

    said = identities.install(AUTHORITY.signed(request, ends=700.0), None, UTC)
    after = look(identities)
    assert after.key == said.key != certificate.key_fingerprint(old)
    assert (after.pending, after.days_left) == (None, 700.0)
    assert disk.read(PREVIOUS) == old


def test_a_new_certificate_for_the_key_in_use_is_taken_too() -> None:
    disk, identities = installed()
    key = look(identities).key
    identities.install(AUTHORITY.signed(identities.request(), ends=500.0), None, UTC)

    assert (look(identities).key, look(identities).days_left) == (key, 500.0)
    assert disk.read(STATION).count(b"PRIVATE KEY") == 2
    assert disk.read(STATION).count(b"BEGIN CERTIFICATE") == 1


def fits(station: bytes) -> bool:
    return certificate.certificate_of(station).key == certificate.key_fingerprint(station)


def test_a_power_cut_leaves_the_old_pair_or_the_new_and_installing_can_be_done_again() -> None:
    disk, identities = installed()
    chain = AUTHORITY.signed(identities.renew(), ends=700.0)
    before = {name: disk.read(name) for name in (STATION, CA, PENDING)}
    seen = set()
    for files in power_cuts(before, lambda disk: Identities(disk, "press-3").install(chain, AUTHORITY.pem, UTC)):
        station = files[STATION]
        assert fits(station)
        seen.add(station)
        again = Identities(FakeDisk(files), "press-3")
        again.install(chain, AUTHORITY.pem, UTC)
        assert look(again).days_left == 700.0

    assert len(seen) == 2


def test_a_key_that_is_in_use_does_not_wait_any_more() -> None:
    disk, identities = installed()
    used = disk.read(STATION)
    disk.write(PENDING, certificate.key_alone(used))  # the power went before it was removed
    disk.sync("identity")
    assert look(identities).pending is None
    assert identities.request()  # of the key in use

    renewed = x509.load_pem_x509_csr(identities.renew()).public_key()
    assert renewed != x509.load_pem_x509_certificate(used[used.index(b"-----BEGIN CERT") :]).public_key()
    assert look(identities).pending not in (None, look(identities).key)


def as_pem(key: Any, form: serialization.PrivateFormat) -> bytes:
    text: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return text


CURVE, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
WRITTEN = {
    "without its last newline": as_pem(CURVE, serialization.PrivateFormat.PKCS8).rstrip(),
    "with carriage returns": as_pem(CURVE, serialization.PrivateFormat.PKCS8).replace(b"\n", b"\r\n"),
    "as an EC key": as_pem(CURVE, serialization.PrivateFormat.TraditionalOpenSSL),
    "as an RSA key": as_pem(RSA, serialization.PrivateFormat.TraditionalOpenSSL),
    "behind something else": b"# of a backup\n" + as_pem(CURVE, serialization.PrivateFormat.PKCS8),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_key_is_used_however_it_was_written(how: str) -> None:
    disk = FakeDisk({PENDING: WRITTEN[how]})
    identities = Identities(disk, "press-3")
    said = identities.install(AUTHORITY.signed(identities.request()), AUTHORITY.pem, UTC)

    assert (look(identities).key, look(identities).pending) == (said.key, None)
    assert disk.read(STATION).startswith(b"-----BEGIN PRIVATE KEY-----\n")


def two_files(disk: FakeDisk, key: bytes, chain: bytes) -> None:
    """Wrong: key and certificate are put in their places one after the other."""
    disk.write("identity/key.pem", key)
    disk.write("identity/certificate.pem", chain)
    disk.sync("identity")


def test_the_sweep_has_teeth() -> None:
    old, new = (certificate.make_key() for _ in range(2))
    chains = [AUTHORITY.signed(certificate.request(key, "press-3")) for key in (old, new)]
    before = {"identity/key.pem": old, "identity/certificate.pem": chains[0]}
    torn = 0
    for files in power_cuts(before, lambda disk: two_files(disk, new, chains[1])):  # type: ignore[arg-type]
        try:
            torn += not fits(files["identity/key.pem"] + files["identity/certificate.pem"])
        except EdgeAgentError:
            torn += 1

    assert torn > 0
