"""Content-addressed files: written once, checked whenever they are read, removed when nothing names them any more.

It knows nothing of what they hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final

from edge_agent.errors import StateDamaged
from edge_agent.runtime.disk import Disk, replace

FOLDER: Final = "blobs/sha256"

DAMAGED: Final = ".damaged"
"""Suffix of what is kept aside for a specialist."""


class Blobs:
    """Files named by the SHA-256 of what is in them.

    Args:
        disk: the state directory.
        folder: where in it they are.
    """

    def __init__(self, disk: Disk, folder: str = FOLDER) -> None:
        self._disk = disk
        self._folder = folder

    def has(self, digest: str) -> bool:
        """Say whether there is a blob of this digest; what is in it is looked at when it is read."""
        return self._disk.exists(blob_name(digest, self._folder))

    def write(self, data: bytes) -> str:
        """Keep `data`; when this returns, it survives a power cut. Give its digest, 64 hexadecimal digits."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            replace(self._disk, blob_name(digest, self._folder), data)
        return digest

    def read(self, digest: str) -> bytes:
        """Give what was kept; raise `StateDamaged`, and keep the file aside, where it is no longer that."""
        name = blob_name(digest, self._folder)
        data = self._disk.read(name)
        if hashlib.sha256(data).hexdigest() != digest:
            keep_aside(self._disk, name)
            raise StateDamaged(
                f"{name} is damaged: its contents have another SHA-256",
                hint="teach it again, or take the file from a backup",
            )
        return data

    def remove_all_but(self, needed: Collection[str]) -> None:
        """Remove every blob whose digest is not among `needed`, and what a power cut left unfinished."""
        names = {blob_name(digest, self._folder) for digest in needed}
        for shard in range(256):
            for name in self._disk.names(f"{self._folder}/{shard:02x}"):
                if name not in names and not name.endswith(DAMAGED):
                    self._disk.remove(name)


def blob_name(digest: str, folder: str = FOLDER) -> str:
    """Give the name of a blob in the state directory."""
    return f"{folder}/{digest[:2]}/{digest[2:]}"


def keep_aside(disk: Disk, name: str) -> None:
    """Rename a damaged file, so that a specialist finds it and nobody else does."""
    if disk.exists(name):
        disk.rename(name, name + DAMAGED)
