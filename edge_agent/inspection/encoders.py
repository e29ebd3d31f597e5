"""The bundles of one lane: loaded once each, shared by the recipes that use them, the least used one let go for room.

It belongs to the thread that uses it. Which device it computes on is the lane's affair.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.engines import Spot
from edge_agent.errors import DeviceFault, EdgeAgentError
from edge_agent.inspection.encode import Encoder
from edge_agent.records import Embedding
from edge_agent.runtime.machine import give_back_memory
from edge_agent.scheduler.job import CannotRun
from models import Bundle


@dataclass
class Evictions:
    """What was let go for room.

    Attributes:
        count: encoders.
    """

    count: int = 0


class Encoders:
    """Encoders by bundle.

    Args:
        make: loads a bundle, unproven; see `Encoder.at_spots`.
        has_room: says whether there is memory for one more.
        evictions: counts what is let go.
        refused: says why a bundle cannot run here at all; "" where it can.
        fits: says whether what is loaded by now fits in the memory; asked after a bundle was loaded, which may have
            taken more than what was reckoned with.
    """

    def __init__(
        self,
        make: Callable[[Bundle], Encoder],
        has_room: Callable[[], bool],
        evictions: Evictions | None = None,
        refused: Callable[[Bundle], str] = lambda bundle: "",
        fits: Callable[[], bool] = lambda: True,
    ) -> None:
        self._make = make
        self._has_room = has_room
        self._loaded: OrderedDict[str, Encoder] = OrderedDict()  # by digest, the one that was used last at the end
        self._evictions = evictions or Evictions()
        self._refused = refused
        self._fits = fits
        self._first = ""
        self.sizes: dict[str, frozenset[int]] = {}  #: by bundle, how many pieces may be given together; any thread
        self._last = ""
        self._computing: list[str] = []
        self.loading = False  #: a bundle is being loaded or proven, which takes longer than any inference; any thread

    @property
    def at(self) -> str:
        """The device that computes, or did last; "" before any did, or where two compute; any thread."""
        computing = set(self._computing)
        return self._last if not computing else computing.pop() if len(computing) == 1 else ""

    def began(self, spot: Spot) -> None:
        """Hear where a part begins to run; on the thread that runs it."""
        self._last = str(spot.device)
        self._computing.append(self._last)

    def ended(self, spot: Spot) -> None:
        """Hear that it has ended."""
        self._computing.remove(str(spot.device))

    def load(self, bundles: Sequence[Bundle]) -> None:
        """Load bundles in advance: the first in any case, the others while there is room and as far as they are right.

        Args:
            bundles: in the order in which they are wanted; those after the first are proven here.

        Raises:
            ConfigError: the first does not fit the program.
            DeviceFault: the device cannot run the first.
        """
        for bundle in bundles:
            if not self._loaded:
                self._first = bundle.digest
                self._add(bundle)
            elif bundle.digest not in self._loaded and not self._refused(bundle) and self._has_room():
                with contextlib.suppress(CannotRun):  # whoever needs it will hear why
                    self._add_proven(bundle)
                    if not self._fits():
                        self._evict(bundle.digest)

    def of(self, bundle: Bundle) -> Encoder:
        """Give the encoder of a bundle, loaded and proven now where it was not.

        Args:
            bundle: which.

        Returns:
            Its encoder, until the next call.

        Raises:
            CannotRun: it does not fit the program, or this device; what else is loaded is as good as before.
        """
        if bundle.digest not in self._loaded:
            if why := self._refused(bundle):
                raise CannotRun(f"bundle {bundle.name}: {why}")
            while self._loaded and not self._has_room():
                self._evict(next(iter(self._loaded)))
            self._add_proven(bundle)
            while len(self._loaded) > 1 and not self._fits():
                self._evict(next(digest for digest in self._loaded if digest != bundle.digest))
        self._loaded.move_to_end(bundle.digest)
        return self._loaded[bundle.digest]

    def _evict(self, digest: str) -> None:
        self._evictions.count += 1
        self._let_go(digest)

    def prove(self) -> int:
        """Prove every loaded encoder; one that is not of the first bundle is let go where it fails.

        Returns:
            How many golden vectors there were.

        Raises:
            DeviceFault: the first bundle comes out differently from the desk, or nothing is left.
        """
        pieces = 0
        for digest, encoder in list(self._loaded.items()):
            try:
                pieces += encoder.prove()
            except EdgeAgentError:
                self._let_go(digest)
                if digest == self._first or not self._loaded:
                    raise
        if not pieces:
            raise nothing_loaded()
        give_back_memory()  # what proving took
        return pieces

    def prove_together(self) -> None:
        """Prove of every loaded encoder how many pieces it may be given together."""
        self.sizes = {digest: encoder.prove_together() for digest, encoder in self._loaded.items()}

    def complaints(self) -> list[str]:
        """Say what is not done together though it was meant to be; on the lane's thread, or when that does nothing."""
        return [why for encoder in self._loaded.values() for why in encoder.complaints]

    @property
    def unproven(self) -> int:
        """How many golden vectors are left to `prove_one`; on the lane's thread."""
        return sum(encoder.unproven for encoder in self._loaded.values())

    def prove_one(self) -> Embedding:
        """Prove an encoder on one golden vector: one that has some left, or the one that was used last."""
        last: Encoder | None = None
        for encoder in self._loaded.values():
            last = encoder
            if encoder.unproven:
                break
        if last is None:
            raise nothing_loaded()
        return last.prove_one()

    def close(self) -> None:
        """Let all go."""
        while self._loaded:
            self._let_go(next(iter(self._loaded)))

    def _add(self, bundle: Bundle) -> Encoder:
        self.loading = True
        try:
            encoder = self._loaded[bundle.digest] = self._make(bundle)
        finally:
            self.loading = False
        give_back_memory()
        return encoder

    def _add_proven(self, bundle: Bundle) -> None:
        try:
            encoder = self._add(bundle)
            self.loading = True
            encoder.prove()
            self.sizes[bundle.digest] = encoder.prove_together()
        except EdgeAgentError as error:
            if bundle.digest in self._loaded:
                self._let_go(bundle.digest)
            raise CannotRun(f"bundle {bundle.name}: {error.message}", hint=error.hint) from error
        finally:
            self.loading = False

    def _let_go(self, digest: str) -> None:
        self.sizes.pop(digest, None)
        self._loaded.pop(digest).close()
        give_back_memory()


def nothing_loaded() -> DeviceFault:
    """Say that there is no bundle on this device."""
    return DeviceFault("no bundle is loaded", hint="the device is tried again by itself")
