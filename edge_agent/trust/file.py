"""The file of trusted keys, and how what it says is changed.

[[key]]
name = "plant-console"
role = "administer"        # or "operate", or "acknowledge"
public = "…"               # the 32 bytes of the Ed25519 public key, base64
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.commands.arguments import KeyName, KeyRole, TrustArguments, TrustedKey
from edge_agent.errors import BadData, Unavailable, Unsafe
from edge_agent.runtime.disk import Missing, RealDisk, replace
from edge_agent.trust.signing import key_id

MAX_KEYS: Final = 64
MAX_FILE_BYTES: Final = 64 * 1024

ADMINISTERS: Final[KeyRole] = "administer"
"""Keys of this role may do everything."""


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: KeyName
    role: KeyRole
    public: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: list[_Key] = []


def key_of(name: str, role: KeyRole, public: str) -> TrustedKey:
    """Make a key; raise `BadData` where its public half is none."""
    try:
        raw = base64.b64decode(public, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32 or base64.b64encode(raw).decode() != public:
        raise BadData(f"the key of {name} is not 32 bytes in base64", hint="give the public key: see docs/uplink.md")
    return TrustedKey(name, role, key_id(raw), public)


def added(keys: Sequence[TrustedKey], key: TrustedKey) -> tuple[TrustedKey, ...]:
    """Add a key.

    Args:
        keys: those there are.
        key: the new one.

    Returns:
        All of them.

    Raises:
        BadData: the name or the key is there already, or there are too many.
    """
    if any(key == other for other in keys):
        return tuple(keys)
    if any(key.name == other.name or key.id == other.id for other in keys):
        raise BadData(
            f"there is a key of {key.name} already, or the same key under another name",
            hint="remove that first: edge-agent trust remove",
        )
    if len(keys) >= MAX_KEYS:
        raise BadData(f"there are {MAX_KEYS} keys already", hint="remove one first: edge-agent trust remove")
    return (*keys, key)


def removed(keys: Sequence[TrustedKey], name: str) -> tuple[TrustedKey, ...]:
    """Remove a key.

    Args:
        keys: those there are.
        name: whose it is.

    Returns:
        The others.

    Raises:
        BadData: there is none of that name.
        Unsafe: it is the last that administers.
    """
    found = next((key for key in keys if key.name == name), None)
    if found is None:
        raise BadData(f"there is no key of {name}", hint="`edge-agent trust list` shows them")
    left = tuple(key for key in keys if key is not found)
    if found.role == ADMINISTERS and all(key.role != ADMINISTERS for key in left):
        raise Unsafe(
            f"the key of {name} is the last that administers: nobody could let in another one",
            hint="add the new key first: edge-agent trust add",
        )
    return left


def changed(keys: Sequence[TrustedKey], asked: TrustArguments) -> tuple[TrustedKey, ...]:
    """Do with the keys what is asked.

    Args:
        keys: those there are.
        asked: list, add or remove.

    Returns:
        Those there are then.

    Raises:
        BadData: something is missing, or cannot be done.
    """
    if asked.to == "list":
        return tuple(keys)
    if asked.name is None:
        raise BadData("`trust` needs to know whose key is meant", hint="give a name: edge-agent trust remove")
    if asked.to == "remove":
        return removed(keys, asked.name)
    if asked.role is None or asked.public is None:
        raise BadData("to trust a key needs a role and the key", hint="edge-agent trust add NAME KEY --role ROLE")
    return added(keys, key_of(asked.name, asked.role, asked.public))


def read_keys(path: Path) -> tuple[TrustedKey, ...]:
    """Read the file; without one there is no key.

    Args:
        path: of the file.

    Returns:
        The keys.

    Raises:
        BadData: it does not say what such a file says.
        StateDamaged: it is far too large.
        Unavailable: it cannot be read.
    """
    try:
        data = RealDisk(path.parent).read(path.name, MAX_FILE_BYTES)
    except Missing:
        return ()
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror}", hint="see docs/uplink.md") from error
    return _said(path, data)


def _said(path: Path, data: bytes) -> tuple[TrustedKey, ...]:
    try:
        said = msgspec.convert(tomllib.loads(data.decode()), _File)
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadData(f"{path}: {error}", hint="see docs/uplink.md") from error
    keys: tuple[TrustedKey, ...] = ()
    for key in said.key:
        keys = added(keys, key_of(key.name, key.role, key.public))
    return keys


def change(path: Path, asked: TrustArguments) -> tuple[TrustedKey, ...]:
    """Do with the keys in the file what is asked; raises as `read_keys`, `changed` and `write_keys` do.

    Args:
        path: of the file; nobody else may be changing it.
        asked: add or remove.

    Returns:
        Those there are then.
    """
    keys = changed(read_keys(path), asked)
    write_keys(path, keys)
    return keys


def write_keys(path: Path, keys: Sequence[TrustedKey]) -> None:
    """Write the file, for its owner alone: whatever happens, the old one or the new one is there.

    Args:
        path: of the file.
        keys: all of them.

    Raises:
        BadData: it could not be read again; the old one is there.
        Unavailable: the disk fails.
    """
    blocks = [f'[[key]]\nname = "{key.name}"\nrole = "{key.role}"\npublic = "{key.public}"\n' for key in keys]
    data = "\n".join(blocks).encode()
    if _said(path, data) != tuple(keys):
        raise BadData(f"{path}: it would say something else than these keys", hint="see docs/uplink.md")
    replace(RealDisk(path.parent), path.name, data)


def fingerprint(keys: Sequence[TrustedKey]) -> str:
    """Give a digest of all that is trusted."""
    return key_id("\n".join(f"{key.name} {key.role} {key.public}" for key in keys).encode())
