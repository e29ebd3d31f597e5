"""What the station says of itself to the console: its states, as docs/uplink.md describes them."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from edge_agent.agent.agent import Agent
from edge_agent.agent.status import Trouble
from edge_agent.commands import COMMANDS
from edge_agent.runtime.machine import cores, processor
from edge_agent.runtime.release import program_version

FAULTS: Final = (
    "disk",
    "lost",
    "damaged",
    "device",
    "gate",
    "camera",
    "component",
    "edges_lost",
    "overdue",
    "reader",
)
"""Kinds of trouble, or what they begin with, by which parts are not judged as they should be; others are a warning."""


class Statements:
    """Gives the states of a running station. Loop thread.

    Args:
        agent: the station.
        troubles: gives what is wrong.
    """

    def __init__(self, agent: Agent, troubles: Callable[[], Sequence[Trouble]]) -> None:
        self._agent = agent
        self._troubles = troubles
        self._since_utc = agent.clock.utc()
        self._hardware = {"machine": platform.machine(), "processor": processor(), "cores": cores()}

    def all(self) -> Mapping[str, Mapping[str, object]]:
        """Give each state by name."""
        return {
            "online": {"online": True, "life": self._agent.life, "since": self._since_utc},
            "info": self._info(),
            "health": {**health_of(self._troubles()), "backlog": self._backlog()},
            "config": msgspec.to_builtins(self._agent.wishes.reported()),
            "model": self._model(),
        }

    def _backlog(self) -> Mapping[str, int]:
        uplink = self._agent.uplink
        return {} if uplink is None else uplink.status().backlog

    def _info(self) -> dict[str, object]:
        return {
            "station": self._agent.holdings.config.station.name,
            "version": program_version(),
            "python": platform.python_version(),
            "hardware": self._hardware,
            "capabilities": {
                "events": 1,
                "commands": sorted(COMMANDS),
                "recipes": list(self._agent.holdings.products.names),
            },
            "keys": [key.id for key in self._agent.trust.all()],
        }

    def _model(self) -> dict[str, object]:
        recipe = self._agent.holdings.recipe
        manifest = recipe.bundle.manifest
        return {
            "active": {"bundle": recipe.bundle.name, "version": manifest.version, "digest": recipe.bundle.digest},
            "recipe": recipe.config.name,
            "knowledge": {product.name: product.recipe.judge.digest for product in self._agent.holdings.products},
        }


def health_of(troubles: Sequence[Trouble]) -> dict[str, object]:
    """Give the health as one word and its reasons.

    Args:
        troubles: what is wrong, worst first.

    Returns:
        The state; it is another one when other kinds of trouble are there.
    """
    kinds = [trouble.kind for trouble in troubles]
    faults = any(kind == fault or kind.startswith(f"{fault}_") for kind in kinds for fault in FAULTS)
    said = [{"kind": t.kind, "message": t.message, "hint": t.hint, "count": t.count} for t in troubles]
    health = "fault" if faults else "warn" if kinds else "ok"
    return {"health": health, "troubles": said, "key": (health, *sorted(kinds))}
