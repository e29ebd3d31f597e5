"""Device keys, certificate requests and what a certificate must be for a station to use it: X.509 (RFC 5280). Pure.

Bytes and the time go in, bytes and records come out; where they lie is `identity`'s business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.errors import BadData

MAX_CHAIN: Final = 5
"""Certificates between a station and its authority, its own included."""

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

_RENEW_HINT: Final = "make a new request: edge-agent identity request FILE"


@dataclass(frozen=True)
class Certificate:
    """What a certificate says.

    Attributes:
        name: whose it is.
        issuer: who signed it.
        serial: its number there, hexadecimal.
        valid_from_utc: from when on [s since the epoch].
        valid_to_utc: until when [s since the epoch].
        key: fingerprint of its public key.
    """

    name: str
    issuer: str
    serial: str
    valid_from_utc: float
    valid_to_utc: float
    key: str

    def days_left(self, utc: float) -> float:
        """Say how many days it is still valid; negative where it has expired."""
        return (self.valid_to_utc - utc) / 86_400.0


def make_key() -> bytes:
    """Make a device key on the curve P-256; PEM, not encrypted, for its owner's eyes alone."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def key_alone(pem: bytes) -> bytes:
    """Give a private key as `make_key` writes it, however it was written, and without what stands beside it.

    Args:
        pem: the key.

    Returns:
        The same key, PEM.

    Raises:
        BadData: it is no key.
    """
    return _pem(_private(pem))


def key_fingerprint(pem: bytes) -> str:
    """Give the fingerprint of a private key: the SHA-256 of its public key, as `openssl pkey -pubout -outform DER`.

    Args:
        pem: the key; certificates may stand beside it.

    Returns:
        64 hexadecimal digits.

    Raises:
        BadData: it is no key.
    """
    return _fingerprint(_private(pem))


def request(pem: bytes, name: str) -> bytes:
    """Write a request for a certificate, for client authentication.

    Args:
        pem: the private key; it does not get into the request.
        name: whose certificate it is to be, the common name.

    Returns:
        The request, PEM.
    """
    key = _private(pem)
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)


def certificate_of(pem: bytes) -> Certificate:
    """Read the first certificate of a PEM text; raise `BadData` where there is none."""
    return _said(_certificates(pem, "the certificate")[0])


def checked_chain(chain: bytes, ca: bytes, name: str, utc: float) -> tuple[Certificate, bytes]:
    """Check that a certificate is one that a station may show to its broker.

    Args:
        chain: the certificate, and those between it and the authority, PEM.
        ca: the authority's certificate or certificates, PEM.
        name: whose it must be.
        utc: the time now [s since the epoch].

    Returns:
        What it says, and the chain without anything else.

    Raises:
        BadData: it is none; the message says why.
    """
    certificates = _certificates(chain, "the certificate")
    if len(certificates) > MAX_CHAIN:
        raise BadData(f"{len(certificates)} certificates in one file, at most {MAX_CHAIN} are a chain")
    leaf, said = certificates[0], _said(certificates[0])
    if said.name != name:
        hint = "ask for one with the common name of [station] name: edge-agent identity request FILE"
        raise BadData(f"the certificate is for {said.name!r}, this station is {name!r}", hint=hint)
    _check_time(said, utc, "the certificate")
    if not _is_for_clients(leaf):
        raise BadData(
            "the certificate is not for client authentication",
            hint="have it signed with the extended key usage clientAuth, as packaging/mosquitto/make-test-ca.sh does",
        )
    if _is_authority(leaf):
        raise BadData("the certificate is an authority's own", hint="give the station's certificate, not the CA's")
    _check_signed(certificates, _certificates(ca, "the CA"), utc)
    return said, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _check_signed(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], utc: float) -> None:
    """Walk from the leaf up to one of the authorities."""
    at, *between = chain
    while True:
        for authority in authorities:
            if _has_signed(authority, at):
                _check_time(_said(authority), utc, "the CA's certificate")
                return
        if not between:
            raise BadData(
                f"the certificate was signed by {_said(chain[-1]).issuer!r}, which is not the CA that was given",
                hint="name the CA that signed it with --ca, and put certificates in between behind the station's own",
            )
        above = between.pop(0)
        if not _has_signed(above, at):
            raise BadData(
                "the certificates do not follow each other", hint="the station's own first, then its issuer's"
            )
        _check_time(_said(above), utc, "a certificate between the station's and the CA's")
        at = above


def _has_signed(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_authority(authority)


def _check_time(said: Certificate, utc: float, what: str) -> None:
    here = f"here it is {_date(utc)}"
    if utc < said.valid_from_utc:
        hint = "set the clock of this machine, or wait"
        raise BadData(f"{what} is valid from {_date(said.valid_from_utc)} on, {here}", hint=hint)
    if utc > said.valid_to_utc:
        raise BadData(f"{what} has expired on {_date(said.valid_to_utc)}, {here}", hint=_RENEW_HINT)


def _is_for_clients(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in usage


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _certificates(pem: bytes, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadData(f"{what} is no PEM file of certificates", hint="it begins with -----BEGIN CERTIFICATE") from error


def _private(pem: bytes) -> PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise BadData("the device key cannot be read", hint="a copy from a backup must be the whole file") from error
    if not isinstance(key, PrivateKey):
        raise BadData("the device key is of a kind that is not known here")
    return key


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _fingerprint(key: PrivateKey) -> str:
    return _digest(key.public_key().public_bytes(*_SPKI))


def _digest(spki: bytes) -> str:
    return hashlib.sha256(spki).hexdigest()


_SPKI: Final = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _said(certificate: x509.Certificate) -> Certificate:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        str(names[0].value) if len(names) == 1 else "",
        certificate.issuer.rfc4514_string(),
        f"{certificate.serial_number:x}",
        certificate.not_valid_before_utc.timestamp(),
        certificate.not_valid_after_utc.timestamp(),
        _digest(certificate.public_key().public_bytes(*_SPKI)),
    )


def _date(utc: float) -> str:
    return datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%d %H:%M UTC")
