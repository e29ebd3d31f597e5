"""C programs with one guard broken: the real source with one place exchanged; no switch for it is in what ships."""

from __future__ import annotations

import functools
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcu_drivers import FIRMWARE, compiler

PLAIN = ("-std=c99", "-O0", "-w")


@dataclass(frozen=True)
class Mutant:
    """A program with one guard broken, and the test that must notice."""

    file: str
    guard: str
    broken: str
    noticed_by: Callable[..., None]
    arguments: tuple[Any, ...] = ()


def _run(*command: str | Path) -> None:
    subprocess.run([compiler(), *PLAIN, *map(str, command)], check=True, timeout=120)


@functools.cache
def _objects(workshop: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Compile all sources once; a mutant only exchanges its own file."""
    made = {name: workshop / f"{name}.o" for name in names}
    for name, path in made.items():
        _run("-c", FIRMWARE / name, "-o", path)
    return made


def mutated(mutant: Mutant, names: tuple[str, ...], workshop: Path, folder: Path) -> Path:
    """Give the program of these sources with the guard broken.

    Args:
        mutant: what is broken.
        names: the sources.
        workshop: for the whole run.
        folder: for this mutant.

    Returns:
        The program.
    """
    text = (FIRMWARE / mutant.file).read_text()
    assert text.count(mutant.guard) == 1, "the guard is not where the mutant looks for it"
    program = folder / "mutant"
    if mutant.file.endswith(".h"):
        shutil.copytree(FIRMWARE, folder / "firmware", ignore=shutil.ignore_patterns("build"))
        (folder / "firmware" / mutant.file).write_text(text.replace(mutant.guard, mutant.broken))
        _run(*(folder / "firmware" / name for name in names), "-o", program)
    else:
        source = folder / mutant.file
        source.write_text(text.replace(mutant.guard, mutant.broken))
        others = [path for name, path in _objects(workshop, names).items() if name != mutant.file]
        _run("-I", FIRMWARE, source, *others, "-o", program)
    return program
