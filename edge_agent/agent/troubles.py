"""What is wrong with a station, in sentences that a person can act on. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil

from edge_agent.agent.status import Status, Trouble
from edge_agent.inspection.gate import BYPASSED
from edge_agent.runtime.custody import LESSON
from edge_agent.runtime.loop import STEP_BUDGET_S
from edge_agent.sources.camera.account import CameraState
from edge_agent.uplink.account import UplinkStatus
from edge_agent.uplink.message import NOBODY

SLOW_SHARE = 0.01
"""A component is slow when more of its steps than this were over the budget: one long step happens to anybody."""

UNTROUBLED = frozenset({"done", "cancelled", BYPASSED})
"""Words for what the gate did as it should."""

BEHIND_S = 3600.0
"""A console that is connected and lacks what is older than this does not keep up [s]."""

HELD = 64
"""Old pictures and windows that are no leak: those that wait for a trigger while the line stands, and more."""

STARVED_S = 60.0
"""Background work that waits longer than this does not get done [s]."""

CERTIFICATE_DAYS = 30.0
"""Whoever signs certificates is told so long before one ends [days]."""


def troubles_of(status: Status) -> Iterator[Trouble]:
    """Say what is wrong, worst first."""
    yield from _ledger_troubles(status)
    yield from _gate_troubles(status)
    for camera in status.cameras:
        if camera.state in (CameraState.LOST, CameraState.FAILED):
            yield Trouble(
                f"camera_{camera.name}",
                f"camera {camera.name} is {camera.state}: {camera.reason}",
                "it is tried again by itself; see docs/cameras.md",
                camera.lost,
            )
    yield from _device_troubles(status)
    for component in status.components:
        if component.last_error and component.state != "running":
            yield Trouble(
                f"component_{component.name}",
                f"{component.name} is {component.state}: {component.last_error}",
                component.hint,
            )
    if not status.knowledge:
        yield Trouble(
            "untaught",
            "nothing has been taught: every part is UNSURE",
            "teach good parts: edge-agent teach good FOLDER",
        )
    elif not status.calibration:
        yield Trouble(
            "uncalibrated",
            "no good parts are held out: no part can be OK",
            "teach good parts: edge-agent teach good FOLDER",
        )
    elif status.promise.held_out and status.promise.possible > status.promise.asked:
        promise = status.promise
        missing = ceil(1 / promise.asked) - 1 - promise.held_out
        yield Trouble(
            "few_held_out",
            f"of {promise.held_out} held-out good parts: at best {100 * promise.possible:.2g} % of good parts found "
            f"not normal can be promised, not {100 * promise.asked:g} %; what lies outside is mostly UNSURE",
            f"teach {2 * missing} more good parts: every second is held out",
        )
    yield from _flow_troubles(status)
    if status.clock_synchronised is None:
        yield Trouble(
            "clock_unknown",
            "the kernel may not be asked whether something keeps the clock right: no command runs out by it",
            "the service must allow adjtimex: see packaging/edge-agent.service",
        )
    if status.uplink is not None:
        yield from _uplink_troubles(status.uplink, status.ledger.untold)


def _ledger_troubles(status: Status) -> Iterator[Trouble]:
    ledger = status.ledger
    if ledger.failing_since_utc is not None:
        yield Trouble(
            "disk",
            f"the ledger cannot be written: {ledger.reason}; {ledger.waiting} parts wait",
            "check the disk of the state directory",
        )
    if ledger.lost:
        yield Trouble(
            "lost",
            f"{ledger.lost} parts could not be recorded since the start; they are declared as missed",
            "see edge-agent events",
            ledger.lost,
        )
    if ledger.damaged:
        yield Trouble("damaged", f"a damaged ledger was kept as {ledger.damaged}", "keep it for a specialist")


def _gate_troubles(status: Status) -> Iterator[Trouble]:
    wire, gate = status.wire, status.gate
    if wire is None or gate is None:
        return
    if gate.bypassed:
        count = gate.fates.get(BYPASSED, 0)
        yield Trouble(
            "gate_bypassed",
            f"the reject gate is bypassed: every part passes; {count} should have been rejected since the start",
            "let it follow the station again: edge-agent gate follow",
        )
    if wire.state == "up" and not wire.armed:
        yield Trouble("gate_safe", "the reject gate is at its safe level", "see edge-agent events for why")
    failed = {fate: count for fate, count in gate.fates.items() if fate not in UNTROUBLED}
    if failed:
        said = ", ".join(f"{count} {fate}" for fate, count in sorted(failed.items()))
        yield Trouble(
            "gate",
            f"the reject gate did not move for {sum(failed.values())} parts since the start: {said}",
            "docs/gate.md says what each word means",
            sum(failed.values()),
        )
    for kind, count, what, hint in (
        ("edges_lost", wire.edges_lost, "triggers never arrived over the wire", "see the cable of the microcontroller"),
        ("samples_lost", wire.samples_lost, "samples were lost on the wire", "see the cable of the microcontroller"),
        (
            "samples_dropped",
            wire.samples_dropped,
            "samples were dropped by the microcontroller",
            "is the wire too slow?",
        ),
    ):
        if count:
            yield Trouble(kind, f"since the start {count} {what}", hint, count)


def _device_troubles(status: Status) -> Iterator[Trouble]:
    dispatch = status.dispatch
    faults = [lane for lane in dispatch.lanes if lane.reason]
    if not dispatch.ready:
        said = "; ".join(lane.reason for lane in faults)
        yield Trouble(
            "device",
            f"nothing can judge: {said}" if said else "nothing can judge yet: the bundle is loading",
            "each device is tried again by itself; another one: [engine] runtime and device" if said else "",
        )
    else:
        for lane in faults:
            yield Trouble(
                f"device_{lane.name}",
                f"{lane.name} is not used: {lane.reason}",
                f"{dispatch.in_use} judges meanwhile; the device is tried again by itself",
            )
    if dispatch.background_oldest_s > STARVED_S:
        yield Trouble(
            "starved",
            f"background work has waited for {dispatch.background_oldest_s:.0f} s: the parts leave no time for it",
            "slow the line down, or raise engine.threads, or choose another engine.device",
        )
    if status.memory_mb is not None and status.memory_mb > status.memory_limit_mb:
        yield Trouble(
            "memory",
            f"{status.memory_mb:.0f} MB are used, {status.memory_limit_mb:.0f} MB are allowed",
            "nothing stands in warm for a device that fails; allow more: [engine] memory_mb",
        )


def _flow_troubles(status: Status) -> Iterator[Trouble]:
    leaking = {holder: count for holder, count in status.custody.old.items() if holder != LESSON}
    if sum(leaking.values()) > HELD:
        said = ", ".join(f"{count} by {holder}" for holder, count in sorted(leaking.items()))
        yield Trouble(
            "held",
            f"pictures and windows stay in memory though their parts are done: {said}",
            "a restart lets them go; report what edge-agent status --json says under custody",
        )
    for name, box in status.mailboxes.items():
        if box.dropped or box.refused:
            yield Trouble(
                f"mailbox_{name}",
                f"mailbox {name} was full: {box.dropped} dropped, {box.refused} refused of {box.put} since the start",
                "the station is too slow for the line: see latencies",
                box.dropped + box.refused,
            )
    for step in status.steps:
        if step.worst_s > 10 * STEP_BUDGET_S and step.over_budget > SLOW_SHARE * step.steps:
            yield Trouble(
                f"slow_{step.name}",
                f"component {step.name} once took {step.worst_s * 1e3:.0f} ms in one step, "
                f"{step.over_budget} of {step.steps} steps since the start more than {STEP_BUDGET_S * 1e3:.0f} ms",
                "the machine may be too busy",
                step.over_budget,
            )
    counts = status.inspection
    for kind, count, what in (
        ("overdue", counts.overdue, "parts were answered after their deadline"),
        ("late", counts.late, "parts became UNSURE because the answer took too long"),
        ("overloaded", counts.overloaded, "parts became UNSURE because no device could take them"),
        ("recipe", counts.unknown, "parts became UNSURE because their recipe is not there"),
        ("clock", counts.untimed, "parts became UNSURE because their trigger's time was not known well enough"),
        ("evicted", status.evicted, "bundles were let go for another one: engine.memory_mb has no room for both"),
        ("committed_late", counts.committed_late, "parts were acted on before the disk had them"),
        ("evidence", status.evidence_dropped, "parts could not keep their picture and vibration window"),
        ("source_late", status.feed.late, "items came late from the source: the machine is too busy for its pace"),
        ("source_unsaved", status.feed.unsaved, "trigger numbers could not be written down by the source"),
        ("source_unusable", status.feed.unusable, "recorded files could not be used"),
        ("uncertain", status.pairing.uncertain, "frames or windows came with too uncertain a time"),
    ):
        if count:
            yield Trouble(kind, f"since the start {count} {what}", "see latencies and edge-agent events", count)


def _uplink_troubles(uplink: UplinkStatus, untold: int) -> Iterator[Trouble]:
    if not uplink.protocol and uplink.since_utc is not None:
        since = datetime.fromtimestamp(uplink.since_utc, UTC)
        yield Trouble(
            "uplink_down",
            f"no connection to {uplink.broker} since {since:%Y-%m-%d %H:%M:%S} UTC: {uplink.reason}",
            "it is tried again by itself, and nothing is lost; see [uplink] broker",
        )
    elif uplink.behind_s > BEHIND_S:
        yield Trouble(
            "uplink_behind",
            f"the console lacks what is {uplink.behind_s / 3600:.1f} h old, {sum(uplink.backlog.values())} facts",
            "is the console running? A backlog takes its time: [uplink] backlog_per_s",
        )
    for kind, reason in uplink.waits.items():
        if reason == NOBODY:
            yield Trouble("uplink_unheard", f"nobody at the broker listens to evt/{kind}", "start the console")
        else:
            yield Trouble(
                "uplink_refused",
                f"the broker refuses evt/{kind} with reason 0x{reason:02x}; it waits and is tried again",
                "see the broker's access rules, and docs/uplink.md",
            )
    days = uplink.certificate_days
    if days is not None and days < CERTIFICATE_DAYS:
        yield Trouble(
            "certificate",
            "the station's certificate "
            + ("has expired: brokers refuse it" if days < 0 else f"ends in {days:.0f} days"),
            "edge-agent identity renew FILE, have it signed, edge-agent identity install FILE",
        )
    if uplink.reader:
        yield Trouble("uplink_reader", f"nothing can be told: {uplink.reader}", "check the disk of the state directory")
    for word, count, said in (
        ("uplink_unsendable", uplink.set_aside, "facts were set aside since the start, because no broker takes them"),
        ("uplink_gap", untold, "parts were deleted since the start before the console had them: ledger.max_mb"),
        ("uplink_ack", uplink.acks_refused, f"words of the console were not obeyed since the start: {uplink.last_ack}"),
        ("uplink_inbound", uplink.refused_inbound, "messages found no room since the start; they come again"),
        ("uplink_unsent", uplink.unsent, "states or responses were refused by the broker since the start"),
    ):
        if count:
            yield Trouble(word, f"{count} {said}", "see docs/uplink.md", count)
