"""The scheduler's decisions are measured on what is said: so many wait, and lanes do as many together as they may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from edge_agent.bench import deciding
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.job import H, R


def test_as_many_wait_as_are_said_and_batches_are_full(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []

    class Watched(Dispatcher[H, R]):
        def _give(self, lane: Any, tickets: Sequence[Any], now: float, *, hurried: bool = False) -> None:
            given.append((len(tickets), len(self._urgent)))
            super()._give(lane, tickets, now, hurried=hurried)

    monkeypatch.setattr(deciding, "Dispatcher", Watched)
    report = deciding.decide(waiting=20, decisions=10)
    assert (report.waiting, report.decisions, report.together) == (20, 10, 8)
    assert given[-10:] == [(8, 12)] * 10
    one_by_one = [(count, left) for count, left in given if count == 1]
    assert one_by_one.count((1, 19)) >= 10
    assert all(span.p50_ms > 0 for span in (report.submit, report.next, report.batch))
