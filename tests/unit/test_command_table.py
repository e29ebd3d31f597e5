"""The one table of commands: who may ask for what, and what it says holds together."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from typing import Annotated

import msgspec
import msgspec.inspect
import pytest
from documents import document, rows, section, words
from program_words import modules

from edge_agent.agent.answers import Answers
from edge_agent.commands import COMMANDS, Privilege, Resource, checked
from edge_agent.errors import BadData, ConfigError, DeviceFault, StateDamaged, Unavailable, Unsafe
from edge_agent.journal.asking import Asked, arguments_of, command_of
from edge_agent.journal.response import Code, code_of


class Anything:
    """Stands for an agent that nobody asks anything."""

    holdings = None

    def __getattr__(self, name: str) -> object:
        return self


def test_each_command_has_who_does_it() -> None:
    agent = Anything()
    agent.__dict__["state_dir"] = "/nowhere"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_agent.agent.selfanswers.StationAround", lambda agent: None)
        assert set(Answers(agent).handlers) == set(COMMANDS)  # type: ignore[arg-type]


def test_what_changes_something_is_signed_and_says_what_it_does() -> None:
    for command in COMMANDS.values():
        assert command.signed == (command.privilege is not Privilege.READ)
        assert bool(command.doing) == (command.resource is not Resource.NONE), command.name
        assert not command.signed or "who" in command.arguments.__struct_fields__, command.name
        assert set(command.interrupts) <= set(COMMANDS)


def test_what_a_command_answers_is_a_type_that_there_is() -> None:
    classes = {
        node.name for module in modules().values() for node in ast.walk(module) if isinstance(node, ast.ClassDef)
    }
    classes |= {"dict", "object"}

    for command in COMMANDS.values():
        assert command.answers.removeprefix("list[").removesuffix("]") in classes, command.name


def test_a_choice_that_there_is_not_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(BadData, match='to: must be "bypass" or "follow" or "try", not "sideways"'):
        checked("gate", to="sideways", who="ada")


def test_the_document_says_who_may_ask() -> None:
    table = [
        row
        for row in rows(section(document("commands.md"), "The local API"))
        if row[0].strip("`") in set(map(str, Privilege))
    ]

    assert {row[0].strip("`"): words(row[1]) for row in table} == {
        str(privilege): {name for name, command in COMMANDS.items() if command.privilege is privilege}
        for privilege in Privilege
    }


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.max_body_bytes])
def test_what_takes_a_body_is_refused_over_the_network_unless_it_can_do_without(name: str) -> None:
    asked = Asked(1, "12345678", name, 0.0, 1, "ada", {"label": "pit"})
    with pytest.raises(BadData, match=r"^\$\.args\.next"):
        arguments_of(command_of(name), asked)
    arguments_of(command_of(name), msgspec.structs.replace(asked, args={"label": "pit", "next": 3}))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unsafe("x"), Code.E_UNSAFE),
        (BadData("x"), Code.E_PRECONDITION),
        (Unavailable("x"), Code.E_BUSY),
        (DeviceFault("x"), Code.E_INTERNAL),
        (StateDamaged("x"), Code.E_INTERNAL),
        (ConfigError("x"), Code.E_INTERNAL),
    ],
)
def test_the_kind_of_an_error_is_the_code(error: BadData, code: Code) -> None:
    assert code_of(error) is code


def test_rows_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        COMMANDS["status"].privilege = Privilege.ADMINISTER  # type: ignore[misc]


def patterns(kind: msgspec.inspect.Type) -> Iterator[str]:
    """Every pattern that a text in a value of this type must fit."""
    match kind:
        case msgspec.inspect.StrType(pattern=str(pattern)):
            yield pattern
        case msgspec.inspect.UnionType(types=kinds):
            for one in kinds:
                yield from patterns(one)
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                yield from patterns(field.type)


def test_no_pattern_lets_a_line_end_pass_at_the_end() -> None:
    """`$` fits before a last newline, too, and what is written into a file then is another line of it."""
    found = {pattern for row in COMMANDS.values() for pattern in patterns(msgspec.inspect.type_info(row.arguments))}
    found |= set(patterns(msgspec.inspect.type_info(Asked)))

    assert len(found) >= 2
    assert all(pattern.startswith(r"\A") and pattern.endswith(r"\Z") for pattern in found)
    assert [*patterns(msgspec.inspect.type_info(Annotated[str, msgspec.Meta(pattern="^a$")]))] == ["^a$"]


@pytest.mark.parametrize("name", ["Scratch", "scratch", "Gußfehler", "a" * 80])
def test_a_class_is_named_the_same_way_by_a_label_as_by_a_lesson(name: str) -> None:
    assert checked("label", part=1, who="anna", label=name).label == checked("teach", who="anna", label=name).label


@pytest.mark.parametrize("name", ["", "a" * 81])
def test_a_name_that_no_class_can_have_is_refused(name: str) -> None:
    with pytest.raises(BadData, match="label: "):
        checked("label", part=1, who="anna", label=name)


def test_the_name_of_a_key_is_one_word() -> None:
    with pytest.raises(BadData, match="name"):
        checked("trust", to="remove", who="anna", name="x\n")
