"""A device that goes wrong now and then: it hangs, gives numbers that are none, takes twice as long, or cannot load.

For measuring what that costs a line; nothing of it is ever used by a station.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.engines import Array, Engine, Spot, load_engines
from edge_agent.engines.base import finite
from edge_agent.errors import DeviceFault
from models import Bundle
from models.manifest import Part

HANG_S: Final = 3.0
"""How long a device hangs [s]: longer than any timeout of the bench."""

LOADS_IN_VAIN: Final = 0.25
"""Share of the loads after the first that fail."""


class Fault(StrEnum):
    """What can go wrong with a device."""

    HANG = "hangs"
    NAN = "gives NaN"
    SLOW = "takes twice as long"
    DEAD = "cannot load"


class Chaos:
    """Decides when a device goes wrong, and counts it. Safe from any thread.

    Args:
        one_in: one inference in so many goes wrong.
        seed: of the choices.
    """

    def __init__(self, one_in: int, seed: int) -> None:
        self.counts: Counter[Fault] = Counter()
        self._one_in = one_in
        self._random = random.Random(seed)  # noqa: S311 (chance, not secrets)
        self._lock = threading.Lock()
        self._loads = 0
        self._device = ""

    def load(
        self, bundle: Bundle, spots: Spot | Mapping[str, Spot], parts: Sequence[Part] = (), cache: Path | None = None
    ) -> dict[str, Engine]:
        """Load the parts of a bundle; those on the device of the first load go wrong from then on."""
        device = str((spots if isinstance(spots, Spot) else next(iter(spots.values()))).device)
        with self._lock:
            self._device = self._device or device
            mine = device == self._device
            self._loads += mine
            dead = mine and self._loads > 1 and self.fails_to_load()
            self.counts[Fault.DEAD] += dead
        if dead:
            raise DeviceFault("made to fail at load", device=device)
        engines = load_engines(bundle, spots, parts, cache)
        if not mine:
            return engines
        first = next(iter(engines))
        return {role: Chaotic(engine, self, device) if role == first else engine for role, engine in engines.items()}

    def fails_to_load(self) -> bool:
        """Say whether a device that was loaded before is dead now."""
        return self._random.random() < LOADS_IN_VAIN

    def next(self) -> Fault | None:
        """Say what goes wrong with the present inference; None where nothing does."""
        with self._lock:
            if self._random.randrange(self._one_in):
                return None
            fault = self._random.choice((Fault.HANG, Fault.NAN, Fault.SLOW))
            self.counts[fault] += 1
            return fault


class Chaotic:
    """An engine that goes wrong when it is told to.

    Args:
        engine: does the work.
        chaos: says when and how.
        device: as `runtime/kind`.
    """

    def __init__(self, engine: Engine, chaos: Chaos, device: str) -> None:
        self.inputs = engine.inputs
        self.outputs = engine.outputs
        self._engine = engine
        self._chaos = chaos
        self._device = device

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once, or go wrong; see `Engine.infer`."""
        fault = self._chaos.next()
        if fault is Fault.HANG:
            threading.Event().wait(HANG_S)
        if fault is Fault.SLOW:
            self._engine.infer(tensors)
        outputs = self._engine.infer(tensors)
        if fault is Fault.NAN:
            next(iter(outputs.values())).fill(np.nan)
            return finite(outputs, tensors, self._device)
        return outputs

    def close(self) -> None:
        """Release the model."""
        self._engine.close()
