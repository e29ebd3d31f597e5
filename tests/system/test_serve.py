"""What the process does around an agent: what a started one keeps is not collected, and is let go before the next."""

from __future__ import annotations

import gc
import time
from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.__main__ import _serve_once
from edge_agent.runtime.garbage import let_go

pytestmark = pytest.mark.system

PATIENCE_S = 10.0


class Started:
    """An agent that ends when the collector looks no more at what there is."""

    is_settled = True
    restarts = False
    loop = SimpleNamespace(stop=lambda: None)
    supervisor = SimpleNamespace(ending=None)

    def __init__(self) -> None:
        self.frozen_before = gc.get_freeze_count()
        self.frozen = 0

    def run(self) -> int:
        until = time.monotonic() + PATIENCE_S
        while not self.frozen and time.monotonic() < until:
            self.frozen = gc.get_freeze_count()
            time.sleep(0.01)
        return 0

    def close(self) -> tuple[str, ...]:
        return ()


def test_what_a_started_station_keeps_is_let_go_before_it_begins_anew() -> None:
    agents: list[Any] = []

    def make() -> Any:
        agents.append(Started())
        return agents[-1]

    try:
        assert [_serve_once(make) for _ in range(2)] == [(0, False)] * 2
    finally:
        let_go()
    assert [agent.frozen_before for agent in agents] == [0, 0]
    assert all(agent.frozen > 1000 for agent in agents)
