"""One request until it is done: said again where nobody answers, and never taken for another's."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.console.asking import REMIND_S, Asking, Outcome
from edge_agent.console.heard import Response


def response(phase: str, status: str = "ok", **more: Any) -> Response:
    said = {"id": "r1", "station": "press-3", "code": "OK"} | more
    return Response(v=1, phase=phase, status=status, **said)  # type: ignore[arg-type]


def asking() -> Asking:
    return Asking("r1", "press-3", 100.0, 30.0)


def test_it_goes_from_accepted_to_done() -> None:
    one = asking()
    assert one.outcome(100.0) is Outcome.WAITING
    assert one.hear(response("accepted"))
    assert one.outcome(101.0) is Outcome.ACCEPTED
    assert one.hear(response("progress", result={"share": 0.5}))
    assert not one.hear(response("progress", result={"share": 0.5}))
    assert one.hear(response("done"))
    assert one.outcome(500.0) is Outcome.OK


def test_what_comes_after_the_end_changes_nothing() -> None:
    one = asking()
    one.hear(response("done", "error", code="E_BUSY"))

    assert not one.hear(response("done"))
    assert one.outcome(101.0) is Outcome.ERROR


@pytest.mark.parametrize("other", [{"id": "r2"}, {"station": "press-4"}])
def test_an_answer_to_somebody_else_is_none(other: dict[str, str]) -> None:
    one = asking()

    assert not one.hear(response("done", **other))
    assert one.outcome(101.0) is Outcome.WAITING
    assert one.strange == 1


@pytest.mark.parametrize(("heard", "ending"), [([], Outcome.SILENT), (["accepted"], Outcome.UNFINISHED)])
def test_silence_and_not_being_done_are_told_apart(heard: list[str], ending: Outcome) -> None:
    one = asking()
    for phase in heard:
        one.hear(response(phase))

    assert one.outcome(129.9) in (Outcome.WAITING, Outcome.ACCEPTED)
    assert one.outcome(130.0) is ending


def test_it_is_said_again_until_somebody_answers_and_on_each_new_connection() -> None:
    one = asking()
    assert one.is_to_be_said(100.0)
    assert not one.is_to_be_said(100.0)
    assert one.next_s() == 100.0 + REMIND_S
    assert one.is_to_be_said(one.next_s())

    one.hear(response("accepted"))
    assert not one.is_to_be_said(120.0)
    assert one.next_s() == 130.0
    one.reconnected()
    assert one.is_to_be_said(120.0)
    assert one.outcome(130.0) is Outcome.UNFINISHED
