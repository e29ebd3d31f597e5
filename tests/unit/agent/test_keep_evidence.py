"""Evidence is kept beside the line: as a chore, where the configuration says so, counted when it is not."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ledger_parts import part

from edge_agent.agent import Agent
from edge_agent.errors import Unavailable
from edge_agent.records import Frame, Outcome, VibrationWindow
from edge_agent.runtime.background import Chore
from edge_agent.testing.clock import ManualClock

FRAME = Frame(np.zeros((4, 4, 3), np.uint8), 0.0)
WINDOW = VibrationWindow(np.zeros((8, 3), np.float32), 1000.0, 0.0)


class Bench:
    """An agent whose background only remembers its chores."""

    def __init__(self) -> None:
        self.chores: list[Chore] = []
        self.kept: list[tuple[Any, ...]] = []
        self.accepts = True
        holdings = SimpleNamespace(
            keeps=lambda judged: judged.verdict.outcome is not Outcome.OK,
            keep=lambda *evidence: self.kept.append(evidence) or "digest",
        )
        unused: Any = None
        self.agent = Agent(
            clock=ManualClock(),
            loop=unused,
            calls=unused,
            holdings=holdings,
            line=SimpleNamespace(source=unused),
            dispatcher=unused,
            evictions=unused,
            timetable=unused,
            background=self,
        )
        self.agent.teacher = SimpleNamespace(saw=lambda *evidence: None)

    def submit(self, chore: Chore) -> bool:
        if self.accepts:
            self.chores.append(chore)
        return self.accepts


@pytest.mark.parametrize(("frame", "window"), [(FRAME, WINDOW), (FRAME, None), (None, WINDOW)])
def test_it_is_kept_by_a_chore_and_not_at_once(frame: Frame | None, window: VibrationWindow | None) -> None:
    bench = Bench()
    judged = part(1, outcome=Outcome.NG)
    bench.agent.keep(judged, frame, window)
    before = list(bench.kept)
    (chore,) = bench.chores
    chore.then(chore.run())

    assert before == []
    assert bench.kept == [(judged, frame, window)]
    assert bench.agent.evidence_dropped == 0


@pytest.mark.parametrize(
    ("outcome", "wanted", "holder"),
    [(Outcome.NG, False, "evidence"), (Outcome.OK, True, "teaching"), (Outcome.NG, True, "teaching")],
)
def test_who_has_picture_and_window_from_now_on_is_known(outcome: Outcome, wanted: bool, holder: str) -> None:
    bench = Bench()
    bench.agent.teacher = SimpleNamespace(saw=lambda *evidence: wanted)
    bench.agent.keep(part(1, outcome=outcome), FRAME, WINDOW)

    assert bench.agent.custody.status(0.0).by == {holder: 2}


def test_of_a_part_that_is_not_to_be_kept_no_chore_is_made() -> None:
    bench = Bench()
    bench.agent.keep(part(1, outcome=Outcome.OK), FRAME, WINDOW)

    assert bench.chores == []
    assert bench.agent.evidence_dropped == 0


def test_what_there_is_no_time_for_and_what_the_disk_refuses_is_counted() -> None:
    bench = Bench()
    bench.agent.keep(part(1, outcome=Outcome.UNSURE), FRAME, WINDOW)
    bench.chores[0].then(Unavailable("the disk fails"))
    bench.accepts = False
    bench.agent.keep(part(2, outcome=Outcome.UNSURE), FRAME, WINDOW)

    assert len(bench.chores) == 1
    assert bench.agent.evidence_dropped == 2
