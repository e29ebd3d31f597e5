"""Signed messages: what was signed is read as it was written, and nothing else is read at all."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import BadData
from edge_agent.trust.signing import KEY_ID_DIGITS, Envelope, is_signed, key_id, opened, public_bytes, sealed

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\1")
PUBLIC = public_bytes(KEY)
KEYS = {key_id(PUBLIC): PUBLIC}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def envelope(text: str, topic: str, key: Ed25519PrivateKey = KEY) -> Envelope:
    made = is_signed(sealed(text, topic, key))
    assert made is not None
    return made


@given(TEXTS, TEXTS)
def test_what_was_signed_is_read_as_it_was_written(text: str, topic: str) -> None:
    assert opened(envelope(text, topic), topic, KEYS) == text


@given(TEXTS, TEXTS, TEXTS)
def test_for_another_topic_it_means_nothing(text: str, topic: str, other: str) -> None:
    if other != topic:
        with pytest.raises(BadData, match="does not fit"):
            opened(envelope(text, topic), other, KEYS)


@given(TEXTS, st.data())
def test_one_bit_is_enough(text: str, data: st.DataObject) -> None:
    good = envelope(text, "t")
    raw = bytearray(base64.b64decode(good.sig))
    bit = data.draw(st.integers(0, 511))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadData):
        opened(msgspec.structs.replace(good, sig=base64.b64encode(raw).decode()), "t", KEYS)
    with pytest.raises(BadData):
        opened(msgspec.structs.replace(good, signed=text + " "), "t", KEYS)


@given(st.text(max_size=100), st.text(max_size=100), st.text(max_size=40))
def test_whatever_stands_in_an_envelope_is_refused_without_surprise(signed: str, sig: str, key: str) -> None:
    for name in (key, next(iter(KEYS))):
        with pytest.raises(BadData):
            opened(Envelope(signed, name, sig), "t", KEYS)


@given(st.binary(max_size=200))
def test_what_is_no_envelope_is_none(data: bytes) -> None:
    assert is_signed(data) is None


def test_a_stranger_is_not_trusted_and_cannot_borrow_a_name() -> None:
    foreign = envelope("x", "t", OTHER)
    with pytest.raises(BadData, match="not trusted"):
        opened(foreign, "t", KEYS)
    with pytest.raises(BadData, match="does not fit"):
        opened(msgspec.structs.replace(foreign, key=next(iter(KEYS))), "t", KEYS)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), b"\xff" * 32])
def test_a_public_key_that_is_none_opens_nothing(public: bytes) -> None:
    with pytest.raises(BadData):
        opened(msgspec.structs.replace(envelope("x", "t"), key="k"), "t", {"k": public})


def test_the_form_is_the_documented_one(tmp_path: Path) -> None:
    """openssl, which knows nothing of this program, agrees."""
    made = envelope('{"v":1}', "insp/v1/press-3/ack")
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "text").write_bytes(b'edge-agent/1\ninsp/v1/press-3/ack\n{"v":1}')
    (tmp_path / "sig").write_bytes(base64.b64decode(made.sig))
    verify = [
        "openssl",
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "key.pem",
        "-rawin",
        "-in",
        "text",
        "-sigfile",
        "sig",
    ]
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done
    assert len(made.key) == KEY_ID_DIGITS
