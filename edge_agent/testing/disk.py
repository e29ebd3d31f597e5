"""A disk in memory whose power can be cut at any operation, and all that the next start may then find.

It is as unkind as POSIX allows. The bytes of a file are safe once `write` has returned; while it runs, the
file may be empty, short, padded with zeros or whole. A name that was given, moved or removed is safe only
after the folder's `sync`; until then each such change may have reached the disk or not, in any combination.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from edge_agent.errors import Unavailable
from edge_agent.runtime.disk import (
    HINTS,
    READ_LIMIT_BYTES,
    Disk,
    Missing,
    checked_folder,
    checked_name,
    folder_of,
    same_folder,
    within_limit,
)

Files = dict[str, bytes]


class PowerCut(BaseException):  # noqa: N818 - an event, and no `except Exception` of the tested code may catch it
    """The power went. The disk answers nothing more; look at its `outcomes`."""


@dataclass(frozen=True)
class _Change:
    """Names of one folder that change together: what each stands for now, None for nothing."""

    folder: str
    entries: dict[str, int | None]


class FakeDisk:
    """A `Disk` in memory.

    Attributes:
        operations: how many changes (`write`, `rename`, `remove`, `sync`) were begun.
        full: while True, `write` finds no space.

    Args:
        files: what is on it, all of it safe.
        cut_at: the change, counted from 0, during which the power goes; None for never.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None, cut_at: int | None = None) -> None:
        self.operations = 0
        self.full = False
        self._cut_at = cut_at
        self._off = False
        self._contents: list[bytes] = list((files or {}).values())
        self._safe_names = {checked_name(name): number for number, name in enumerate(files or {})}
        self._names: dict[str, int] = dict(self._safe_names)
        self._unsafe: list[_Change] = []
        self._half_written: list[dict[int, bytes]] = [{}]
        self._folders = {""}
        for name in self._names:
            self._make_folder(folder_of(name))

    def write(self, name: str, data: bytes) -> None:
        """Write the whole file; with `full`, as much as a full disk takes."""
        checked_name(name)
        cut = self._begin()
        self._make_folder(folder_of(name))
        number = self._names.get(name)
        may_remain = [b"", data[: len(data) // 2], data[: len(data) // 2].ljust(len(data), b"\0"), data]
        if number is None:
            number = len(self._contents)
            self._contents.append(b"")
            self._change(folder_of(name), {name: number})
        else:
            may_remain.append(self._contents[number])
        if cut:
            self._half_written = [{number: content} for content in may_remain]
            raise PowerCut
        if self.full:
            self._contents[number] = data[: len(data) // 2]
            raise Unavailable(
                f"cannot write {name}: {os.strerror(errno.ENOSPC)}",
                hint=HINTS[errno.ENOSPC].format(folder="the fake disk"),
            )
        self._contents[number] = bytes(data)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in the same folder, in place of any file there."""
        same_folder(checked_name(old), checked_name(new))
        number = self._number(old)
        cut = self._begin()
        self._change(folder_of(old), {old: None, new: number})
        if cut:
            raise PowerCut

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._number(checked_name(name))
        cut = self._begin()
        self._change(folder_of(name), {name: None})
        if cut:
            raise PowerCut

    def sync(self, folder: str = "") -> None:
        """Make the names in `folder` safe."""
        self._answer()
        if checked_folder(folder) not in self._folders:
            raise Missing(f"cannot sync {folder}: there is no such folder")
        if self._begin():
            raise PowerCut
        for change in self._unsafe:
            if change.folder == folder:
                _apply(change, self._safe_names)
        self._unsafe = [change for change in self._unsafe if change.folder != folder]

    def read(self, name: str, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """The whole file, its size checked first."""
        content = self._contents[self._number(checked_name(name))]
        within_limit(name, len(content), limit_bytes)
        return content

    def exists(self, name: str) -> bool:
        """There is a file of that name."""
        self._answer()
        return checked_name(name) in self._names

    def outcomes(self) -> list[Files]:
        """Every different set of files that the next start may find when power goes now, or went just now."""
        found: dict[frozenset[tuple[str, bytes]], Files] = {}
        for reached in itertools.product([False, True], repeat=len(self._unsafe)):
            names = dict(self._safe_names)
            for change in itertools.compress(self._unsafe, reached):
                _apply(change, names)
            for torn in self._half_written:
                files = {name: torn.get(number, self._contents[number]) for name, number in names.items()}
                found[frozenset(files.items())] = files
        return list(found.values())

    def names(self, folder: str = "") -> list[str]:
        """The files directly in `folder`, sorted, named as for `read`."""
        self._answer()
        checked_folder(folder)
        return sorted(name for name in self._names if folder_of(name) == folder)

    def _begin(self) -> bool:
        self._answer()
        self._off = self.operations == self._cut_at
        self.operations += 1
        return self._off

    def _answer(self) -> None:
        if self._off:
            raise PowerCut

    def _change(self, folder: str, entries: dict[str, int | None]) -> None:
        change = _Change(folder, entries)
        _apply(change, self._names)
        self._unsafe.append(change)

    def _number(self, name: str) -> int:
        self._answer()
        if name not in self._names:
            raise Missing(f"cannot find {name}: there is no such file")
        return self._names[name]

    def _make_folder(self, folder: str) -> None:
        while folder:
            self._folders.add(folder)
            folder = folder_of(folder)


def power_cuts(files: Mapping[str, bytes], act: Callable[[Disk], object]) -> Iterator[Files]:
    """Every set of files that the next start may find when power goes at any moment while `act` runs.

    Args:
        files: what was safely on the disk before.
        act: changes the disk; is run once for each of its operations, so it must do the same every time.

    Yields:
        The files, for each operation cut and each way it may have been cut; not those after `act` has
        returned (`FakeDisk.outcomes` of a disk that was not cut gives them).
    """
    for cut_at in itertools.count():
        disk = FakeDisk(files, cut_at)
        with contextlib.suppress(PowerCut):
            act(disk)
        if disk.operations <= cut_at:
            return
        yield from disk.outcomes()


def _apply(change: _Change, names: dict[str, int]) -> None:
    for name, number in change.entries.items():
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number
