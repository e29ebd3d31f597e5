"""The one table of commands: who may ask for what, and what it says holds together."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from documents import document, rows, section, words

from edge_agent.answers import Answers
from edge_agent.commands import COMMANDS, Privilege, Resource
from edge_agent.errors import BadData, ConfigError, DeviceFault, StateDamaged, Unavailable, Unsafe
from edge_agent.journal.asking import Asked, arguments_of, command_of
from edge_agent.journal.response import Code, code_of


class Anything:
    """Stands for an agent that nobody asks anything."""

    station = None

    def __getattr__(self, name: str) -> object:
        return self


def test_each_command_has_who_does_it() -> None:
    agent = Anything()
    agent.__dict__["state_dir"] = "/nowhere"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edge_agent.selfanswers.StationAround", lambda agent: None)
        assert set(Answers(agent).handlers) == set(COMMANDS)  # type: ignore[arg-type]


def test_what_changes_something_is_signed_and_says_what_it_does() -> None:
    for command in COMMANDS.values():
        assert command.signed == (command.privilege is not Privilege.READ)
        assert bool(command.doing) == (command.resource is not Resource.NONE), command.name
        assert not command.signed or "who" in command.arguments.__struct_fields__, command.name
        assert set(command.interrupts) <= set(COMMANDS)


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
