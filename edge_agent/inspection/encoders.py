"""The bundles of one lane: loaded once each, shared by the recipes that use them, the least used one let go for room.

It belongs to the thread that uses it. Which device it computes on is the lane's affair.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.encode import Encoder
from edge_agent.records import Embedding
from edge_agent.runtime.machine import give_back_memory
from models import Bundle

FREE: Final = ""
"""`at` while nothing runs."""


@dataclass
class Evictions:
    """What was let go for room.

    Attributes:
        count: encoders.
        last: name of the last one's bundle.
    """

    count: int = 0
    last: str = ""


class Encoders:
    """Encoders by bundle.

    Args:
        make: loads a bundle, unproven; see `Encoder.at_spots`.
        has_room: says whether there is memory for one more.
        evictions: counts what is let go.
    """

    def __init__(
        self,
        make: Callable[[Bundle], Encoder],
        has_room: Callable[[], bool],
        evictions: Evictions | None = None,
    ) -> None:
        self._make = make
        self._has_room = has_room
        self._loaded: OrderedDict[str, Encoder] = OrderedDict()  # by digest, the one that was used last at the end
        self._evictions = evictions or Evictions()
        self._names: dict[str, str] = {}

    @property
    def at(self) -> str:
        """The role that runs, or ran last; from any thread."""
        last = next(reversed(list(self._loaded.values())), None)
        return FREE if last is None else last.at

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the loaded bundles."""
        return frozenset(self._loaded)

    def load(self, bundles: Sequence[Bundle]) -> None:
        """Load bundles in advance: the first in any case, the others while there is room.

        Args:
            bundles: in the order in which they are wanted.

        Raises:
            ConfigError: the first does not fit the program.
            DeviceFault: the device cannot run the first.
        """
        for bundle in bundles:
            if not self._loaded:
                self._add(bundle)
            elif bundle.digest not in self._loaded and self._has_room():
                try:
                    self._add(bundle)
                except EdgeAgentError:
                    break  # whoever needs it will hear why

    def of(self, bundle: Bundle) -> Encoder:
        """Give the encoder of a bundle, loaded and proven now where it was not.

        Args:
            bundle: which.

        Returns:
            Its encoder, until the next call.

        Raises:
            ConfigError: it does not fit the program.
            DeviceFault: the device cannot run it, or does not reproduce its golden vectors.
        """
        encoder = self._loaded.get(bundle.digest)
        if encoder is None:
            while self._loaded and not self._has_room():
                self._evictions.count += 1
                self._evictions.last = self._let_go()
            encoder = self._add(bundle)
            try:
                encoder.prove()
            except EdgeAgentError:
                self._loaded.pop(bundle.digest).close()
                raise
        self._loaded.move_to_end(bundle.digest)
        return encoder

    def prove(self) -> int:
        """Prove every loaded encoder; give how many golden vectors there were. Raises as `Encoder.prove` does."""
        return sum(encoder.prove() for encoder in self._loaded.values())

    def prove_one(self) -> Embedding:
        """Prove the encoder that was used last on one golden vector; see `Encoder.prove_one`."""
        return next(reversed(self._loaded.values())).prove_one()

    def close(self) -> None:
        """Let all go."""
        while self._loaded:
            self._let_go()

    def _add(self, bundle: Bundle) -> Encoder:
        encoder = self._loaded[bundle.digest] = self._make(bundle)
        self._names[bundle.digest] = bundle.name
        give_back_memory()
        return encoder

    def _let_go(self) -> str:
        """Let the one go that was not used for the longest time; give its bundle's name."""
        digest, encoder = self._loaded.popitem(last=False)
        encoder.close()
        give_back_memory()
        return self._names[digest]
