"""One TOML file becomes a Config, or the list of everything a person must change in it.

Looks at the disk, to read the file and to see whether what it names is there; creates nothing.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from edge_agent.config import Config, RecipeConfig
from edge_agent.config.camera import CameraConfig
from edge_agent.config.faults import missing, not_a, socket_faults, wire_faults
from edge_agent.config.schema import conform, line_of
from edge_agent.config.section import Conflict
from edge_agent.config.tomltext import Problem, dotted, quoted, read_toml
from edge_agent.errors import ConfigError
from edge_agent.records import Modality

MAX_FILE_BYTES: Final = 1_000_000
"""A configuration is some kilobytes; more is another file."""

MAX_PROBLEMS: Final = 100
"""Problems that are listed; a file with more is not a configuration that somebody mistyped."""

Rule = Callable[[Config], Iterator[Conflict]]
"""Looks at a whole, resolved configuration whose values are each within their limits."""


def load_config(path: Path) -> Config:
    """Read and check the configuration in `path`.

    Args:
        path: the TOML file.

    Returns:
        The configuration, resolved.

    Raises:
        ConfigError: with one line for each problem.
    """
    config, problems = _read(path)
    if problems:
        hint = f"docs/config.md describes every key; look again with: edge-agent check -c {path}"
        raise ConfigError(format_problems(path, problems), hint=hint)
    return config


def check_config(path: Path, *more: Rule) -> list[Problem]:
    """Give every problem of the configuration in `path`, in the order of the file; empty when it is good.

    Args:
        path: the TOML file.
        *more: what else a station on this machine needs, but no program that only reads what it wrote.

    Returns:
        What is wrong.
    """
    return _read(path, more=more)[1]


def format_problem(problem: Problem) -> str:
    """Write a problem of a setting that stands in no file, `key: reason (hint)`."""
    reason = f"{problem.reason} ({problem.hint})" if problem.hint else problem.reason
    return ": ".join(filter(None, (problem.key, reason)))


def format_problems(path: Path, problems: Sequence[Problem]) -> str:
    """Write each problem as one line, `FILE:LINE: key: reason (hint)`, leaving out what is not known."""
    return "\n".join(_line(path, problem) for problem in problems)


def read_config(path: Path, over: Mapping[str, object]) -> tuple[Config, list[Problem]]:
    """Read the configuration in `path` with some settings otherwise.

    Args:
        path: the TOML file.
        over: values by key, with dots, that stand in place of those of the file.

    Returns:
        The configuration, with defaults in place of what is wrong, and every problem.
    """
    return _read(path, over)


def written_keys(path: Path) -> frozenset[str]:
    """Give the keys, with dots, that the file in `path` names; empty where it cannot be read."""
    text = _text(path)
    return frozenset() if isinstance(text, Problem) else frozenset(map(dotted, read_toml(text).lines))


def parse_config(
    text: str,
    folder: Path,
    rules: Sequence[Rule] = (Config.conflicts,),
    over: Mapping[str, object] = MappingProxyType({}),
) -> tuple[Config, list[Problem]]:
    """Check a TOML text.

    Args:
        text: what the file says.
        folder: where relative paths start.
        rules: what to check of the configuration as a whole.
        over: values by key, with dots, that stand in place of those of the text.

    Returns:
        The configuration, with defaults in place of what is wrong, and the problems in the order of the text.
    """
    document = read_toml(text)
    if document.values is None:
        return Config().resolved(folder), list(document.problems)
    lines = document.lines
    fitting, misfits = conform(_with(document.values, over), Config, lines)
    config = msgspec.convert(fitting, Config).resolved(folder)
    problems = [*document.problems, *misfits]
    wrong_keys = {problem.key for problem in misfits}
    for keys, reason, hint in (conflict for rule in rules for conflict in rule(config)):
        if wrong_keys.isdisjoint(keys):
            paths = [tuple(key.split(".")) for key in keys]
            written = next((path for path in paths if path in lines), paths[0])
            problems.append(Problem(line_of(lines, written), keys[0], reason, hint))
    problems = [msgspec.structs.replace(problem, line=None) if problem.key in over else problem for problem in problems]
    problems.sort(key=lambda problem: problem.line or 0)
    if len(problems) > MAX_PROBLEMS:
        more = Problem(None, "", f"{len(problems) - MAX_PROBLEMS} more problems")
        problems = [*problems[:MAX_PROBLEMS], more]
    return config, problems


def load_recipes(config: Config) -> tuple[RecipeConfig, ...]:
    """Give the recipes of a station: that of its configuration, then those in files of their own.

    Args:
        config: resolved.

    Returns:
        At least one; their names differ.

    Raises:
        ConfigError: with one line for each problem.
    """
    found, problems = [config.recipe], []
    for file in map(Path, config.station.recipes):
        whole, wrong = _read_table(file, "recipe", config)
        problems += [_line(file, problem) for problem in wrong]
        if not wrong and any(whole.recipe.name == other.name for other in found):
            problems.append(f"{file}: recipe.name: {quoted(whole.recipe.name)} is the name of another recipe already")
        found.append(whole.recipe)
    if problems:
        raise ConfigError("\n".join(problems), hint="docs/config.md describes every key of [recipe]")
    return tuple(found)


def load_cameras(config: Config) -> tuple[CameraConfig, ...]:
    """Give the cameras of a station: that of its configuration, if it names a device, then those in files of their own.

    Args:
        config: resolved.

    Returns:
        None, one or more; their names differ.

    Raises:
        ConfigError: with one line for each problem.
    """
    found, problems = [config.camera] if config.camera.device else [], []
    for file in map(Path, config.source.cameras):
        whole, wrong = _read_table(file, "camera", config)
        problems += [_line(file, problem) for problem in wrong]
        if not wrong and any(whole.camera.name == other.name for other in found):
            problems.append(f"{file}: camera.name: {quoted(whole.camera.name)} is the name of another camera already")
        if not wrong and not whole.camera.device:
            problems.append(f"{file}: camera.device: is not there")
        found.append(whole.camera)
    if problems:
        raise ConfigError("\n".join(problems), hint="docs/config.md describes every key of [camera]")
    return tuple(found)


def _read_table(file: Path, table: str, config: Config) -> tuple[Config, list[Problem]]:
    """Read the one table of a file of its own; give the station's configuration with it, and what is wrong with it."""
    text = _text(file)
    if isinstance(text, Problem):
        return config, [text]
    document = read_toml(text)
    others = sorted(set(document.values or {}) - {table})
    wrong = [Problem(document.lines.get((key,)), key, f"only [{table}] belongs in a {table}'s file") for key in others]
    fitting, misfits = conform({table: (document.values or {}).get(table, {})}, Config, document.lines)
    read = getattr(msgspec.convert(fitting, Config), table).resolved(file.parent)
    if document.values is not None and table not in document.values:
        wrong.append(Problem(None, table, "is not there", f"a {table}'s file has one [{table}], with a name"))
    problems = [*document.problems, *wrong, *misfits]
    whole = msgspec.structs.replace(config, **{table: read})
    if not problems:
        of_cameras = _camera_fault(whole) if table == "recipe" else ()
        for keys, reason, hint in (*whole.conflicts(), *missing(whole), *of_cameras):
            if key := next((key for key in keys if key.startswith(f"{table}.")), ""):
                line = line_of(document.lines, tuple(key.split(".")))
                problems.append(Problem(line, key, reason, hint))
    return whole, problems


def missing_files(config: Config) -> Iterator[Conflict]:
    """Give the files and folders that the configuration names and the disk does not have."""
    if fault := not_a(Path(config.station.state_dir), stat.S_ISDIR, "folder", may_be_absent=True):
        yield Conflict(("station.state_dir",), fault)
    if config.source.kind == "replay" and config.source.replay.folder:
        folder = Path(config.source.replay.folder)
        keys = ("source.replay.folder", "source.kind")
        if fault := not_a(folder, stat.S_ISDIR, "folder"):
            yield Conflict(keys, fault)
        elif fault := not_a(folder / "index.csv", stat.S_ISREG, "file"):
            yield Conflict(keys, fault, "a recording lists its parts in index.csv")
    yield from missing(config)
    yield from _camera_fault(config)
    for key, load in (("station.recipes", load_recipes), ("source.cameras", load_cameras)):
        try:
            load(config)
        except ConfigError as error:
            for line in error.message.splitlines():
                yield Conflict((key,), line)
    if config.source.kind == "wire" and config.source.wire.port:
        yield from wire_faults(config.source.wire)
    yield from socket_faults(config)


def _camera_fault(config: Config) -> Iterator[Conflict]:
    """Say where the recipe's pictures cannot be told apart from those of other cameras, or come from none."""
    recipe = config.recipe
    try:
        names = [camera.name for camera in load_cameras(config)]
    except ConfigError:
        return  # said of the cameras
    known = f"there {'is' if len(names) == 1 else 'are'} {', '.join(map(quoted, names)) or 'none'}"
    if recipe.camera and recipe.camera not in names:
        yield Conflict(("recipe.camera",), f"no camera {quoted(recipe.camera)} is configured", known)
    elif not recipe.camera and len(names) > 1 and Modality.IMAGE in recipe.modalities:
        yield Conflict(("recipe.camera",), "must say which camera, where there are several", known)
    elif config.source.kind == "wire" and not names and Modality.IMAGE in recipe.modalities:
        yield Conflict(
            ("camera.device", "source.cameras", "recipe.modalities"),
            'must name a camera with source.kind = "wire" and "image" in recipe.modalities',
            "list what there is: edge-agent camera list; without pictures: recipe.modalities",
        )


def _with(values: Mapping[str, Any], over: Mapping[str, object]) -> dict[str, Any]:
    """Put values in a tree, where there is a table for them."""
    tree = dict(values)
    for key, value in over.items():
        *tables, name = key.split(".")
        at = tree
        for table in tables:
            inner = at.get(table, {})
            at[table] = at = dict(inner) if isinstance(inner, dict) else {}
        at[name] = value
    return tree


def _read(
    path: Path, over: Mapping[str, object] = MappingProxyType({}), *, more: tuple[Rule, ...] = ()
) -> tuple[Config, list[Problem]]:
    folder = path.absolute().parent
    text = _text(path)
    if isinstance(text, Problem):
        return Config().resolved(folder), [text]
    return parse_config(text, folder, (Config.conflicts, missing_files, *more), over)


def _text(path: Path) -> str | Problem:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return Problem(None, "", "is not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            return Problem(None, "", f"has {status.st_size} bytes; a configuration has {MAX_FILE_BYTES} at most")
        data = path.read_bytes()
    except OSError as error:
        return Problem(None, "", f"cannot be read: {error.strerror}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        return Problem(line, "", f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def _line(path: Path, problem: Problem) -> str:
    place = str(path) if problem.line is None else f"{path}:{problem.line}"
    return f"{place}: {format_problem(problem)}"
