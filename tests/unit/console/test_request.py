"""A command as it is asked for: checked by the station's own table, with an id that says when."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commands import COMMANDS
from edge_agent.console.request import Request, pairs_of, request_of, uuid7
from edge_agent.errors import BadData


def request(command: str, ttl_s: float = 30.0, **given: str) -> Request:
    return request_of(
        command,
        given,
        request_id="0192f0c1-a",
        by="ada@console",
        utc=1764500000.0,
        ttl_s=ttl_s,
        expect={"gate": "3f2a"},
    )


def test_a_request_is_what_the_contract_says() -> None:
    assert json.loads(request("gate", to="bypass").text) == {
        "v": 1,
        "id": "0192f0c1-a",
        "cmd": "gate",
        "args": {"to": "bypass"},
        "issued_at": 1764500000.0,
        "ttl_ms": 30000,
        "by": "ada@console",
        "expect": {"gate": "3f2a"},
    }


def test_arguments_have_the_types_of_the_table() -> None:
    assert request("label", part="8123", label="scratch").args == {"part": 8123, "label": "scratch"}
    assert request("promote", overrule="true").args == {"overrule": True}
    assert request("teach", label="pit", next="5").args == {"label": "pit", "next": 5}
    assert request("events").args == {}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_is_sent_with_an_argument_that_it_does_not_have(name: str) -> None:
    with pytest.raises(BadData):
        request(name, colour="red")


@pytest.mark.parametrize("ttl_s", [0.0, -1.0, 86_401.0, float("nan")])
def test_a_request_that_lives_for_ever_or_not_at_all_is_an_accident(ttl_s: float) -> None:
    with pytest.raises(BadData, match="lives"):
        request("gate", ttl_s, to="try")


@given(st.floats(0, 2**47 / 1000), st.binary(min_size=10, max_size=10))
def test_an_id_is_a_uuid_of_version_7_that_says_when(utc: float, random: bytes) -> None:
    made = uuid.UUID(uuid7(utc, random))

    assert made.variant == uuid.RFC_4122
    assert made.version == 7
    assert made.int >> 80 == int(utc * 1000.0)


@given(st.lists(st.binary(min_size=10, max_size=10), min_size=2, unique_by=lambda b: int.from_bytes(b, "big") % 2**74))
def test_ids_of_one_moment_differ(randoms: list[bytes]) -> None:
    assert len({uuid7(1764500000.0, random) for random in randoms}) == len(randoms)


def test_words_are_pairs() -> None:
    assert pairs_of(["to=bypass", "text=a=b", "empty="], "argument") == {"to": "bypass", "text": "a=b", "empty": ""}
    for wrong in (["to"], ["=x"], ["a=1", "a=2"]):
        with pytest.raises(BadData):
            pairs_of(wrong, "argument")
