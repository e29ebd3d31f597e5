"""What the parts of the bundles take while the station runs: told from the lanes' threads, read from any.

Each part on each spot has a window of its newest runs, so that what has become slower, or quick again, shows within
one window: 51 seconds at ten parts a second, nine minutes at one.
"""

from __future__ import annotations

import threading

from edge_agent.engines import Spot
from edge_agent.scheduler.latency import Recent, Timing


class Lived:
    """Windows of the newest runs. Every method is safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, str, Spot], Recent] = {}
        self._runs: dict[tuple[str, str, Spot], int] = {}

    def ran(self, bundle: str, role: str, spot: Spot, took_s: float) -> None:
        """Hear what a part took.

        Args:
            bundle: its bundle's digest.
            role: of the part.
            spot: where it ran.
            took_s: how long [s].
        """
        key = bundle, role, spot
        with self._lock:
            self._windows.setdefault(key, Recent()).add(took_s)
            self._runs[key] = self._runs.get(key, 0) + 1

    def rows(self) -> dict[str, tuple[Timing, ...]]:
        """Give what is known, by the bundle's digest; `runs` counts all since the start."""
        found: dict[str, tuple[Timing, ...]] = {}
        with self._lock:
            for (bundle, role, spot), window in self._windows.items():
                row = Timing(role, spot, 1e3 * window.p50_s, 1e3 * window.p99_s, self._runs[bundle, role, spot])
                found[bundle] = (*found.get(bundle, ()), row)
        return found
