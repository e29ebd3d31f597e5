"""The state of a running station at one moment, and what is wrong with it in sentences a person can act on.

Values and pure functions; `agent.py` collects, the local API carries, the command line shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_agent.inspection.inspector import InspectionCounts
from edge_agent.inspection.pairing import PairingCounts
from edge_agent.ledger import Latency, LedgerStatus
from edge_agent.ledger.pictures import PicturesStatus
from edge_agent.runtime.loop import STEP_BUDGET_S, StepTimes
from edge_agent.runtime.mailbox import MailboxStats
from edge_agent.runtime.supervisor import ComponentStatus
from edge_agent.runtime.worker import WorkerStatus
from edge_agent.sources.feed import FeedStats

SLOW_SHARE = 0.01
"""A component is slow when more of its steps than this were over the budget: one long step happens to anybody."""


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong.

    Attributes:
        kind: one machine-readable word.
        message: what is wrong, with the values.
        hint: what a person can do.
        count: how often it has happened since the start; 0 where that says nothing.
    """

    kind: str
    message: str
    hint: str = ""
    count: int = 0


@dataclass(frozen=True)
class Status:
    """Everything a person may ask a running station; times are host monotonic [s] unless they end in `_utc`.

    Attributes:
        station: its name.
        version: of the program.
        up_s: how long it has been running [s].
        recipe: name of the recipe.
        bundle: name and version of the bundle.
        knowledge: samples known of each class.
        calibration: held-out good parts.
        teaching: the class being taught, encodings done and in all.
        source: name of the source.
        series: the source's count.
        number: triggers counted so far.
        finished: the source has delivered its last part.
        feed: what the source did.
        in_flight: parts between trigger and action.
        inspection: what the inspector has seen.
        pairing: what did not simply pair.
        ready: the device has loaded and proven the bundle.
        device: the device's worker.
        background: the background worker.
        ledger: the ledger.
        pictures: the kept pictures.
        pictures_dropped: pictures that were not kept because there was too much to do, or the disk failed.
        mailboxes: every bounded queue by name.
        steps: how long each component's steps took.
        components: what the supervisor keeps running.
        parts: recorded parts by outcome; empty when the ledger cannot be read.
        latencies: of the last parts.
        troubles: what is wrong.
    """

    station: str
    version: str
    up_s: float
    recipe: str
    bundle: str
    knowledge: dict[str, int]
    calibration: int
    teaching: tuple[str, int, int] | None
    source: str
    series: str
    number: int
    finished: bool
    feed: FeedStats
    in_flight: int
    inspection: InspectionCounts
    pairing: PairingCounts
    ready: bool
    device: WorkerStatus | None
    background: WorkerStatus | None
    ledger: LedgerStatus
    pictures: PicturesStatus
    pictures_dropped: int
    mailboxes: dict[str, MailboxStats]
    steps: tuple[StepTimes, ...]
    components: tuple[ComponentStatus, ...]
    parts: dict[str, int] = field(default_factory=dict)
    latencies: tuple[Latency, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def troubles_of(status: Status) -> Iterator[Trouble]:
    """Say what is wrong, worst first."""
    yield from _ledger_troubles(status)
    if not status.ready:
        yield Trouble("device", "the device cannot judge: it is loading, or has failed", "see the components below")
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
    yield from _flow_troubles(status)


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


def _flow_troubles(status: Status) -> Iterator[Trouble]:
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
        ("overloaded", counts.overloaded, "parts became UNSURE because the device could not take them"),
        ("committed_late", counts.committed_late, "parts were acted on before the disk had them"),
        ("pictures", status.pictures_dropped, "pictures could not be kept"),
        ("source_late", status.feed.late, "items came late from the source: the machine is too busy for its pace"),
        ("source_unsaved", status.feed.unsaved, "trigger numbers could not be written down by the source"),
        ("source_unusable", status.feed.unusable, "recorded files could not be used"),
        ("uncertain", status.pairing.uncertain, "frames or windows came with too uncertain a time"),
    ):
        if count:
            yield Trouble(kind, f"since the start {count} {what}", "see latencies and edge-agent events", count)
