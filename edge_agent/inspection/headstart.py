"""Loads and proves a bundle on a thread of its own while the rest of the station is read and put together.

What of it is Python comes first, and alone: two threads of Python only keep each other waiting. What is left for the
thread is compiling and computing. The lane that is to run the bundle takes it over; whatever goes wrong here is told by
that lane, which loads it again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_agent.config import Config, EngineConfig
from edge_agent.engines import Spot
from edge_agent.engines.pool import COMPILED, load_runtime
from edge_agent.engines.spot import spot_of
from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.encode import Encoder, load_bundle
from models import Bundle

LoadEncoder = Callable[[Bundle, EngineConfig, Path], Encoder]


class HeadStart:
    """The encoder of a configuration's own recipe, before anybody asks for it. Not with `runtime = "auto"`.

    Args:
        config: the resolved configuration.
        load: loads and proves a bundle, as `Encoder.load` does.
    """

    def __init__(self, config: Config, load: LoadEncoder = Encoder.load) -> None:
        self._config = config
        self._load = load
        self._made: tuple[Bundle, Encoder] | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Begin to load; where it runs is still to be measured, nothing happens."""
        config = self._config
        if config.engine.runtime == "auto":
            return
        try:
            load_runtime(config.engine.runtime)
            bundle = load_bundle(config.recipe.bundle_dir)
        except EdgeAgentError:
            return  # whoever needs it will say why
        self._thread = threading.Thread(target=self._run, args=(bundle,), name="head start")
        self._thread.start()

    def take(self, bundle: Bundle, spots: Mapping[str, Spot]) -> Encoder | None:
        """Wait for the encoder and hand it over, once; it belongs to the thread that asks.

        Args:
            bundle: what is to run.
            spots: where each role is to run.

        Returns:
            It, proven; None where it is of another bundle or runs elsewhere, or where it could not be loaded.
        """
        self._wait()
        made, spot = self._made, spot_of(self._config.engine)
        if made is None or made[0].digest != bundle.digest or set(spots.values()) != {spot}:
            return None
        self._made = None
        return made[1]

    def close(self) -> None:
        """Wait for what was begun, and release it where nobody took it."""
        self._wait()
        made, self._made = self._made, None
        if made is not None:
            made[1].close()

    def _wait(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self, bundle: Bundle) -> None:
        config = self._config
        try:
            encoder = self._load(bundle, config.engine, Path(config.station.state_dir) / COMPILED)
        except EdgeAgentError:
            return  # the lane will say why
        encoder.vouch()
        self._made = bundle, encoder
