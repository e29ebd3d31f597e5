"""What the verb `trust` does: through the running station, or on the file while no station has its ledger open."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import msgspec

from edge_agent import api
from edge_agent.commands.arguments import KeyRole, TrustArguments, TrustedKey
from edge_agent.config import Config
from edge_agent.errors import BadData, Unavailable
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.store import Store
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.runtime.clock import SystemClock
from edge_agent.runtime.disk import check_owner
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.printing import say, say_json
from edge_agent.trust import file as trustfile
from edge_agent.trust import keys as trust
from edge_agent.verbs.typed import checked

PEM_BEGIN: Final = "-----BEGIN PUBLIC KEY-----"
PEM_END: Final = "-----END PUBLIC KEY-----"
SPKI_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
"""What the DER of an Ed25519 public key begins with (RFC 8410); the 32 bytes of the key follow."""

KEY_LETTERS: Final = 44
"""The 32 bytes of a key in base64."""

MAX_KEY_FILE_BYTES: Final = 4096


def change_trust(
    config: Config, to: str, name: str | None, role: KeyRole | None, key: str | None, who: str, *, as_json: bool
) -> int:
    """List, add or remove trusted keys.

    Args:
        config: the station's.
        to: `list`, `add` or `remove`.
        name: whose key it is.
        role: of the key to add.
        key: the key to add, in base64, or the name of its file.
        who: the person who asks for it.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        BadData: something is missing or wrong, or it is the last key that administers.
        ConfigError: the state directory belongs to another user.
        Unavailable: the disk fails, or the station does not answer, as while it starts.
    """
    if to == "add" and (name is None or key is None or role is None):
        lacks = [word for word, given in (("NAME", name), ("KEY", key), ("--role", role)) if given is None]
        raise WrongUsage(
            f"to trust a key needs {', '.join(lacks)} too", hint="edge-agent trust add NAME KEY --role ROLE"
        )
    if to == "remove" and name is None:
        raise WrongUsage("`trust remove` needs to know whose key is meant", hint="edge-agent trust remove NAME")
    public = None if key is None else public_of(key)
    arguments = checked("trust", to=to, who=who, name=name, role=role, public=public)
    assert isinstance(arguments, TrustArguments)
    socket = Path(config.api.socket)
    if api.is_listening(socket):
        asked = {k: v for k, v in msgspec.to_builtins(arguments).items() if v is not None}
        keys = msgspec.convert(api.call(socket, "trust", asked), tuple[TrustedKey, ...])
    else:
        keys = trustfile.read_keys(Path(config.uplink.trusted)) if to == "list" else _changed(config, arguments)
    if as_json:
        say_json(keys)
        return 0
    for trusted in keys:
        say(f"{trusted.id}  {trusted.role:<11}  {trusted.name}")
    if not keys:
        say("no key is trusted: nothing that may change something is obeyed over the network")
    return 0


def _changed(config: Config, asked: TrustArguments) -> tuple[TrustedKey, ...]:
    """Change the file while no station uses it, and have the ledger say so."""
    state_dir = Path(config.station.state_dir)
    check_owner(state_dir)
    store = Store(state_dir / FILE_NAME)
    try:
        store.open()
    except Unavailable as error:
        hint = f"where a station is starting or stopping, ask again in a moment; else {error.hint}"
        raise Unavailable(error.message, hint=hint) from error
    try:
        keys = trustfile.change(Path(config.uplink.trusted), asked)
        store.write(Batch(events=[trust.change_event(asked, SystemClock().utc())]))
    finally:
        store.close()
    return keys


def public_of(key: str) -> str:
    """Give a public key in base64.

    Args:
        key: that, or the name of a file with it, or with PEM.

    Returns:
        The 32 bytes in base64.

    Raises:
        BadData: it is neither.
    """
    path = Path(key)
    text = key
    if len(key) < 256 and path.is_file():
        with path.open("rb") as file:
            text = file.read(MAX_KEY_FILE_BYTES).decode("ascii", "replace").strip()
    if not text.startswith(PEM_BEGIN):
        if len(text) != KEY_LETTERS:
            raise BadData(
                f"{key[:80]} is no file, and no key of 32 bytes in base64" if text == key else f"{path} holds no key",
                hint="see docs/uplink.md for how to make one",
            )
        return text
    body = "".join(text.removeprefix(PEM_BEGIN).partition(PEM_END)[0].split())
    try:
        raw = base64.b64decode(body, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != len(SPKI_ED25519) + 32 or not raw.startswith(SPKI_ED25519):
        raise BadData(f"{path}: it holds no Ed25519 public key", hint="see docs/uplink.md for how to make one")
    return base64.b64encode(raw[len(SPKI_ED25519) :]).decode()
