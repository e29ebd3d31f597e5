"""Whose signature counts: the file of trusted keys, what each key may do, and how that is changed.

[[key]]
name = "plant-console"
role = "administer"        # or "operate", or "acknowledge"
public = "…"               # the 32 bytes of the Ed25519 public key, base64
"""

from __future__ import annotations

import base64
import binascii
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.arguments import KeyName, KeyRole, TrustArguments, TrustedKey
from edge_agent.commands import Privilege
from edge_agent.errors import BadData, StateDamaged, Unavailable, Unsafe
from edge_agent.records import Event
from edge_agent.runtime.disk import Missing, RealDisk, replace
from edge_agent.signing import Envelope, key_id, opened

LOOK_S: Final = 5.0
"""Whether the file has changed is looked at before each signed command, and for the sake of the others so often [s]."""

MAX_KEYS: Final = 64
MAX_FILE_BYTES: Final = 64 * 1024

PRIVILEGES: Final[Mapping[KeyRole, Privilege]] = {
    "acknowledge": Privilege.READ,
    "operate": Privilege.OPERATE,
    "administer": Privilege.ADMINISTER,
}
"""What commands the keys of a role may sign."""

ADMINISTERS: Final[KeyRole] = "administer"


class Unauthorized(BadData):
    """Nobody who may have signed this."""


class _Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: KeyName
    role: KeyRole
    public: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: list[_Key] = []


class Trust:
    """The keys of one station, as the file says at any time. A component; `keys` may be called on any thread.

    Args:
        path: of the file; without it no key counts.
        note: hears why no key counts, once.
    """

    name = "trust"

    def __init__(self, path: Path, note: Callable[[str], None] = lambda why: None) -> None:
        self.path = path
        self._note = note
        self._keys: tuple[TrustedKey, ...] = ()
        self._seen: object = None
        self.damage = ""
        self.read()

    def step(self, now: float) -> float:
        """Look whether the file has changed; one that cannot be used is read again anyway."""
        if self.damage or self._state() != self._seen:
            self.read()
        return now + LOOK_S

    def look(self) -> None:
        """Read the file again where it has changed."""
        if self._state() != self._seen:
            self.read()

    def read(self) -> None:
        """Read the file again; where it cannot be used, no key counts, and `damage` says why."""
        self._seen = self._state()  # before the file: what changes meanwhile is seen the next time
        before = self.damage
        try:
            self._keys, self.damage = read_keys(self.path), ""
        except (BadData, StateDamaged, Unavailable) as error:
            self._keys, self.damage = (), error.message
        if self.damage not in ("", before):
            self._note(self.damage)

    def all(self) -> tuple[TrustedKey, ...]:
        """Give the keys."""
        return self._keys

    def keys(self, role: KeyRole) -> Mapping[str, bytes]:
        """Give the public keys that may do what a role may, by id; those that administer may do everything."""
        return {key.id: base64.b64decode(key.public) for key in self._keys if key.role in (role, ADMINISTERS)}

    def open(self, envelope: Envelope, topic: str, needed: Privilege) -> str:
        """Give a signed message, where its key may sign what needs a privilege.

        Args:
            envelope: what came.
            topic: where it came.
            needed: what its key must be allowed.

        Returns:
            The message.

        Raises:
            Unauthorized: the key is not known, may not, or did not sign this for this topic.
        """
        self.look()
        key = next((key for key in self._keys if key.id == envelope.key), None)
        if key is None:
            raise Unauthorized(
                f"the key {envelope.key[:40]!r} is not trusted here", hint="add it: edge-agent trust add"
            )
        if not PRIVILEGES[key.role].covers(needed):
            raise Unauthorized(f"the key of {key.name} may {key.role}, this needs one that may {needed}")
        try:
            return opened(envelope, topic, {key.id: base64.b64decode(key.public)})
        except BadData as error:
            raise Unauthorized(error.message) from error

    def _state(self) -> object:
        try:
            found = self.path.stat()
        except OSError as error:
            return error.errno
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


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


def change_event(asked: TrustArguments, utc: float) -> Event:
    """Say that the keys were changed.

    Args:
        asked: add or remove.
        utc: wall time [s since the epoch].

    Returns:
        The event.
    """
    said = f"{asked.who} has the key of {asked.name} {'added' if asked.to == 'add' else 'removed'}"
    return Event(utc, "warning", Trust.name, "trust_changed", said, {"who": asked.who, "name": asked.name})


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
