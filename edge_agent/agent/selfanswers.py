"""What a station answers about itself: who and how it is, whom it trusts, what parts it judged; and how it restarts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_agent.agent.agent import Agent
from edge_agent.api import Handler, Request
from edge_agent.commands import COMMANDS, Resource
from edge_agent.commands.arguments import Identity, Info, PartsArguments, TrustArguments
from edge_agent.errors import EdgeAgentError, Unavailable
from edge_agent.ledger import JournalReader, Receipt, StoredCommand
from edge_agent.ledger.items import Item
from edge_agent.ledger.partpage import parts_page
from edge_agent.records import Event
from edge_agent.runtime.background import Chore
from edge_agent.runtime.release import program_version
from edge_agent.runtime.timekeeping import synchronised
from edge_agent.trust import file as trustfile
from edge_agent.trust import keys as trust


class StationAround:
    """The station as the journal sees it.

    Args:
        agent: the station.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def fingerprint(self, resource: Resource) -> str:
        """Say by a digest what state something is in that commands change; "" for what has none."""
        agent, gate = self._agent, self._agent.line.gate
        look: dict[Resource, Callable[[], str]] = {
            Resource.KNOWLEDGE: agent.holdings.knowledge_state,
            Resource.RECIPE: lambda: agent.holdings.products.in_use.name,
            Resource.GATE: lambda: "bypass" if gate is not None and gate.bypassed else "follow",
            Resource.TRUST: lambda: trustfile.fingerprint(agent.trust.all()),
            Resource.CONFIGURATION: lambda: agent.configuration,
            Resource.STATION: lambda: agent.life,
        }
        return look[resource]() if resource in look else ""

    def found(self, resource: Resource) -> str:
        """Say the same of what the life before left, before this one went on as configured."""
        return self._agent.holdings.found_knowledge if resource is Resource.KNOWLEDGE else self.fingerprint(resource)

    def fingerprints(self) -> dict[str, str]:
        """Give the state of everything that has one."""
        found = {str(resource): self.fingerprint(resource) for resource in Resource}
        return {name: state for name, state in found.items() if state}

    def is_ready(self) -> bool:
        """Say whether commands of the life before can be gone on with."""
        return self._agent.is_settled

    def is_safe(self) -> bool:
        """Say whether nothing is begun that should be ended first: a start, or a part between trigger and action."""
        return self._agent.is_settled and not self._agent.inspector.in_flight

    def is_synchronised(self) -> bool:
        """Say whether something keeps the wall clock right."""
        return synchronised() is True

    def begun_utc(self) -> float:
        """Say when the ledger was begun that knows the ids of commands [s since the epoch]."""
        return self._agent.holdings.ledger.status().begun_utc

    def progress(self) -> object:
        """Say how far a lesson is; None where none is given."""
        progress = self._agent.teacher.progress
        return None if progress is None else {"label": progress[0], "done": progress[1], "of": progress[2]}

    def stored(self, command_id: str) -> StoredCommand | None:
        """Read a command from the ledger; in the background."""
        with JournalReader(Path(self._agent.holdings.config.station.state_dir)) as reader:
            return reader.command(command_id)

    def submit(self, chore: Chore) -> bool:
        """Have something done in the background."""
        return self._agent.background.submit(chore)

    def record(self, item: Item, then: Callable[[Receipt], None]) -> bool:
        """Have the ledger write something."""
        return self._agent.holdings.recorder.offer(item, then)


class SelfAnswers:
    """Answers requests about the station itself; every handler runs on the loop thread.

    Args:
        agent: who is asked.
    """

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._around = StationAround(agent)
        self.handlers: dict[str, Handler] = {
            "info": self._info,
            "parts": self._parts,
            "outbox": self._outbox,
            "identify": self._identify,
            "restart": self._restart,
            "trust": self._trust,
        }

    def _info(self, request: Request, now: float) -> None:
        agent = self._agent
        recipe = agent.holdings.recipe
        request.done(
            Info(
                station=agent.holdings.config.station.name,
                version=program_version(),
                life=agent.life,
                recipe=recipe.config.name,
                recipes=agent.holdings.products.names,
                bundle=f"{recipe.bundle.name} {recipe.bundle.manifest.version}",
                fingerprints=self._around.fingerprints(),
                keys=tuple(key.id for key in agent.trust.all()),
                clock_synchronised=synchronised(),
                commands=tuple(COMMANDS),
                counts={
                    **asdict(agent.journal.counts),
                    **asdict(agent.desk.counts),
                    "read_again": agent.desk.read_again,
                    "untold_dropped": agent.desk.untold_dropped,
                },
            )
        )

    def _parts(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, PartsArguments)
        state_dir = Path(self._agent.holdings.config.station.state_dir)
        request.finish(
            lambda: parts_page(
                state_dir,
                after=arguments.after,
                limit=arguments.limit,
                since_utc=arguments.since,
                until_utc=arguments.until,
                outcome=arguments.outcome,
            )
        )

    def _outbox(self, request: Request, now: float) -> None:
        request.finish(self._agent.outbox)

    def _identify(self, request: Request, now: float) -> None:
        agent, who = self._agent, getattr(request.arguments, "who", "")
        position = agent.source.position() if agent.is_up else None
        identity = Identity(
            agent.holdings.config.station.name,
            program_version(),
            "" if position is None else position.series,
            0 if position is None else position.number,
        )
        said = f"{who} asks which station this is"
        request.record(identity, (Event(agent.clock.utc(), "info", "api", "identified", said, {"who": who}),))

    def _restart(self, request: Request, now: float) -> None:
        """End; whoever asked is answered when the station runs again, by the journal of its next life."""
        who = getattr(request.arguments, "who", "")
        self._agent.holdings.note("info", "api", "restart_asked", f"{who} has the station restart", who=who)
        self._agent.restart()

    def _trust(self, request: Request, now: float) -> None:
        arguments = request.arguments
        assert isinstance(arguments, TrustArguments)
        trusted, holdings = self._agent.trust, self._agent.holdings
        if arguments.to == "list":
            trusted.look()
            request.done(trusted.all())
            return

        def written(result: Any) -> None:
            if isinstance(result, EdgeAgentError):
                request.failed(result)
                return
            trusted.read()
            holdings.record(trust.change_event(arguments, holdings.clock.utc()))
            request.done(trusted.all())

        if not self._agent.background.submit(Chore(lambda: trustfile.change(trusted.path, arguments), written)):
            request.failed(Unavailable("the station has too much to do", hint="ask again in a moment"))
