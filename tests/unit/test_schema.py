"""The walk that holds values against structs, on a small struct of its own."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from edge_agent.config.schema import MAX_LISTED, conform, expectation, line_of, shown
from edge_agent.config.tomltext import Problem
from edge_agent.records import Modality


class Inner(msgspec.Struct, frozen=True):
    rate_hz: Annotated[float, Meta(ge=0.5, le=10)] = 1.0
    mode: Literal["Fast", "slow"] = "slow"


class Outer(msgspec.Struct, frozen=True):
    count: Annotated[int, Meta(ge=0, le=9)] = 1
    name: Annotated[str, Meta(pattern=r"\A[a-z]+\Z", description="letters")] = "a"
    kinds: Annotated[tuple[Modality, ...], Meta(min_length=1)] = (Modality.IMAGE,)
    inner: Inner = Inner()


GOOD = {"count": 3, "name": "b", "kinds": ["vibration"], "inner": {"rate_hz": 2, "mode": "Fast"}}


def problem_of(values: dict[str, object]) -> Problem:
    _, [problem] = conform(values, Outer, {})
    return problem


def test_what_fits_passes_unchanged() -> None:
    assert conform(GOOD, Outer, {}) == (GOOD, [])


def test_every_misfit_is_reported_and_only_the_rest_is_kept() -> None:
    values = {
        "count": 10,
        "name": "B",
        "kinds": ["vibraton", "image", "image", 3],
        "inner": {"rate_hz": "2", "mode": "fats", "rate": 1},
        "innr": {},
    }
    kept, problems = conform({**values, "kinds": values["kinds"]}, Outer, {})

    assert kept == {"inner": {}}
    assert problems == [
        Problem(None, "innr", "there is no such key", "did you mean inner?"),
        Problem(None, "count", "must be a whole number from 0 to 9, not 10"),
        Problem(None, "name", 'must be letters, not "B"'),
        Problem(None, "kinds", 'must be "image" or "vibration", not "vibraton"', 'did you mean "vibration"?'),
        Problem(None, "kinds", '"image" is already in the list'),
        Problem(None, "kinds", 'must be "image" or "vibration", not 3'),
        Problem(None, "inner.rate", "there is no such key", "did you mean inner.rate_hz?"),
        Problem(None, "inner.rate_hz", 'must be a number from 0.5 to 10, not "2"', "write 2 without quotes"),
        Problem(None, "inner.mode", 'must be "Fast" or "slow", not "fats"', 'did you mean "Fast"?'),
    ]


def test_msgspec_alone_would_report_one() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"count": 10, "name": "B"}, Outer)

    assert "count" in str(caught.value)
    assert "name" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.49, "0.49"),
        (10.01, "10.01"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, "true"),
        (None, "None"),
        ([1.0], "a list"),
        ({}, "a table"),
    ],
)
def test_a_number_is_finite_within_its_limits_and_no_truth_value(value, said) -> None:
    assert problem_of({"inner": {"rate_hz": value}}).reason == f"must be a number from 0.5 to 10, not {said}"


def test_a_number_too_long_to_print_is_not_printed() -> None:
    for value in (10**400, 16**5000):
        assert problem_of({"inner": {"rate_hz": value}}).reason.endswith("not a very large number")
        assert problem_of({"count": value}).reason.endswith("not a very large number")


@pytest.mark.parametrize("value", [0.5, 10, 1])
def test_the_limits_themselves_are_allowed(value) -> None:
    assert conform({"inner": {"rate_hz": value}}, Outer, {})[1] == []


@pytest.mark.parametrize("value", ["abc\n", "", "a b", "\x1b[31m"])
def test_a_pattern_holds_for_the_whole_text(value) -> None:
    problem = problem_of({"name": value})

    assert problem.reason.startswith("must be letters, not ")
    assert problem.reason.isprintable()


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"mode": "slow"}, "did you mean inner.mode?"),
        ({"coutn": 1}, "did you mean count?"),
        ({"zzz": 1}, "valid here: count, name, kinds, inner"),
        ({"kinds": "image"}, 'write ["image"]'),
        ({"inner": {"mode": "FAST"}}, 'did you mean "Fast"?'),
        ({"inner": {"mode": "qqq"}}, ""),
        ({"inner": 3}, "write [inner] above its keys"),
        ({"name": True}, 'write "true"'),
        ({"name": 3}, ""),
        ({"kinds": []}, ""),
    ],
)
def test_hints(values, hint) -> None:
    assert problem_of(values).hint == hint


def test_the_line_is_that_of_the_element_else_of_what_is_around_it() -> None:
    lines = {("kinds",): 4, ("kinds", 1): 6}
    values = {"kinds": ["image", "x", "y"]}

    assert [p.line for p in conform(values, Outer, lines)[1]] == [6, 4]
    assert line_of(lines, ("inner", "mode")) is None


def test_a_file_of_something_else_is_not_listed_to_its_end() -> None:
    _, problems = conform({f"key{i}": i for i in range(1000)}, Outer, {})

    assert len(problems) == MAX_LISTED + 1
    assert problems[-1].reason == f"1000 unknown keys; the first {MAX_LISTED} are listed"


def test_a_long_list_of_nonsense_is_not_listed_to_its_end() -> None:
    assert len(conform({"kinds": ["x"] * 100_000}, Outer, {})[1]) == MAX_LISTED


def test_a_type_without_words_is_a_bug() -> None:
    with pytest.raises(TypeError, match="no words"):
        expectation(bytes)


def test_shown_shortens() -> None:
    assert len(shown("x" * 1000)) < 100
