"""Whose signature counts: pure changes of the list of keys, and what each role may."""

from __future__ import annotations

import base64

import pytest

from edge_agent.commands import Privilege
from edge_agent.commands.arguments import TrustArguments, TrustedKey
from edge_agent.errors import BadData, Unsafe
from edge_agent.trust.file import MAX_KEYS, added, changed, fingerprint, key_of, removed
from edge_agent.trust.keys import PRIVILEGES
from edge_agent.trust.signing import key_id


def public(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


ADA = key_of("ada", "administer", public(1))
BOB = key_of("bob", "operate", public(2))
EVE = key_of("eve", "administer", public(3))


def test_a_key_is_named_by_the_beginning_of_its_digest() -> None:
    assert key_id(bytes([1]) * 32) == ADA.id


@pytest.mark.parametrize("text", ["", "AAAA", public(1)[:-1], public(1)[:-2] + "!=", "A" * 44, public(1)[:-2] + "F="])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(BadData, match="not 32 bytes"):
        key_of("x", "operate", text)


def test_keys_are_added_once_each() -> None:
    assert added((ADA,), BOB) == (ADA, BOB)
    assert added((ADA, BOB), BOB) == (ADA, BOB)  # to say it twice is to say it
    for other in (key_of("bob", "operate", public(9)), key_of("bill", "operate", public(2))):
        with pytest.raises(BadData, match="already"):
            added((ADA, BOB), other)
    many = tuple(key_of(f"k{n}", "operate", public(n)) for n in range(MAX_KEYS))
    with pytest.raises(BadData, match=f"{MAX_KEYS} keys"):
        added(many, key_of("more", "operate", public(200)))


def test_the_last_that_administers_stays() -> None:
    assert removed((ADA, BOB, EVE), "ada") == (BOB, EVE)
    assert removed((ADA, BOB), "bob") == (ADA,)
    with pytest.raises(Unsafe, match="last that administers"):
        removed((ADA, BOB), "ada")
    with pytest.raises(BadData, match="no key of"):
        removed((ADA,), "bob")


@pytest.mark.parametrize(
    "asked",
    [
        TrustArguments("add", "me"),
        TrustArguments("add", "me", "new"),
        TrustArguments("add", "me", "new", "operate"),
        TrustArguments("add", "me", "new", None, public(7)),
        TrustArguments("remove", "me"),
    ],
)
def test_what_is_missing_is_said(asked: TrustArguments) -> None:
    with pytest.raises(BadData):
        changed((ADA,), asked)


def test_list_changes_nothing() -> None:
    assert changed((ADA, BOB), TrustArguments("list", "me")) == (ADA, BOB)


def test_roles_are_privileges() -> None:
    assert {role: [str(p) for p in Privilege if given.covers(p)] for role, given in PRIVILEGES.items()} == {
        "acknowledge": ["read"],
        "operate": ["read", "operate"],
        "administer": ["read", "operate", "administer"],
    }


def test_another_list_has_another_fingerprint() -> None:
    lists: list[tuple[TrustedKey, ...]] = [(), (ADA,), (ADA, BOB), (ADA, EVE), (BOB,)]

    assert len({fingerprint(keys) for keys in lists}) == len(lists)
