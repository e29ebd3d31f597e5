"""How the console reaches the broker, from a file, and from what was typed, which wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from edge_agent.config.file import format_problems
from edge_agent.config.schema import conform, expectation, shown
from edge_agent.config.section import Conflict, OptionalPath, Section
from edge_agent.config.tomltext import Problem, read_toml
from edge_agent.config.uplink import BrokerUrl, TopicRoot, UplinkConfig, uplink_conflicts
from edge_agent.errors import ConfigError

MAX_FILE_BYTES: Final = 64 * 1024
"""Of a console.toml; ours has eight lines."""

HINT: Final = "docs/console.md describes every key"


class BrokerConfig(Section, frozen=True):
    """The broker, and who the console is to it."""

    url: BrokerUrl = ""
    root: TopicRoot = "insp/v1"
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    ca: OptionalPath = ""
    certificate: OptionalPath = ""
    key: OptionalPath = ""
    plaintext: bool = False


class ConsoleConfig(Section, frozen=True):
    """A console.toml."""

    broker: BrokerConfig = BrokerConfig()


def settings_of(file: Path | None, typed: Mapping[str, str | None]) -> UplinkConfig:
    """Give the way to the broker.

    Args:
        file: a console.toml; None for none.
        typed: keys of `[broker]` as options of the command line; None values are left out.

    Returns:
        The way, paths as seen from the file's folder, typed ones from where the program runs.

    Raises:
        ConfigError: a person must change something.
    """
    broker = ConsoleConfig().broker if file is None else _read(file)
    for key, value in typed.items():
        if value is not None:
            broker = _with(broker, key, value)
    uplink = UplinkConfig(
        broker=broker.url,
        root=broker.root,
        protocol=broker.protocol,
        ca=broker.ca,
        certificate=broker.certificate,
        key=broker.key,
        plaintext=broker.plaintext,
    )
    if not uplink.broker:
        raise ConfigError("no broker is named", hint="give --broker mqtts://HOST, or -c console.toml; docs/console.md")
    for conflict in _conflicts(uplink):
        raise ConfigError(f"{conflict.keys[0]}: {conflict.reason}", hint=conflict.hint or HINT)
    return uplink


def _conflicts(uplink: UplinkConfig) -> Iterator[Conflict]:
    """Give what cannot work together, in the words of a console.toml."""
    ours = {"uplink.broker": "broker.url"}
    for keys, reason, hint in uplink_conflicts(uplink):
        named = tuple(ours.get(key, key.replace("uplink.", "broker.")) for key in keys)
        yield Conflict(named, reason.replace("uplink.", "broker."), "" if "docs/" in hint else hint)


def _with(broker: BrokerConfig, key: str, value: str) -> BrokerConfig:
    try:
        return msgspec.convert({**msgspec.to_builtins(broker), key: value}, BrokerConfig)
    except msgspec.ValidationError as error:
        option = "--broker" if key == "url" else f"--{key}"
        kinds = {field.name: field.type for field in msgspec.structs.fields(BrokerConfig)}
        raise ConfigError(f"{option} must be {expectation(kinds[key])}, not {shown(value)}", hint=HINT) from error


def _read(file: Path) -> BrokerConfig:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{file} has more than {MAX_FILE_BYTES} bytes", hint=HINT)
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", hint=HINT) from error
    document = read_toml(text)
    values: dict[str, Any] = document.values or {}
    fitting, misfits = conform(values, ConsoleConfig, document.lines)
    problems: list[Problem] = [*document.problems, *misfits]
    if problems:
        raise ConfigError(format_problems(file, problems), hint=HINT)
    broker = msgspec.convert(fitting, ConsoleConfig).broker
    folder = file.absolute().parent
    paths = {key: str(folder / path) for key in ("ca", "certificate", "key") if (path := getattr(broker, key))}
    return msgspec.structs.replace(broker, **paths)
