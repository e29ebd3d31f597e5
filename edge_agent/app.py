"""The composition root: builds every object of a running station from its configuration and joins them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from edge_agent.agent import Agent
from edge_agent.agent.answers import Answers
from edge_agent.agent.health import EndOfLine, Health, Memory
from edge_agent.agent.line import SourceSeat, line_of
from edge_agent.agent.outward import desires_of, uplink_of
from edge_agent.agent.placed import may_stand_by, ways_of
from edge_agent.agent.prover import Prover
from edge_agent.agent.selfanswers import StationAround
from edge_agent.agent.statements import Statements
from edge_agent.agent.teacher import Teacher
from edge_agent.api import Access, ApiServer
from edge_agent.commands import Privilege
from edge_agent.config import Config
from edge_agent.desired import Desired, Prospect, Wishes
from edge_agent.engines import LoadEngines, load_engines
from edge_agent.holdings import Holdings
from edge_agent.inspection.act import RejectOutput
from edge_agent.inspection.encoders import Encoders, Evictions
from edge_agent.inspection.headstart import HeadStart
from edge_agent.inspection.inspected import Inspected
from edge_agent.inspection.inspector import Inspector
from edge_agent.journal import Counter, Desk, Journal
from edge_agent.ledger import JournalReader
from edge_agent.ledger.writer import BACKLOG_PARTS
from edge_agent.records import Embedding, Part
from edge_agent.runtime import systemd
from edge_agent.runtime.background import Background
from edge_agent.runtime.budget import RestartBudget
from edge_agent.runtime.calls import Calls
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.disk import RealDisk
from edge_agent.runtime.loop import Component, Loop
from edge_agent.runtime.machine import MemoryGauge
from edge_agent.runtime.supervisor import Entry, Supervisor
from edge_agent.runtime.watchdog import Watchdog
from edge_agent.scheduler.dispatcher import Dispatcher
from edge_agent.scheduler.timetable import Timetable
from edge_agent.sources.feed import Supply
from edge_agent.trust.keys import Trust
from edge_agent.uplink.courier import Hearers
from edge_agent.uplink.message import Door
from edge_agent.uplink.topics import Topics
from edge_agent.uplink.uplink import Uplink

WATCHDOG_PERIOD_S: Final = 5.0
"""How often systemd is told, where it does not ask for more."""


def build(
    config: Config,
    *,
    desired: Desired | None = None,
    clock: Clock | None = None,
    supply: Supply | None = None,
    output: RejectOutput | None = None,
    told: Callable[[Part], None] = lambda part: None,
    load: LoadEngines = load_engines,
    door: Door | None = None,
    ahead: HeadStart | None = None,
) -> Agent:
    """Open the station's state and join it to a source, its devices and an output.

    Args:
        config: the resolved configuration.
        desired: what the console wants of it; None where it is not of a file.
        clock: tells the time.
        supply: delivers parts instead of the configured source.
        output: sorts parts.
        told: hears every recorded part, on the loop thread.
        load: loads the parts of the bundle.
        door: leads to a broker instead of the configured one.
        ahead: has begun to load what judges; None where nobody has.

    Returns:
        An agent that is ready to run.

    Raises:
        ConfigError: a person must change something.
        Unavailable: another agent uses the state directory, or the disk fails.
    """
    clock = clock or SystemClock()
    loop = Loop(clock)
    calls = Calls(loop.poke, receipts=BACKLOG_PARTS + 2 * config.ledger.commit_queue)
    loop.add(calls)  # before the station: the ledger answers what that writes at its start
    early: list[tuple[str, Exception]] = []

    def failed(name: str, error: Exception) -> None:
        if loop.on_error is None:
            early.append((name, error))
        else:
            loop.on_error(name, error)

    holdings = Holdings(config, clock, post=calls.post, on_error=failed)
    try:
        agent = _joined(holdings, desired, clock, loop, calls, supply, output, told, load, door, ahead)
        for name, error in early:
            agent.supervisor.failed(name, error)
        return agent
    except BaseException:
        holdings.close()
        raise


def _joined(
    holdings: Holdings,
    desired: Desired | None,
    clock: Clock,
    loop: Loop,
    calls: Calls,
    supply: Supply | None,
    output: RejectOutput | None,
    told: Callable[[Part], None],
    load: LoadEngines,
    door: Door | None,
    ahead: HeadStart | None,
) -> Agent:
    config = holdings.config
    inspected = [Inspected(p.recipe.config, p.recipe.bundle, p.recipe.judge) for p in holdings.products]
    bundles = list({product.bundle.digest: product.bundle for product in inspected}.values())
    evictions = Evictions()
    state_dir = Path(config.station.state_dir)
    background = Background(clock, loop.poke)

    def noted(severity: str, kind: str, said: str, data: dict[str, object]) -> None:
        holdings.note(severity, "dispatcher", kind, said, **data)

    timetable = Timetable(RealDisk(state_dir), clock, background.submit, noted)
    dispatcher = Dispatcher[Encoders, Embedding](
        ways_of(
            bundles,
            config.engine,
            state_dir,
            evictions,
            timetable,
            load,
            lambda text: holdings.note("info", "dispatcher", "placed", text),
            ahead,
        ),
        clock,
        loop.poke,
        config.engine.timeout_ms / 1e3,
        lambda way: may_stand_by(config.engine),
        noted,
    )
    line = line_of(config, clock, loop, holdings, supply, output)
    agent = Agent(
        clock=clock,
        loop=loop,
        calls=calls,
        holdings=holdings,
        line=line,
        dispatcher=dispatcher,
        background=background,
        evictions=evictions,
        timetable=timetable,
    )
    agent.inspector = inspector = Inspector(
        source=line.source,
        limits=config.pairing,
        encoding=dispatcher,
        ledger=holdings.recorder,
        output=line.output,
        products=inspected,
        clock=clock,
        keep=agent.keep,
        told=told,
        custody=agent.custody,
    )
    agent.teacher = teacher = Teacher(holdings, dispatcher, background, inspector.judge_by, loop.poke)
    agent.memory = memory = Memory(background, MemoryGauge(clock))
    agent.trust = Trust(
        Path(config.uplink.trusted),
        lambda why: holdings.note("error", Trust.name, "trust_damaged", f"no key is trusted: {why}"),
    )
    handlers = Answers(agent).handlers
    agent.journal = journal = Journal(config.station.name, handlers, StationAround(agent), clock, loop.poke)
    agent.desk = desk = Desk(
        config.station.name,
        Topics(config.uplink.root, config.station.name),
        journal,
        handlers,
        agent.trust,
        StationAround(agent),
        lambda outgoing: agent.say(outgoing),
        lambda inbound: agent.acknowledge(inbound),
        clock,
    )
    with JournalReader(Path(config.station.state_dir)) as reader:
        desk.load(reader.unsettled(), reader.newest_issued())
    access = Access(config.api.operators, config.api.readers)
    agent.api = api = ApiServer(
        Path(config.api.socket), Counter(journal, clock).handlers(handlers), loop.poke, clock, access
    )
    health = Health(agent.status, agent.trouble_found, lambda stage, now: watchdog.progressed(stage, now))
    stages = {"loop": config.watchdog.stall_s, "dispatcher": config.watchdog.stall_s, "ledger": config.watchdog.stall_s}
    period_s = min(WATCHDOG_PERIOD_S, systemd.watchdog_period_s() or WATCHDOG_PERIOD_S)
    agent.watchdog = watchdog = Watchdog(stages, systemd.notify, clock.now(), period_s, health.summary)
    end = EndOfLine(agent.is_done, loop.stop)
    agent.wishes = wishes = Wishes(
        desired,
        config,
        lambda envelope, topic: agent.trust.open(envelope, topic, Privilege.ADMINISTER),
        background,
        clock,
        line=Prospect(
            is_up=lambda: agent.is_up,
            triggers=lambda: inspector.counts.triggers,
            judged=lambda: inspector.counts.judged,
            is_idle=lambda: agent.is_settled and not inspector.in_flight,
        ),
        restart=agent.restart,
        note=lambda severity, kind, message: holdings.note(severity, Wishes.name, kind, message),
        poke=loop.poke,
    )
    told_to: list[Uplink] = []
    if config.uplink.broker:
        hearers = Hearers(lambda: loop.poke(Uplink.name), lambda name, error: agent.supervisor.failed(name, error))
        trusted = partial(agent.trust.keys, "acknowledge")
        agent.uplink = uplink = uplink_of(config, clock, holdings.ledger, trusted, hearers, door)
        uplink.states = Statements(agent, lambda: health.troubles).all
        uplink.requests, uplink.delivered, uplink.connected = desk.requests, desk.delivered, desk.connected
        uplink.say_again = desk.say_again
        agent.say, agent.acknowledge, agent.outbox = uplink.say, uplink.acknowledge, uplink.status
        uplink.desired = desires_of(wishes, uplink)
        told_to = [uplink]
    components: tuple[Component, ...] = (
        dispatcher,
        background,
        timetable,
        inspector,
        teacher,
        Prover(dispatcher, loop.poke),
        memory,
        journal,
        api,
        health,
        watchdog,
        end,
        agent.trust,
        wishes,
        SourceSeat(line.source),
        *line.components,
        *told_to,
    )
    for component in components:
        loop.add(component)
    entries = (
        Entry("dispatcher", dispatcher.open, dispatcher.close, RestartBudget.for_ever(), dispatcher.join),
        Entry("background", background.open, background.close, join=background.join),
        Entry("timetable", lambda: None, timetable.close),
        *line.entries,
        Entry("inspection", lambda: None, inspector.close),
        Entry(
            "source",
            agent.open_source,
            line.source.close,
            line.budget,
            line.source.join,
            when=lambda: dispatcher.settled and line.ready,
        ),
        Entry("api", api.open, api.close, RestartBudget.for_ever(), api.join),
        *(Entry(u.name, u.open, u.close, RestartBudget.for_ever(), u.join) for u in told_to),
    )
    agent.supervisor = supervisor = Supervisor(entries, loop, agent.component_changed)
    loop.add(supervisor)
    loop.on_error = supervisor.failed
    return agent
