"""The station's settings as its file and the console have them, and what is kept of the console's wishes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.config import Config
from edge_agent.config.file import check_config, format_problem, format_problems, load_config, read_config, written_keys
from edge_agent.config.tomltext import Problem
from edge_agent.desired.settings import changes, strangers
from edge_agent.desired.standing import MAX_SETTINGS, Fate, Standing, Wish
from edge_agent.errors import BadData, ConfigError, StateDamaged, Unavailable
from edge_agent.ledger.files import make_private, take_lock
from edge_agent.ledger.tables import FILE_NAME
from edge_agent.runtime.disk import Disk, Missing, RealDisk, load_checked, save_checked

FILE: Final = "desired.json"
"""Its name in the state directory."""


class Desired:
    """The settings of one station. Before the loop runs, or in the background: each call looks at the disk.

    Attributes:
        standing: where the wishes stand.
        trying: what this life of the station tries; None while it runs by what holds.
        went_back: the fate of the wish that `begin` took back; None where it took none back.
        damage: why what was kept could not be read; "" where it could.

    Args:
        path: the station's file.
        disk_of: opens the state directory.

    Raises:
        ConfigError: the file is wrong by itself, whatever the console wants.
    """

    def __init__(self, path: Path, disk_of: Callable[[Path], Disk] = RealDisk) -> None:
        self._path = path
        self._state_dir = Path(load_config(path).station.state_dir)
        self._disk = disk_of(self._state_dir)
        self.trying: Wish | None = None
        self.went_back: Fate | None = None
        self.damage = ""
        try:
            self.standing = msgspec.json.decode(load_checked(self._disk, FILE), type=Standing)
        except Missing:
            self.standing = Standing()
        except (StateDamaged, msgspec.DecodeError) as error:
            self.standing = Standing()
            self.damage = f"{FILE} is damaged, so the station runs by its own file: {error}"

    def begin(self) -> Config:
        """Count a start and give the settings to run by.

        A trial that the file no longer agrees with, or that had its starts, is taken back first; one whose start cannot
        be counted because the disk fails is left for the next start.

        Returns:
            The settings, resolved.

        Raises:
            ConfigError: the file is wrong, with what holds.
            Unavailable: another process runs this station; nothing was counted.
        """
        if self.standing.trial is None:
            return self.present()
        self._check_alone()
        try:
            self._keep(self.standing.started())
            if self.standing.trial is not None:
                config, problems = read_config(self._path, self.standing.settings)
                if not problems:
                    self.trying = self.standing.trial
                    return config
                self._keep(self.standing.taken_back(format_problems(self._path, problems)))
            self.went_back = self.standing.newest
        except Unavailable:
            pass  # it cannot be counted, so it is not tried
        return self.present()

    def end(self) -> None:
        """Take the start of this life back from the count: it ended because somebody wanted it to."""
        if self.trying is not None and self.trying == self.standing.trial:
            self._keep(self.standing.stopped())

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

    def consider(self, wish: Wish, running: Config, now_utc: float) -> Fate:
        """Say what becomes of a wish.

        Args:
            wish: what the console wants.
            running: the settings that the station runs by.
            now_utc: wall time [s since the epoch].

        Returns:
            Its fate. `trial` with changes: the station is to begin anew; without, it runs by it already.

        Raises:
            BadData: it is out of its turn; nothing changed.
            Unavailable: the disk fails; nothing changed.
        """
        if not wish.dry_run and self.standing.is_known(wish) and self.standing.newest is not None:
            return self.standing.newest
        if len(wish.settings) > MAX_SETTINGS:
            raise BadData(f"{len(wish.settings)} settings, at most {MAX_SETTINGS} are read")
        config, problems = read_config(self._path, wish.settings)
        errors = self._said([*strangers(wish.settings), *problems])
        made = () if errors else changes(running, config)
        if wish.dry_run:
            return Fate(wish.version, wish.digest, "refused" if errors else "checked", errors, made)
        if errors:
            self._keep(self.standing.refused(wish, errors))
        elif made or self.standing.trial is not None:
            self._keep(self.standing.on_trial(wish, made))
            self.trying = self.trying if made else wish
        else:
            self._keep(self.standing.held(wish, now_utc))
        assert self.standing.newest is not None
        return self.standing.newest

    def prove(self, wish: Wish, now_utc: float) -> bool:
        """Hold on to a wish where it is on trial; say whether it was."""
        if self.standing.trial != wish:
            return False
        self._keep(self.standing.held(wish, now_utc))
        return True

    def take_back(self, wish: Wish, reason: str) -> bool:
        """Go back to what held before a wish, where that is on trial; say whether it was."""
        if self.standing.trial != wish:
            return False
        self._keep(self.standing.taken_back(reason))
        return True

    def _check_alone(self) -> None:
        """Raise `Unavailable` where another process runs this station: its trial is none of ours."""
        path = self._state_dir / FILE_NAME
        make_private(path)
        os.close(take_lock(path))

    def _said(self, problems: Sequence[Problem]) -> tuple[str, ...]:
        """Say what is wrong with a wish; the file is named only with what is wrong with the file."""
        of_the_file = check_config(self._path) if problems else []
        return tuple(format_problems(self._path, [p]) if p in of_the_file else format_problem(p) for p in problems)

    def _keep(self, standing: Standing) -> None:
        if standing != self.standing:
            save_checked(self._disk, FILE, msgspec.json.encode(standing))
            self.standing = standing


def fingerprint(config: Config) -> str:
    """Give the digest of all settings, as the console compares them."""
    return hashlib.sha256(msgspec.json.encode(config, order="sorted")).hexdigest()
