"""Whose signature counts: the keys of a station as its file says at any time, and what each may sign."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge_agent.commands import Privilege
from edge_agent.commands.arguments import KeyRole, TrustArguments, TrustedKey
from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.records import Event
from edge_agent.trust.file import ADMINISTERS, read_keys
from edge_agent.trust.signing import Envelope, opened

LOOK_S: Final = 5.0
"""Whether the file has changed is looked at before each signed command, and for the sake of the others so often [s]."""

PRIVILEGES: Final[Mapping[KeyRole, Privilege]] = {
    "acknowledge": Privilege.READ,
    "operate": Privilege.OPERATE,
    "administer": Privilege.ADMINISTER,
}
"""What commands the keys of a role may sign."""


class Unauthorized(BadData):
    """Nobody who may have signed this."""


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
