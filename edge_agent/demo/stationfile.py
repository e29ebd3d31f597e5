"""The file that describes the demo's station: with it each verb finds what the demo judged and learned."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_agent.config import Config
from edge_agent.config.tomltext import quoted
from edge_agent.runtime.disk import RealDisk

STATION: Final = "station.toml"


def station_text(bundle: str, seed: int, parts_per_s: float) -> str:
    """Describe a station whose state is in the folder of its file.

    Args:
        bundle: a shipped one, or its folder.
        seed: of the simulated line.
        parts_per_s: pace of the line [1/s].

    Returns:
        TOML.
    """
    return (
        "# The station of a demo.\n\n"
        '[station]\nstate_dir = "."\n\n'
        f"[source.simline]\nseed = {seed}\nparts_per_s = {parts_per_s}\n\n"
        f"[recipe]\nbundle = {quoted(bundle, len(bundle))}\n"
    )


def write_station(config: Config, seed: int, parts_per_s: float) -> None:
    """Write that file into the state directory.

    Args:
        config: of the demo's station, resolved.
        seed: of the simulated line.
        parts_per_s: pace of the line [1/s].

    Raises:
        Unavailable: the disk does not take it.
    """
    disk = RealDisk(Path(config.station.state_dir))
    disk.write(STATION, station_text(config.recipe.bundle, seed, parts_per_s).encode())
    disk.sync()
