"""Signing keys as files: made once, for their owner alone, and refused where others can read them."""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.errors import BadData, ConfigError
from edge_agent.trust import signing

MAX_BYTES: Final = 4096
"""Of a key's file; ours have 119."""


@dataclass(frozen=True)
class MadeKey:
    """A signing key that was made.

    Attributes:
        name: what stations call it.
        file: where the private key lies.
        id: what messages name it by.
        public: the public key's 32 bytes, base64.
    """

    name: str
    file: str
    id: str
    public: str


def make_key(name: str, folder: Path) -> MadeKey:
    """Make a signing key.

    Args:
        name: of the key, and of its file.
        folder: where its file is made, mode 0600.

    Returns:
        What stations have to know of it.

    Raises:
        ConfigError: there is such a file, or none can be made.
    """
    path = folder / f"{name}.key"
    pem = signing.made_key()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already", hint="a key is never overwritten; choose another name") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="go to a folder that you may write") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(descriptor)
    public = signing.public_bytes(signing.key_of(pem))
    return MadeKey(name, str(path), signing.key_id(public), base64.b64encode(public).decode())


def load_key(path: Path) -> signing.SigningKey:
    """Read a signing key.

    Args:
        path: its file.

    Returns:
        The key.

    Raises:
        ConfigError: it cannot be read, or others can read it.
        BadData: it is no signing key.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise ConfigError(f"{path} can be read by others", hint=f"chmod 600 {path}, and ask who may have it")
            if status.st_size > MAX_BYTES:
                raise BadData(f"{path} has more than {MAX_BYTES} bytes, no key has")
            return signing.key_of(file.read(MAX_BYTES))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="edge-console key makes a key") from error
