"""Remembers that a bundle gave all its golden vectors here: whoever starts it again need not wait for all of them.

One empty file beside the compiled models, named after everything that the numbers depend on. It goes as soon as one
vector comes out differently.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_agent.engines import Spot
from edge_agent.engines.spot import SHARED
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.disk import Disk, RealDisk
from edge_agent.runtime.machine import cores, processor
from models import Bundle

SUFFIX: Final = ".proven"

DIGITS: Final = 16
"""Of a digest, as names of files have it."""


class ProofStamp:
    """The proof of one bundle at one spot. What the disk does not do is done without: then all is proven again.

    Args:
        disk: the folder of compiled models.
        bundle: what was proven.
        spot: where it runs.
    """

    def __init__(self, disk: Disk, bundle: Bundle, spot: Spot) -> None:
        runtime = spot.device.runtime
        depends = (_version("edge-agent"), _version(runtime), processor(), cores())
        self._disk = disk
        self._of = f"{bundle.digest[:DIGITS]}-{_digest(str(spot))}-"
        self._name = f"{self._of}{_digest(repr(depends))}{SUFFIX}"

    @classmethod
    def beside(cls, cache: Path | None, bundle: Bundle, spots: Spot | Mapping[str, Spot]) -> ProofStamp | None:
        """Give the one in a folder of compiled models; None where the numbers may depend on what it does not know.

        Of a CPU all that the numbers depend on is known; other devices have drivers, and parts may run apart.

        Args:
            cache: the folder; None for none.
            bundle: what is proven.
            spots: where each role runs, or where all do.

        Returns:
            It.
        """
        where = {spots} if isinstance(spots, Spot) else set(spots.values())
        if cache is None or len(where) != 1 or (spot := where.pop()).device.kind != SHARED:
            return None
        return cls(RealDisk(cache), bundle, spot)

    @property
    def there(self) -> bool:
        """All golden vectors came out right, and nothing that they depend on has changed since."""
        with contextlib.suppress(EdgeAgentError):
            return self._disk.exists(self._name)
        return False

    def put(self) -> None:
        """Hear that all golden vectors came out right; what was proven there with other versions counts no longer."""
        with contextlib.suppress(EdgeAgentError):
            for name in self._disk.names():
                if name.startswith(self._of) and name.endswith(SUFFIX):
                    self._disk.remove(name)
            self._disk.write(self._name, b"")
            self._disk.sync()

    def take_away(self) -> None:
        """Hear that one came out differently."""
        with contextlib.suppress(EdgeAgentError):
            self._disk.remove(self._name)
            self._disk.sync()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (reading it takes a while)

    with contextlib.suppress(PackageNotFoundError):  # the program may run from a folder of sources
        return version(package)
    return ""
