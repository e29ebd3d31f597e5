"""Engines that say where they compute and how long that took: whoever asks for them hears both.

What they give is what the engine behind them gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from edge_agent.engines.base import Array, Engine
from edge_agent.engines.pool import LoadEngines
from edge_agent.engines.spot import Spot
from edge_agent.runtime.clock import Clock
from models import Bundle
from models.manifest import Part

WARM_UP: Final = 10
"""Runs after a load whose time tells nothing: caches fill, clocks rise."""

At = Callable[[Spot], None]
"""Hears where a part of a bundle begins to run, or has ended; on the thread that runs it."""

Took = Callable[[Bundle, str, Spot, float], None]
"""Hears of a bundle's part, by its role, where it ran and how long that took [s]; on the thread that ran it."""


class WatchedEngine:
    """Runs an engine, and tells.

    Args:
        engine: does the work.
        clock: tells the time.
        began: is called before each run.
        ended: is called after it.
        took: hears how long a run took that went well [s]; not of the first ones.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        began: Callable[[], None],
        ended: Callable[[], None],
        took: Callable[[float], None],
    ) -> None:
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self._engine = engine
        self._clock = clock
        self._began = began
        self._ended = ended
        self._took = took
        self._runs = 0

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Run the model once; see `Engine.infer`."""
        self._began()
        began_s = self._clock.now()
        try:
            values = self._engine.infer(tensors)
        finally:
            self._ended()
        self._runs += 1
        if self._runs > WARM_UP:
            self._took(self._clock.now() - began_s)
        return values

    def close(self) -> None:
        """Release the model."""
        self._engine.close()


def watching(
    engines: Mapping[str, Engine],
    bundle: Bundle,
    spots: Spot | Mapping[str, Spot],
    clock: Clock,
    began: At,
    ended: At,
    took: Took,
) -> dict[str, Engine]:
    """Give engines that tell, around those of a bundle.

    Args:
        engines: what does the work, by role.
        bundle: whose parts they are.
        spots: where each role runs, or where all do.
        clock: tells the time.
        began: hears where a part begins to run.
        ended: hears where it has ended.
        took: hears how long it took.

    Returns:
        An engine for each role.
    """

    def one(role: str, engine: Engine) -> Engine:
        spot = spots if isinstance(spots, Spot) else spots[role]
        return WatchedEngine(
            engine, clock, lambda: began(spot), lambda: ended(spot), lambda took_s: took(bundle, role, spot, took_s)
        )

    return {role: one(role, engine) for role, engine in engines.items()}


def watched(load: LoadEngines, clock: Clock, began: At, ended: At, took: Took) -> LoadEngines:
    """Give a loader whose engines tell.

    Args:
        load: loads them.
        clock: tells the time.
        began: hears where a part begins to run.
        ended: hears where it has ended.
        took: hears how long it took.

    Returns:
        A loader like `load`.
    """

    def loaded(
        bundle: Bundle, spots: Spot | Mapping[str, Spot], parts: Sequence[Part], cache: Path | None
    ) -> dict[str, Engine]:
        return watching(load(bundle, spots, parts, cache), bundle, spots, clock, began, ended, took)

    return loaded
