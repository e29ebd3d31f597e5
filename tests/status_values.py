"""The status of a station that is well, for tests to change one thing of."""

from __future__ import annotations

from edge_agent.agent.status import Status
from edge_agent.inspection.inspector import InspectionCounts
from edge_agent.inspection.judge import Promise
from edge_agent.inspection.pairing import PairingCounts
from edge_agent.ledger import LedgerStatus
from edge_agent.ledger.evidence import EvidenceStatus
from edge_agent.runtime.mailbox import MailboxStats
from edge_agent.scheduler.account import DispatchCounts, DispatchStatus
from edge_agent.scheduler.bank import LaneStatus
from edge_agent.sources.source import FeedStats


def box_of() -> MailboxStats:
    return MailboxStats(capacity=64, put=0, taken=0, dropped=0, refused=0, waiting=0, high_water=0)


def dispatch_of(*, ready: bool = True, urgent: int = 0, done: int = 0, reason: str = "") -> DispatchStatus:
    breakers = {"openvino/cpu": "open" if reason else "closed"}
    lane = LaneStatus("openvino/cpu, 1 thread", "in use", breakers, reason, None, None, done, 0, 5.0, 6.0)
    in_use = lane.name if ready else ""
    return DispatchStatus(ready, in_use, (lane,), DispatchCounts(done, done), urgent, 0, 0.0, 0.1, 0.2)


def status_of() -> Status:
    return Status(
        station="station",
        version="1",
        up_s=1.0,
        recipe="recipe",
        recipes=("recipe",),
        bundle="generic 1",
        knowledge={"good": 10},
        calibration=200,
        strength=None,
        promise=Promise(200, 0.01, 0.01, 0.012),
        teaching=None,
        source="simline",
        series="a",
        number=0,
        finished=False,
        feed=FeedStats(0, 0, 0, 0),
        in_flight=0,
        inspection=InspectionCounts(),
        pairing=PairingCounts(),
        dispatch=dispatch_of(),
        part_times=(),
        memory_mb=150.0,
        memory_limit_mb=250.0,
        evicted=0,
        background=None,
        ledger=LedgerStatus(),
        evidence=EvidenceStatus(0, 0, 0, 0),
        evidence_dropped=0,
        mailboxes={"commits": box_of()},
        steps=(),
        components=(),
    )
