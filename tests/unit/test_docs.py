"""The documents say what the program does: each verb, option, command, event, trouble, cause, and each hint is true."""

import argparse
import dataclasses
import re
from collections.abc import Iterable, Iterator
from functools import cache

import msgspec
import pytest
from documents import document, first_words, rows, section, words
from program_words import ROOT, arguments, beside_an_outcome, docs_named, hints, said_to_be_degraded

from edge_agent.agent.status import Status, Trouble
from edge_agent.bench import Measurement
from edge_agent.cli import parser
from edge_agent.commands import COMMANDS
from edge_agent.config import Config
from edge_agent.demo.report import ClassReport, DemoReport
from edge_agent.desired import REMOTE
from edge_agent.desired.settings import leaves
from edge_agent.evaluate import Evaluation, GoodOnlyEvaluation, IncrementalEvaluation, UnknownEvaluation
from edge_agent.evaluate.goodonly import Detection
from edge_agent.evaluate.incremental import Arrival, Forgetting
from edge_agent.evaluate.unknown import OpenSet
from edge_agent.inspection.explanation import Explanation, Neighbour
from edge_agent.inspection.featureshares import FeatureShares
from edge_agent.learning.carry import Loss
from edge_agent.learning.escape import LookAlikes
from edge_agent.learning.outcome import Adopted, Taught
from edge_agent.ledger.export import _COLUMNS as EXPORTED
from edge_agent.records import Event, Outcome, Verdict
from edge_agent.sources.camera.capture import Settings
from edge_agent.sources.camera.device import Device
from edge_agent.terminal import exits
from edge_agent.terminal.place import STATION_VERBS
from edge_agent.trust.certificate import Certificate
from edge_agent.trust.identity import Hardware, Identity
from edge_agent.verbs.camera import ShotReport

COMMANDS_MD, TEACHING = document("commands.md"), document("teaching.md")
OPTIONS_OF_ALL = {"-h", "--help"}


@cache
def verbs() -> dict[str, argparse.ArgumentParser]:
    group = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return dict(group.choices)


def options(verb: argparse.ArgumentParser) -> Iterator[str]:
    """Each way to write an option, and the name that stands for each positional argument."""
    for action in verb._actions:
        yield from action.option_strings or [str(action.metavar)]


def documented_options(verb: str) -> set[str]:
    tables = [row[0] for row in rows(section(COMMANDS_MD, verb))]
    return {word.split()[0] for cell in tables for word in words(cell) if word[0] == "-" or word.isupper()}


def event_kinds() -> set[str]:
    kinds = {*arguments("Event", 3, "kind"), *arguments("note", 2, "kind")}
    kinds |= set(arguments("_tell", 1, "kind", within="edge_agent/sources/"))
    kinds |= set(arguments("_noted", 1, "kind", within="edge_agent/scheduler/"))
    kinds |= set(arguments("_say_once", 0, "kind", within="edge_agent/scheduler/"))
    for folder in ("sources/camera", "desired"):
        kinds |= set(arguments("_note", 1, "kind", within=f"edge_agent/{folder}/"))
    return kinds | set(arguments("_note", 1, "kind", within="edge_agent/ledger/"))


def causes() -> set[str]:
    given = {*arguments("Verdict", 5, "cause"), *arguments("Misses", 3, "cause"), *beside_an_outcome()}
    return given | {*arguments("unanswered", 2, "cause"), *arguments("_declare", 1, "cause")}


def fields(*types: type) -> set[str]:
    return {field.name for kind in types for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("verb", verbs())
def test_each_verb_has_a_section_with_an_example_and_exactly_its_options(verb: str) -> None:
    text = section(COMMANDS_MD, verb)

    assert f"edge-agent {verb}" in text
    assert documented_options(verb) == set(options(verbs()[verb])) - OPTIONS_OF_ALL


def test_no_verb_is_described_that_is_gone() -> None:
    described = set(re.findall(r"^## ([a-z]+)$", COMMANDS_MD, re.M))

    assert described == set(verbs())


def test_exit_codes_are_those_of_the_program() -> None:
    codes = {value for name, value in vars(exits).items() if name.startswith("EXIT_")}

    assert codes == {int(row[0]) for row in rows(COMMANDS_MD) if row[0].isdecimal() and int(row[0]) < 200}


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_local_api_has_a_row_with_its_arguments_and_limits(name: str) -> None:
    command = COMMANDS[name]
    row = next(row for row in rows(section(COMMANDS_MD, "The local API")) if row[0] == f"`{name}`")
    arguments_taken = {field.name for field in msgspec.structs.fields(command.arguments)}

    assert words(row[1]) == arguments_taken
    assert (str(command.max_body_bytes) in row[2]) == bool(command.max_body_bytes)
    assert row[3] == f"{command.timeout_s:.0f} s"


def test_no_command_is_described_that_is_gone() -> None:
    described = [row[0].strip("`") for row in rows(section(COMMANDS_MD, "The local API")) if len(row) == 5]

    assert described == list(COMMANDS)


def test_each_kind_of_event_is_described_and_no_other() -> None:
    table = section(COMMANDS_MD, "events").split("Besides the kinds of trouble")[1]

    assert set(first_words(table)) == event_kinds()


def test_each_setting_that_the_console_may_have_is_listed_and_no_other() -> None:
    assert words(section(document("uplink.md"), "Settings")) & set(dict(leaves(Config()))) == REMOTE


def test_each_kind_of_trouble_is_described_and_no_other() -> None:
    table = section(COMMANDS_MD, "status").split("The kinds of trouble")[1]

    assert set(first_words(table)) == set(arguments("Trouble", 0, "kind"))


def test_each_cause_is_explained_and_no_other() -> None:
    assert set(first_words(section(TEACHING, "Causes"))) == causes()


def test_each_word_of_degraded_is_explained_and_no_other() -> None:
    assert set(first_words(section(TEACHING, "Degraded"))) == set(said_to_be_degraded())


def test_each_outcome_is_in_the_table_of_causes() -> None:
    outcomes = {word for row in rows(section(TEACHING, "Causes")) for word in row[1].split(", ")}

    assert outcomes == set(Outcome) - {"OK"}  # a plain answer needs no cause


@pytest.mark.parametrize(
    ("title", "record"),
    [
        ("demo", DemoReport),
        ("demo", ClassReport),
        ("status", Status),
        ("status", Trouble),
        ("events", Event),
        ("identity", Identity),
        ("identity", Hardware),
        ("identity", Certificate),
        ("camera", ShotReport),
        ("camera", Settings),
        ("camera", Device),
        ("inspect", Verdict),
        ("teach", Taught),
        ("adopt", Adopted),
        ("adopt", Loss),
        ("evaluate", Evaluation),
        ("evaluate", IncrementalEvaluation),
        ("evaluate", Arrival),
        ("evaluate", Forgetting),
        ("evaluate", UnknownEvaluation),
        ("evaluate", OpenSet),
        ("evaluate", GoodOnlyEvaluation),
        ("evaluate", Detection),
        ("why", Explanation),
        ("why", FeatureShares),
        ("why", Neighbour),
        ("escape", LookAlikes),
        ("bench", Measurement),
    ],
)
def test_each_key_of_a_json_answer_is_named(title: str, record: type) -> None:
    named = {name for word in words(section(COMMANDS_MD, title)) for name in re.findall(r"[a-z_0-9]+", word)}

    assert fields(record) <= named


def test_each_column_of_an_export_is_named() -> None:
    assert set(EXPORTED) <= words(section(COMMANDS_MD, "export"))


def wrong_hints(said: Iterable[tuple[str, str]]) -> list[str]:
    """Hints that name a verb, an option or a key that does not exist."""
    wrong = []
    for path, hint in said:
        for verb, rest in re.findall(r"(?<!newer )(?<!-u )edge-agent ([a-z]+)((?: --?[a-z-]+| [A-Za-z./]+)*)", hint):
            known = set(options(verbs()[verb])) if verb in verbs() else set()
            if verb not in verbs() or set(re.findall(r" (--?[a-z-]+)", rest)) - known:
                wrong.append(f"{path}: {hint}")
        for key in re.findall(r"\[([a-z_.]+)\] ([a-z_]+)", hint):
            wrong += [] if has_key(".".join(key)) else [f"{path}: {hint}"]
        for key in re.findall(rf"\b(?:{'|'.join(Config.__struct_fields__)})\.(?!toml\b|md\b)[a-z_.]*[a-z]", hint):
            wrong += [] if has_key(key) else [f"{path}: {hint}"]
    return wrong


def has_key(dotted: str) -> bool:
    at: object = Config()
    for name in dotted.split("."):
        if not hasattr(at, name):
            return False
        at = getattr(at, name)
    return True


def test_hints_name_verbs_options_and_keys_that_exist() -> None:
    said = list(hints())

    assert len(said) > 80
    assert not wrong_hints(said)


def typed(text: str) -> Iterator[str]:
    """The command lines in a document: in backquotes, and in blocks."""
    blocks = re.findall(r"^```.*?^```", text, re.M | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += words(re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    yield from (line for line in lines if re.match(r"\S*edge-agent ", line))


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "packaging").rglob("*.md")])


def test_documents_name_verbs_and_options_that_exist() -> None:
    said = [(path.name, line) for path in PAGES for line in typed(path.read_text())]

    assert len(said) > 100
    assert not wrong_hints(said)


@pytest.mark.parametrize("text", ["see `edge-agent doctor`.", "```\nedge-agent status --jsn\n```\n"])
def test_a_document_that_names_nothing_is_noticed(text: str) -> None:
    assert wrong_hints(("a page", line) for line in typed(text))


@pytest.mark.parametrize(
    "hint",
    [
        "look at `edge-agent statsu`",
        "start one: edge-agent run --config-file station.toml",
        "set [api] sockets to a shorter path",
        "set [ap] socket to a shorter path",
        "raise recipe.deadline_s",
    ],
)
def test_a_hint_that_names_nothing_is_noticed(hint: str) -> None:
    assert wrong_hints([("somewhere", hint)])


def test_documents_that_the_program_names_exist() -> None:
    named = {name for _, text in docs_named() for name in re.findall(r"docs/[\w./-]+\.md", text)}

    assert "docs/config.md" in named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_workshop_s_options_are_documented() -> None:
    """The command itself needs torch, so its text is read."""
    said = set(re.findall(r'add_argument\("(--[a-z-]+)"', (ROOT / "models/workshop/learn.py").read_text()))

    assert len(said) > 8
    assert set(first_words(section(document("workshop.md"), "From a folder to a bundle"))) == said


def test_every_command_of_the_workshop_that_is_named_exists() -> None:
    named = set(re.findall(r"-m (?:-- )?models\.workshop\.([a-z_]+)", document("workshop.md") + document("bundles.md")))

    assert {"learn", "measure", "heldout", "bearing_study", "bench"} <= named
    files = {
        name: ROOT / "models/workshop" / ("bench/__main__.py" if name == "bench" else f"{name}.py") for name in named
    }
    assert [name for name, path in files.items() if not path.exists()] == []


def test_the_verbs_that_are_told_a_station_are_those_that_a_hint_names_it_for() -> None:
    told = {name for name, verb in verbs().items() if {"--config", "--state"} <= set(options(verb))}
    assert told - {"bench"} == set(STATION_VERBS)  # which is told one to measure as it does
