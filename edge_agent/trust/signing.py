"""Messages that only the holder of a key can have written, for one topic: Ed25519 (RFC 8032). Pure.

The signature is over the very bytes that are read afterwards, so that nobody has to agree on how JSON is written, and
over the topic they were meant for, so that they say nothing anywhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from edge_agent import strictjson
from edge_agent.errors import BadData

SigningKey = Ed25519PrivateKey
"""A key that signs, for whoever only holds one."""

KEY_ID_DIGITS = 16
"""Hexadecimal digits of a key's id."""


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed message as it travels.

    Attributes:
        signed: the JSON text that is meant.
        key: id of the key that signed it.
        sig: the signature, base64.
    """

    signed: str
    key: str
    sig: str


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """Give the 32 bytes of the public key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw()


def key_id(public: bytes) -> str:
    """Give the id of a public key: the first digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:KEY_ID_DIGITS]


def sealed(text: str, topic: str, key: Ed25519PrivateKey) -> bytes:
    """Sign a message.

    Args:
        text: the message, JSON.
        topic: where it will be published.
        key: signs it.

    Returns:
        The envelope, JSON.
    """
    sig = base64.b64encode(key.sign(_meant(text, topic))).decode()
    return msgspec.json.encode(Envelope(text, key_id(public_bytes(key)), sig))


def opened(envelope: Envelope, topic: str, keys: Mapping[str, bytes]) -> str:
    """Give a signed message to whoever trusts one of `keys`.

    Args:
        envelope: what came.
        topic: where it came.
        keys: public keys by id, 32 bytes each.

    Returns:
        The message.

    Raises:
        BadData: nobody who is trusted signed this for this topic.
    """
    public = keys.get(envelope.key)
    if public is None:
        raise BadData(f"signed with the key {envelope.key[:40]!r}, which is not trusted here")
    try:
        signature = base64.b64decode(envelope.sig, validate=True)
        Ed25519PublicKey.from_public_bytes(public).verify(signature, _meant(envelope.signed, topic))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise BadData(f"the signature of key {envelope.key} does not fit the message and its topic") from error
    return envelope.signed


def is_signed(data: bytes) -> Envelope | None:
    """Give the envelope that a text is; None where it is something else."""
    try:
        return envelope_of(strictjson.plain(data))
    except BadData:
        return None


def envelope_of(value: object) -> Envelope | None:
    """Give the envelope that a text is once it was read; None where it is something else."""
    try:
        return strictjson.as_kind(value, Envelope)
    except BadData:
        return None


def _meant(text: str, topic: str) -> bytes:
    return b"edge-agent/1\n" + topic.encode() + b"\n" + text.encode()


def made_key() -> bytes:
    """Make a signing key; PEM, not encrypted, for its owner's eyes alone."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_of(pem: bytes) -> Ed25519PrivateKey:
    """Read a signing key; raise `BadData` where there is none."""
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadData("no private key in PEM that is not encrypted", hint="edge-console key makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise BadData("a key of another kind; Ed25519 is needed", hint="edge-console key makes one")
    return key
