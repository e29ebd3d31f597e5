"""A running station on the simulated line, inside of the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.agent import Agent
from edge_agent.app import build
from edge_agent.config import Config
from edge_agent.ledger import Reader
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.simline import SimLine
from models.castings import CastingLine


def wait_until(what: Callable[[], bool], seconds: float = 120.0) -> None:
    clock = SystemClock()
    until = clock.now() + seconds
    while not what():
        assert clock.now() < until, "it never came to that"
        clock.wait(threading.Event(), clock.now() + 0.02)


@contextmanager
def turning(agent: Agent) -> Iterator[threading.Thread]:
    """Has the agent's loop turn on a thread of its own; stops and closes it in the end, whatever comes."""
    loop = threading.Thread(target=agent.run)
    loop.start()
    try:
        yield loop
    finally:
        agent.loop.stop()
        loop.join()
        agent.close()
        assert agent.api.join(agent.clock.now() + 60.0)


@contextmanager
def running(settings: Config) -> Iterator[tuple[Agent, Path]]:
    agent = build(settings, supply=SimLine(CastingLine(3), 5.0))
    with turning(agent) as loop:
        wait_until(lambda: agent.is_up or not loop.is_alive())
        assert agent.is_up, f"it ended: {agent.supervisor.ending}"
        yield agent, Path(settings.api.socket)


def judged(state_dir: Path, knowledge: str) -> bool:
    """Say whether a part is on record that was judged by this."""
    with Reader(state_dir) as reader:
        return any(part.knowledge == knowledge for part in reader.parts())
