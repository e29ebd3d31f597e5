"""An inspection station: fuses picture and vibration, answers OK / NG / UNSURE in time, and loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_agent.scheduler import ResourceAllocator
    from edge_agent.station import Station

__all__ = ["ResourceAllocator", "Station"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for: the runtimes behind it take a second that `--help` need not wait."""
    if name == "Station":
        from edge_agent.station import Station  # noqa: PLC0415 (see above)

        return Station
    if name == "ResourceAllocator":
        from edge_agent.scheduler import ResourceAllocator  # noqa: PLC0415 (see above)

        return ResourceAllocator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
