"""The status of a station that is well, for tests to change one thing of."""

from __future__ import annotations

from edge_agent.inspection.inspector import InspectionCounts
from edge_agent.inspection.judge import Promise
from edge_agent.inspection.pairing import PairingCounts
from edge_agent.ledger import LedgerStatus
from edge_agent.ledger.evidence import EvidenceStatus
from edge_agent.runtime.mailbox import MailboxStats
from edge_agent.runtime.worker import WorkerState, WorkerStatus
from edge_agent.sources.feed import FeedStats
from edge_agent.status import Status


def box_of() -> MailboxStats:
    return MailboxStats(capacity=64, put=0, taken=0, dropped=0, refused=0, waiting=0, high_water=0)


def worker_of(state: WorkerState) -> WorkerStatus:
    return WorkerStatus("device", state, None, done=0, failed=0, jobs=box_of())


def status_of() -> Status:
    return Status(
        station="station",
        version="1",
        up_s=1.0,
        recipe="recipe",
        bundle="generic 1",
        knowledge={"good": 10},
        calibration=200,
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
        ready=True,
        device=worker_of(WorkerState.IDLE),
        background=None,
        ledger=LedgerStatus(),
        evidence=EvidenceStatus(0, 0, 0, 0),
        evidence_dropped=0,
        mailboxes={"commits": box_of()},
        steps=(),
        components=(),
    )
