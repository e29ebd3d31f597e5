"""The state of a running station at one moment.

Values; `agent.py` collects, `troubles.py` says what is wrong, the local API carries, the command line shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from edge_agent.inspection.gate import GateStatus
from edge_agent.inspection.inspector import InspectionCounts
from edge_agent.inspection.judge import Promise
from edge_agent.inspection.pairing import PairingCounts
from edge_agent.ledger import Latency, LedgerStatus
from edge_agent.ledger.evidence import EvidenceStatus
from edge_agent.proportion import Proportion, exact
from edge_agent.records import Outcome, Part
from edge_agent.runtime.custody import CustodyStatus
from edge_agent.runtime.loop import StepTimes
from edge_agent.runtime.mailbox import MailboxStats
from edge_agent.runtime.supervisor import ComponentStatus
from edge_agent.runtime.worker import WorkerStatus
from edge_agent.scheduler.account import DispatchStatus
from edge_agent.scheduler.drift import PartTimes
from edge_agent.sources.camera.account import CameraStats
from edge_agent.sources.source import FeedStats
from edge_agent.sources.wirerecords import WireStatus
from edge_agent.uplink.account import UplinkStatus

NEXT = 3
"""Drawn parts that wait for a word and are named."""


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
class Drawn:
    """What people said of the parts that were drawn for their word, whatever these had been judged.

    Attributes:
        stopped: of those that they called good, how many were NG or UNSURE: the false rejects that were observed.
        waiting: drawn parts that wait for a word.
        next: the ledger's numbers of the first few of them.
    """

    stopped: Proportion
    waiting: int
    next: tuple[int, ...]


@dataclass(frozen=True)
class Status:
    """Everything a person may ask a running station; times are host monotonic [s] unless they end in `_utc`.

    Attributes:
        station: its name.
        version: of the program.
        up_s: how long it has been running [s].
        recipe: name of the recipe in use.
        recipes: names of all that may be used.
        bundle: name and version of the bundle.
        knowledge: samples known of each class.
        calibration: held-out good parts among those that were taught.
        strength: how many samples the bundle's prior counts as where defects are named; None where none was taught.
        promise: what all held-out good parts, taught and drawn, say about false rejects.
        teaching: the class being taught, how much of how much is encoded, then proven.
        source: name of the source.
        series: the source's count.
        number: triggers counted so far.
        finished: the source has delivered its last part.
        feed: what the source did.
        in_flight: parts between trigger and action.
        inspection: what the inspector has seen.
        pairing: what did not simply pair.
        dispatch: the devices, and what waits for them.
        part_times: what each part of the bundles takes, beside what was measured at first.
        memory_mb: proportional share of physical memory [MB]; None where the kernel does not say.
        memory_limit_mb: what `[engine] memory_mb` allows [MB].
        evicted: bundles that were let go for another one, because there was no room for both.
        background: the background worker.
        ledger: the ledger.
        evidence: the kept pictures and vibration windows.
        evidence_dropped: parts whose evidence was not kept because there was too much to do, or the disk failed.
        mailboxes: every bounded queue by name.
        steps: how long each component's steps took.
        components: what the supervisor keeps running.
        wire: the wire to the microcontroller; None without one.
        gate: the reject gate at its end; None without one.
        cameras: those that the parts are seen by.
        uplink: the way to the console; None without one.
        clock_synchronised: something keeps the wall clock right; None where the kernel may not be asked.
        custody: the pictures and windows in memory, and who has them.
        parts: recorded parts by outcome; empty when the ledger cannot be read.
        latencies: of the last parts.
        drawn: what people said of the drawn parts; None when the ledger cannot be read.
        troubles: what is wrong.
    """

    station: str
    version: str
    up_s: float
    recipe: str
    recipes: tuple[str, ...]
    bundle: str
    knowledge: dict[str, int]
    calibration: int
    strength: float | None
    promise: Promise
    teaching: tuple[str, int, int] | None
    source: str
    series: str
    number: int
    finished: bool
    feed: FeedStats
    in_flight: int
    inspection: InspectionCounts
    pairing: PairingCounts
    dispatch: DispatchStatus
    part_times: tuple[PartTimes, ...]
    memory_mb: float | None
    memory_limit_mb: float
    evicted: int
    background: WorkerStatus | None
    ledger: LedgerStatus
    evidence: EvidenceStatus
    evidence_dropped: int
    mailboxes: dict[str, MailboxStats]
    steps: tuple[StepTimes, ...]
    components: tuple[ComponentStatus, ...]
    wire: WireStatus | None = None
    gate: GateStatus | None = None
    cameras: tuple[CameraStats, ...] = ()
    uplink: UplinkStatus | None = None
    clock_synchronised: bool | None = False
    custody: CustodyStatus = CustodyStatus()
    parts: dict[str, int] = field(default_factory=dict)
    latencies: tuple[Latency, ...] = ()
    drawn: Drawn | None = None
    troubles: tuple[Trouble, ...] = ()


def drawn_of(counted: Iterable[Part], waiting: Sequence[Part], normal: str) -> Drawn:
    """Give what people said of drawn parts.

    Args:
        counted: the parts whose words count.
        waiting: those that wait for a word.
        normal: slug of the class of good parts.

    Returns:
        The counts.
    """
    good = [part.verdict.outcome for part in counted if part.operator_label == normal]
    stopped = exact(sum(outcome is not Outcome.OK for outcome in good), len(good))
    return Drawn(stopped, len(waiting), tuple(part.id for part in waiting[:NEXT]))
