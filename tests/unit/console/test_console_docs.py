"""The document of the console says what it does: each verb, option, exit code, key and JSON name, and no other."""

import argparse
import dataclasses
import re
import shlex
from functools import cache

import msgspec
import pytest
from documents import document, rows, section, words

from edge_agent.console import __main__ as console
from edge_agent.console.fleet import StationRow
from edge_agent.console.keyfile import MadeKey
from edge_agent.console.send import Answer
from edge_agent.console.settings import ConsoleConfig
from edge_agent.terminal import exits

CONSOLE_MD = document("console.md")


@cache
def verbs() -> dict[str, argparse.ArgumentParser]:
    group = next(action for action in console.parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(group.choices)


def options(verb: str) -> set[str]:
    return {name for action in verbs()[verb]._actions for name in action.option_strings or [str(action.metavar)]} - {
        "-h",
        "--help",
    }


def documented(text: str) -> set[str]:
    found = {word.split()[0] for row in rows(text) for word in words(row[0])}
    return {word for word in found if word[0] == "-" or word.isupper() or "=" in word}


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_has_a_section_with_an_example_and_exactly_its_options(verb: str) -> None:
    text = section(CONSOLE_MD, verb)

    assert f"edge-console {verb}" in text
    assert documented(text) == options(verb)


def test_no_verb_is_described_that_is_gone() -> None:
    assert set(re.findall(r"^## ([a-z]+)$", CONSOLE_MD, re.M)) == set(verbs())


def test_options_that_are_described_once_are_those_that_verbs_share() -> None:
    shared = set.intersection(*(options(verb) for verb in ("send", "watch", "tail", "stations")))
    text = section(CONSOLE_MD, "The way to the broker").split("\nA console.toml has")[0]

    assert documented(text) == shared


def test_each_example_can_be_typed() -> None:
    typed = re.findall(r"^edge-console (.*)$", CONSOLE_MD, re.M)

    assert len(typed) > 5
    for line in typed:
        console.parser().parse_args(shlex.split(line))


def test_exit_codes_are_those_of_the_program() -> None:
    codes = {value for name, value in vars(exits).items() if name.startswith("EXIT_")}

    assert codes == {int(row[0]) for row in rows(CONSOLE_MD) if row[0].isdecimal()}


def test_each_key_of_a_console_toml_is_described_with_its_default() -> None:
    broker = ConsoleConfig().broker
    keys = {f"`broker.{field.name}`": getattr(broker, field.name) for field in msgspec.structs.fields(broker)}
    table = {row[0]: row[1] for row in rows(section(CONSOLE_MD, "The way to the broker")) if row[0] in keys}

    assert table == {key: f"`{msgspec.json.encode(value).decode()}`" for key, value in keys.items()}


@pytest.mark.parametrize(("verb", "record"), [("key", MadeKey), ("send", Answer), ("stations", StationRow)])
def test_each_key_of_a_json_answer_is_named(verb: str, record: type) -> None:
    named = {name for word in words(section(CONSOLE_MD, verb)) for name in re.findall(r"[a-z_]+", word)}

    assert {field.name for field in dataclasses.fields(record)} <= named
