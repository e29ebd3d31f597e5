"""A running station: the joined objects, their life from start to stop, and what they say of themselves.

`app.build` makes it; the process, the demo and the bench run it. It decides nothing about parts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Final

from edge_agent.agent.health import Memory
from edge_agent.agent.line import Line
from edge_agent.agent.status import Status, Trouble
from edge_agent.agent.teacher import Teacher
from edge_agent.agent.troubles import troubles_of
from edge_agent.api import ApiServer
from edge_agent.desired import Wishes
from edge_agent.desired.store import fingerprint
from edge_agent.errors import EdgeAgentError
from edge_agent.holdings import Holdings
from edge_agent.inspection.encoders import Encoders, Evictions
from edge_agent.inspection.inspector import Inspector
from edge_agent.journal import Desk, Journal
from edge_agent.ledger import Misses
from edge_agent.records import Embedding, Frame, Part, VibrationWindow
from edge_agent.runtime.background import Background, Chore
from edge_agent.runtime.calls import Calls
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.custody import LESSON, Custody
from edge_agent.runtime.loop import Loop
from edge_agent.runtime.release import program_version
from edge_agent.runtime.supervisor import ComponentStatus, State, Supervisor
from edge_agent.runtime.timekeeping import synchronised
from edge_agent.runtime.watchdog import Watchdog
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.timetable import Timetable
from edge_agent.sources.source import Position
from edge_agent.trust.keys import Trust
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.uplink import Uplink

STOP_TIMEOUT_S: Final = 5.0
"""One deadline for everything that has to end; systemd waits longer (TimeoutStopSec in the unit)."""


class Agent:
    """Holds what `app.build` joins, and sets where one of them needs another.

    Attributes:
        on_stop: called first when the agent closes, for whoever holds something up.
        outbox: says how far the console knows what happened; for the way to it, where there is one.
        say: publishes a message, without ever blocking, False without room; for the way to the console.
        acknowledge: tells the broker that a message is safe here; the same.
        life: of this run; another one after each start.
        custody: knows who holds pictures and windows.
        restarts: somebody wants the station to begin anew once it has ended.
        uplink: the way to the console; None without one.

    Args:
        clock: tells the time.
        loop: steps every component.
        calls: has the loop run what other threads post.
        holdings: products, ledger and evidence.
        line: where parts come from, and what sorts them.
        dispatcher: encodes.
        background: does chores.
        evictions: counts the bundles that were let go for room.
        timetable: knows what the parts of the bundles take.
    """

    journal: Journal
    desk: Desk
    trust: Trust
    wishes: Wishes
    inspector: Inspector
    memory: Memory
    teacher: Teacher
    api: ApiServer
    watchdog: Watchdog
    supervisor: Supervisor

    def __init__(
        self,
        *,
        clock: Clock,
        loop: Loop,
        calls: Calls,
        holdings: Holdings,
        line: Line,
        dispatcher: Dispatcher[Encoders, Embedding],
        background: Background,
        evictions: Evictions,
        timetable: Timetable,
    ) -> None:
        self.clock = clock
        self.loop = loop
        self.calls = calls
        self.holdings = holdings
        self.line = line
        self.source = line.source
        self.dispatcher = dispatcher
        self.background = background
        self.evictions = evictions
        self.timetable = timetable
        self.on_stop: Callable[[], None] = lambda: None
        self.outbox: Callable[[], object] = lambda: {"broker": ""}
        self.say: Callable[[Outgoing], bool] = lambda outgoing: False
        self.acknowledge: Callable[[Inbound], None] = lambda inbound: None
        self.life = secrets.token_hex(8)
        self.custody = Custody()
        self.restarts = False
        self.uplink: Uplink | None = None
        self.evidence_dropped = 0
        self._started_s = clock.now()
        self._opened = False
        self._waits = False
        self._found: Position | None = None

    @cached_property
    def configuration(self) -> str:
        """Digest of what the station was started with."""
        return fingerprint(self.holdings.config)

    def open_source(self) -> None:
        """Open the source; declare the triggers that the life before, or an outage, left unanswered."""
        if self._opened:
            self._reopen_source()
            return
        found = self.source.open()
        found = self._found = self._found or found
        now = self.source.position()
        self.inspector.begin(found if now.series == found.series else Position(now.series, 0))
        misses = self._unanswered(found)
        self._opened = True
        for missed in misses:
            self.holdings.ledger.offer(missed)
        if misses:
            count = sum(missed.last - missed.first + 1 for missed in misses)
            last = misses[-1]
            message = f"{count} triggers up to number {last.last} of {last.series} have no answer on record: missed"
            self.holdings.note("warning", "source", "restart_misses", message, triggers=count)

    def _reopen_source(self) -> None:
        self.inspector.step(self.clock.now())  # what was delivered before is not lost
        found = self.source.open()
        if count := self.inspector.resume(found):
            message = f"{count} triggers up to number {found.number} of {found.series} passed meanwhile: missed"
            self.holdings.note("warning", "source", "outage_misses", message, triggers=count)

    def _unanswered(self, found: Position) -> list[Misses]:
        """Give the triggers without a row: of the count that was found, and of the one before where that has ended."""
        with self.holdings.reader() as reader:
            counts = [found] if found.number else []
            before = reader.last_series()
            if before is not None and before != found.series:
                counts.insert(0, Position(before, reader.last_number(before)))
            recipe = self.holdings.recipe.config.name
            return [m for count in counts for m in reader.unanswered(count.series, count.number, "restart", recipe)]

    def keep(self, part: Part, frame: Frame | None, window: VibrationWindow | None) -> None:
        """Keep the part's evidence in the background, where the configuration says so; show it to the teacher."""
        holder = LESSON if self.teacher.saw(part, frame, window) else ""
        if self.holdings.keeps(part):
            if self.background.submit(Chore(lambda: self.holdings.keep(part, frame, window), self._kept)):
                holder = holder or "evidence"
            else:
                self.evidence_dropped += 1
        for data in (None if frame is None else frame.image, None if window is None else window.samples):
            if data is not None and holder:
                self.custody.hand(data, holder, self.clock.now())

    def component_changed(self, status: ComponentStatus) -> None:
        """Record what became of a component."""
        self._waits = self._waits or (status.name == "source" and status.state is State.WAITING)
        if status.state is State.WAITING or status.state is State.FAILED:
            message = f"{status.name}: {status.last_error}"
            severity = "warning" if status.state is State.WAITING else "error"
            self.holdings.note(severity, status.name, "component_failed", message, restarts=status.restarts)

    def trouble_found(self, trouble: Trouble) -> None:
        """Record what has become wrong."""
        self.holdings.note("warning", "health", trouble.kind, trouble.message)

    @property
    def is_up(self) -> bool:
        """The source has been opened: parts are judged."""
        return self._opened

    @property
    def is_settled(self) -> bool:
        """The source has been opened, or waits for something that may come: there is nothing to wait for at a start."""
        return self._opened or self._waits

    def is_done(self) -> bool:
        """The source has ended and every part of it was answered and recorded."""
        return (
            self.is_up
            and self.source.finished()
            and not self.inspector.in_flight
            and not self.source.items.stats().waiting
        )

    def run(self) -> int:
        """Run until `loop.stop` or until there is no going on; give the exit code."""
        self.supervisor.step(self.clock.now())
        self.loop.run()
        return 0 if self.supervisor.ending is None else self.supervisor.ending.exit_code

    def restart(self) -> None:
        """End, to begin anew in the same process."""
        self.restarts = True
        self.loop.stop()

    def close(self) -> tuple[str, ...]:
        """Answer what is in flight, commit it and stop; give the components that did not end in time."""
        self.on_stop()
        unclean = self.supervisor.stop(self.clock.now() + STOP_TIMEOUT_S)
        if self.supervisor.ending is None:
            self.wishes.ended()
        return unclean if self.holdings.close() else (*unclean, "ledger")

    def status(self) -> Status:
        """Say how everything is, but for what the database knows."""
        holdings, recipe = self.holdings, self.holdings.recipe
        position = self.source.position() if self._opened else Position("", 0)
        background = self.background.status()
        boxes = {
            "calls": self.calls.stats(),
            "api": self.api.stats(),
            "items": self.source.items.stats(),
            "commits": holdings.ledger.mailbox(),
        }
        if self.line.wire is not None:
            boxes["frames"] = self.line.wire.frames.stats()
            boxes["reports"] = self.line.wire.reports.stats()
            boxes["news"] = self.line.wire.news.stats()
        if self.uplink is not None:
            boxes.update(self.uplink.mailboxes())
        if background is not None:
            boxes[background.name] = background.jobs
        status = Status(
            station=holdings.config.station.name,
            version=program_version(),
            up_s=self.clock.now() - self._started_s,
            recipe=recipe.config.name,
            recipes=holdings.products.names,
            bundle=f"{recipe.bundle.name} {recipe.bundle.manifest.version}",
            knowledge={slug: recipe.learned.knowledge.samples(slug) for slug in recipe.learned.knowledge.classes},
            calibration=len(recipe.learned.calibration),
            strength=recipe.judge.strength,
            promise=recipe.judge.promise(),
            teaching=self.teacher.progress,
            source=self.source.name,
            series=position.series,
            number=position.number,
            finished=self.source.finished(),
            feed=self.source.stats(),
            in_flight=self.inspector.in_flight,
            inspection=replace(self.inspector.counts),
            pairing=replace(self.inspector.pairing_counts),
            dispatch=self.dispatcher.status(self.clock.now()),
            part_times=self.timetable.rows(),
            memory_mb=self.memory.mb,
            memory_limit_mb=holdings.config.engine.memory_mb,
            evicted=self.evictions.count,
            background=background,
            ledger=holdings.ledger.status(),
            evidence=holdings.evidence.status(),
            evidence_dropped=self.evidence_dropped,
            mailboxes=boxes,
            steps=self.loop.report(),
            components=self.supervisor.status(),
            wire=None if self.line.wire is None else self.line.wire.status(),
            gate=None if self.line.gate is None else self.line.gate.status(),
            cameras=tuple(camera.stats() for camera in self.line.cameras),
            uplink=None if self.uplink is None else self.uplink.status(),
            clock_synchronised=synchronised(),
            custody=self.custody.status(self.clock.now()),
        )
        return replace(status, troubles=tuple(troubles_of(status)))

    def _kept(self, result: str | EdgeAgentError) -> None:
        self.evidence_dropped += isinstance(result, EdgeAgentError)
