"""Whether the disk has what a configuration names, and its wire carries what is asked of it; creates nothing."""

from __future__ import annotations

import difflib
import grp
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge_agent.config import SHIPPED_BUNDLES, Config
from edge_agent.config.camera import DeviceKind
from edge_agent.config.section import Conflict
from edge_agent.config.tomltext import quoted
from edge_agent.config.wire import WireConfig
from firmware_bridge.port import is_uart, largest_block, largest_rate_hz

MAX_SOCKET_PATH_BYTES: Final = 107
"""Linux keeps the path of a Unix socket in 108 bytes, the last of them 0 (unix(7))."""

RUN: Final = Path("/run")
"""Where folders are made when a service starts (file-hierarchy(7))."""


def missing(config: Config) -> Iterator[Conflict]:
    """Give what the one recipe and the one camera of `config` name and is not there."""
    yield from _bundle_fault(config.recipe.bundle, config.recipe.bundle_dir)
    if config.camera.kind is DeviceKind.VIDEO and (fault := not_a(Path(config.camera.device), stat.S_ISREG, "file")):
        yield Conflict(
            ("camera.device",), fault, "name a camera (edge-agent camera list), a stream, a video or a folder"
        )


def wire_faults(wire: WireConfig) -> Iterator[Conflict]:
    """Say what cannot work with the port; one that is not there now may be later."""
    if not is_uart(wire.port):
        return
    longest = largest_block(wire.baud)
    if wire.block_samples > longest:
        yield Conflict(
            ("source.wire.block_samples", "source.wire.baud"),
            f"must be at most {longest} at {wire.baud} baud, not {wire.block_samples}",
            "behind a longer one acknowledgements come too late" if longest else "choose a larger source.wire.baud",
        )
    largest_hz = largest_rate_hz(wire.baud, wire.block_samples)
    if wire.rate_hz > largest_hz:
        yield Conflict(
            ("source.wire.rate_hz", "source.wire.baud"),
            f"must be at most {largest_hz} at {wire.baud} baud in blocks of {wire.block_samples}, not {wire.rate_hz}",
            "a UART of 2,000,000 baud carries 26,667 samples/s; so does USB CDC",
        )


def socket_faults(config: Config) -> Iterator[Conflict]:
    """Say where no socket can be at all, whoever looks for one."""
    if (length := len(os.fsencode(config.api.socket))) > MAX_SOCKET_PATH_BYTES:
        yield Conflict(
            ("api.socket", "station.state_dir"),
            f"{quoted(config.api.socket)} has {length} bytes; a socket's path may have {MAX_SOCKET_PATH_BYTES}",
            "set api.socket to a short path, or state_dir to a shorter one",
        )


def api_faults(config: Config) -> Iterator[Conflict]:
    """Say why the local API could not be made on this machine, or a group of it does not exist."""
    api, path = config.api, Path(config.api.socket)
    for key, group in (("api.operators", api.operators), ("api.readers", api.readers)):
        if group and not _is_group(group):
            yield Conflict((key,), f"there is no group {quoted(group)} on this machine", f"sudo groupadd {group}")
    if path.parent == Path(config.station.state_dir) or path.parent.resolve().is_relative_to(RUN.resolve()):
        return  # the first start makes the one folder, and systemd at each start those in the other
    if fault := not_a(path.parent, stat.S_ISDIR, "folder"):
        yield Conflict(("api.socket",), fault, "make the folder, or leave api.socket out: it is in state_dir then")
    elif fault := not_a(path, stat.S_ISSOCK, "socket", may_be_absent=True):
        yield Conflict(("api.socket",), fault, "name a file that is not there: the station makes it")


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _bundle_fault(name: str, folder: Path) -> Iterator[Conflict]:
    fault = not_a(folder, stat.S_ISDIR, "folder")
    if fault and folder.is_relative_to(SHIPPED_BUNDLES):
        shipped = sorted(manifest.parent.name for manifest in SHIPPED_BUNDLES.glob("*/manifest.toml"))
        near = difflib.get_close_matches(name, shipped, n=1)
        hint = f"did you mean {quoted(near[0])}?" if near else f"Shipped: {', '.join(shipped) or 'none'}."
        yield Conflict(
            ("recipe.bundle",),
            f"no bundle {quoted(name)} is shipped",
            f'{hint} A folder is written with a "/".',
        )
    elif fault := fault or not_a(folder / "manifest.toml", stat.S_ISREG, "file"):
        yield Conflict(("recipe.bundle",), fault, "a bundle is a folder with a manifest.toml")


def not_a(path: Path, is_kind: Callable[[int], bool], kind: str, *, may_be_absent: bool = False) -> str:
    """Say why `path` is not a `kind`; "" when it is."""
    where = quoted(str(path), longest=200)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "" if may_be_absent else f"{where} does not exist"
    except OSError as error:
        return f"{where} cannot be read: {error.strerror}"
    return "" if is_kind(mode) else f"{where} is not a {kind}"
