"""Makes the virtual environments of the peers, once; each is complete or made again.

An environment is complete when its list of packages is written, which is the last thing that happens to it.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Final

from models.workshop.bench.child import run_to_end
from models.workshop.bench.peers import Environment

INSTALL_TIMEOUT_S: Final = 1800.0
"""The largest are two gigabytes."""

LISTED: Final = "installed.txt"


def folder_of(environment: Environment, root: Path) -> Path:
    """Give the folder of an environment; other requirements or another Python have another one."""
    made_of = "\n".join([f"{sys.version_info.major}.{sys.version_info.minor}", *environment.requirements])
    return root.absolute() / f"{environment.name}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"


def python_of(environment: Environment, root: Path) -> Path:
    """Give the environment's Python, which is there when `made` has returned."""
    return folder_of(environment, root) / "bin" / "python"


def is_made(environment: Environment, root: Path) -> bool:
    """Say whether the environment is there and complete."""
    return (folder_of(environment, root) / LISTED).exists() and python_of(environment, root).exists()


def installed(environment: Environment, root: Path) -> list[str]:
    """Give what is installed in it, as `name==version`."""
    lines = (folder_of(environment, root) / LISTED).read_text().splitlines()
    return [line for line in lines if "==" in line and " " not in line]


def make(environment: Environment, root: Path, log: Path) -> None:
    """Make an environment where there is none yet.

    Args:
        environment: what goes in.
        root: folder of all environments.
        log: where pip's output goes.

    Raises:
        PeerFailed: it cannot be installed here; what was begun is gone.
    """
    if is_made(environment, root):
        return
    folder = folder_of(environment, root)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = (python_of(environment, root), "-m", "pip", "--disable-pip-version-check")
    try:
        run_to_end((sys.executable, "-m", "venv", folder), root, log, INSTALL_TIMEOUT_S)
        run_to_end((*pip, "install", "--quiet", *environment.requirements), root, log, INSTALL_TIMEOUT_S)
        listed = folder / "listed.part"
        run_to_end((*pip, "list", "--format=freeze"), root, listed, INSTALL_TIMEOUT_S)
        listed.rename(folder / LISTED)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
