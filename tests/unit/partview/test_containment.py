"""The list of parts to contain says what it rests on, and its page runs and fetches nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import cv2
import msgspec
import numpy as np
import pytest
from page_reading import EVIL, Reading, dangers
from proof_states import exemplar, part

from edge_agent.learning.escape import LookAlike, LookAlikes
from edge_agent.partview.containment import PRINTED, WIDTH, Containment, commands, containment_lines, summary
from edge_agent.partview.containmentpage import containment_page
from edge_agent.records import Outcome, Trigger, Verdict

PICTURE = cv2.imencode(".png", np.full((40, 40, 3), 90, np.uint8))[1].tobytes()

ONLOOKER = SimpleNamespace(
    config=SimpleNamespace(station=SimpleNamespace(name=EVIL)),
    recipe=SimpleNamespace(
        config=SimpleNamespace(name=EVIL),
        bundle=SimpleNamespace(name=EVIL, manifest=SimpleNamespace(version="1")),
    ),
)


def alike(number: int, *, is_listed: bool = True, **changed: object) -> LookAlike:
    return LookAlike(replace(part(number), **changed), 40.0 - number, 0.02, 100.0 + number, is_listed)


def containment(*listed: LookAlike, **changed: object) -> Containment:
    found = LookAlikes(
        listed=listed,
        compared=1700,
        won=90,
        unseen=0,
        apart=0,
        uncertain=0,
        held_out=120,
        as_alike=0,
        by_chance=14.0,
        taught_as=(),
        doubtful=(),
    )
    theirs = {key: value for key, value in changed.items() if key in LookAlikes.__dataclass_fields__}
    mine = {key: value for key, value in changed.items() if key not in theirs}
    escape = replace(part(800), verdict=Verdict(Outcome.OK, "good"))
    made = Containment(escape, "scratch", "Scratch", "good", 0, 900.0, replace(found, **theirs), {}, False)
    return replace(made, **mine)


def lines(made: Containment) -> str:
    return "\n".join(containment_lines(made))


def test_it_is_said_how_many_are_listed_and_what_chance_would_list() -> None:
    said = summary(containment(*(alike(n) for n in range(1, 31))))

    assert said == (
        "1700 passed parts were compared: 30 are listed, Scratch would win 90. Were all of them good, chance would "
        "list up to 14: 0 of 120 held-out good parts look as much like it."
    )


def test_a_list_no_longer_than_chance_makes_it_is_said_to_prove_nothing() -> None:
    assert "proves nothing" in summary(containment(*(alike(n) for n in range(1, 15))))
    assert "nobody can say" in summary(containment(alike(1), by_chance=None))
    assert summary(containment(compared=0)) == "Not one passed part could be compared."


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "known from this part alone"),
        ({"samples": 5}, "known from 5 samples"),
        ({"taught_as": ("good",)}, "it was taught as good, which was left aside"),
        ({"unseen": 3}, "of 3 parts that passed or were missed nothing is stored"),
        ({"apart": 4}, "4 passed parts were seen by nothing"),
        ({"uncertain": 5}, "5 were judged by knowledge that is not kept"),
        ({"since_utc": 9_999.0}, "part 800 itself is older"),
        ({"escape": replace(part(800), verdict=Verdict(Outcome.NG))}, "did not get past: it was NG"),
        ({"doubtful": (exemplar("good", 3),)}, "were they really good? good/3.png"),
    ],
)
def test_what_a_reader_should_know_is_said(changed: dict[str, object], said: str) -> None:
    made = containment(alike(1), **changed)

    assert said in " ".join(lines(made).split())
    assert said in Reading(containment_page(ONLOOKER, made)).text
    if changed:
        assert said not in " ".join(lines(containment(alike(1), samples=1)).split())


def test_each_part_has_a_line_with_its_scores_and_where_it_is() -> None:
    said = lines(containment(alike(1), alike(2, is_listed=False, operator_label="good"), pictures={1: PICTURE}))
    rows = [line.split() for line in said.splitlines() if line.endswith(("a 1", "a 2; a person said good"))]

    assert rows[0][0] == "1" and rows[1][0] == "(2)"
    assert rows[0][3:] == ["+39.0", "2.0%", "101", "picture", "a", "1"]
    assert rows[1][3:7] == ["+38.0", "2.0%", "102", "–"]


def test_a_long_list_is_cut_on_the_terminal_and_whole_on_the_page() -> None:
    made = containment(*(alike(n) for n in range(1, 101)))
    page = Reading(containment_page(ONLOOKER, made))

    assert f"and {100 - PRINTED} more" in lines(made)
    assert page.text.count("☐") == 100
    assert all(len(line) <= WIDTH for line in containment_lines(made))


def test_what_may_be_done_next_is_a_command_that_can_be_typed() -> None:
    kept, gone = (dict(commands(containment(is_kept=kept, name="Kratzer tief"))) for kept in (True, False))

    assert kept["teach it"] == "edge-agent teach 'Kratzer tief' --part 800"
    assert kept["say what a part is"] == "edge-agent label 800 scratch"
    assert gone["nothing of it is kept; teach pictures of it"] == "edge-agent teach 'Kratzer tief' FOLDER"


def test_nothing_on_the_page_runs_or_is_fetched() -> None:
    evil = containment(
        alike(1, trigger=Trigger(EVIL, 1, 0.0), operator_label=EVIL),
        name=EVIL,
        doubtful=(exemplar("good", 3, source=EVIL),),
        pictures={1: PICTURE, 800: PICTURE},
    )
    page = containment_page(ONLOOKER, evil)

    assert dangers(page) == []
    assert Reading(page).open == []
    assert page.count("<img") == 2
    page.encode()


def test_as_json_it_has_the_list_and_what_it_rests_on() -> None:
    value = msgspec.json.decode(msgspec.json.encode(containment(alike(1), pictures={1: PICTURE}).as_dict()))

    assert (value["part"], value["class"], value["compared"], value["by_chance"]) == (800, "scratch", 1700, 14.0)
    assert value["listed"][0] == {
        "part": 1,
        "series": "a",
        "number": 1,
        "decided_utc": 1001.0,
        "outcome": "OK",
        "operator_label": None,
        "score": 39.0,
        "chance": 0.02,
        "distance": 101.0,
        "is_listed": True,
        "picture_kept": True,
    }
