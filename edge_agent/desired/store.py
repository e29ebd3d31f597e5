"""The station's settings as its file and the console have them, and what is kept of the console's wishes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.config import Config
from edge_agent.configfile import check_config, format_problems, load_config, read_config, written_keys
from edge_agent.desired.settings import changes, strangers
from edge_agent.desired.standing import MAX_SETTINGS, Standing, Wish
from edge_agent.errors import BadData, ConfigError, StateDamaged
from edge_agent.runtime.disk import Disk, Missing, RealDisk, load_checked, save_checked

FILE: Final = "desired.json"
"""Its name in the state directory."""


class Desired:
    """The settings of one station. Loop thread or before it; what looks at the disk is said.

    Args:
        path: the station's file.
        disk_of: opens the state directory.

    Raises:
        ConfigError: the file is wrong by itself, whatever the console wants.
    """

    def __init__(self, path: Path, disk_of: Callable[[Path], Disk] = RealDisk) -> None:
        self._path = path
        self._disk = disk_of(Path(load_config(path).station.state_dir))
        self.damage = ""
        try:
            self.standing = msgspec.json.decode(load_checked(self._disk, FILE), type=Standing)
        except Missing:
            self.standing = Standing()
        except (StateDamaged, msgspec.DecodeError) as error:
            self.standing = Standing()
            self.damage = f"{FILE} is damaged, so the station runs by its own file: {error}"

    def begin(self) -> Config:
        """Count a start and give the settings to run by; looks at the disk.

        A trial that the file no longer agrees with, or that had its starts, is taken back first.

        Returns:
            The settings, resolved.

        Raises:
            ConfigError: the file is wrong, with what holds.
            Unavailable: the disk fails.
        """
        self._keep(self.standing.started())
        if self.standing.trial is not None:
            config, problems = read_config(self._path, self.standing.settings)
            if not problems:
                return config
            self.take_back(format_problems(self._path, problems))
        return self.present()

    def present(self) -> Config:
        """Give the settings that hold; raises as `begin` does."""
        holds = self.standing.holds
        config, problems = read_config(self._path, {} if holds is None else holds.settings)
        if problems and holds is not None and not check_config(self._path):
            said = format_problems(self._path, problems)
            hint = f"the console's wish {holds.version} no longer fits the file: change the file, or the wish"
            raise ConfigError(said, hint=hint)
        if problems:
            raise ConfigError(format_problems(self._path, problems), hint="docs/config.md describes every key")
        return config

    def in_force(self) -> Config:
        """Give the settings that a start would run by, without counting one; raises as `begin` does."""
        config, problems = read_config(self._path, self.standing.settings)
        return config if not problems else self.present()

    def written(self) -> frozenset[str]:
        """Give the settings that the station's file names."""
        return written_keys(self._path)

    def consider(self, wish: Wish, running: Config) -> bool:
        """Say what becomes of a wish; looks at the disk.

        Args:
            wish: what the console wants.
            running: the settings that the station runs by.

        Returns:
            It is on trial: the station is to begin anew.

        Raises:
            BadData: it is out of its turn; nothing changed.
            Unavailable: the disk fails; nothing changed.
        """
        if self.standing.is_old(wish):
            return False
        if len(wish.settings) > MAX_SETTINGS:
            raise BadData(f"{len(wish.settings)} settings, at most {MAX_SETTINGS} are read")
        config, problems = read_config(self._path, wish.settings)
        problems = [*strangers(wish.settings), *problems]
        if problems:
            self._keep(self.standing.refused(wish, tuple(format_problems(self._path, [p]) for p in problems)))
            return False
        made = changes(running, config)
        if wish.dry_run:
            self._keep(self.standing.checked(wish, made))
            return False
        trial = self.standing.on_trial(wish, made)
        self._keep(trial)
        return bool(made)

    def prove(self, now_utc: float) -> bool:
        """Hold on to what is on trial; say whether there was something. Looks at the disk."""
        tried = self.standing.trial is not None
        if tried:
            self._keep(self.standing.proven(now_utc))
        return tried

    def take_back(self, reason: str) -> bool:
        """Go back to what held before; say whether there was something to take back. Looks at the disk."""
        tried = self.standing.trial is not None
        if tried:
            self._keep(self.standing.taken_back(reason))
        return tried

    def _keep(self, standing: Standing) -> None:
        if standing != self.standing:
            save_checked(self._disk, FILE, msgspec.json.encode(standing))
            self.standing = standing


def fingerprint(config: Config) -> str:
    """Give the digest of all settings, as the console compares them."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()
