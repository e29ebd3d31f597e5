"""The station's memory: every part, event, label and change of knowledge in one SQLite database, evidence beside it."""

from edge_agent.ledger.committer import LedgerStatus
from edge_agent.ledger.evidence import EvidenceStore, keep
from edge_agent.ledger.export import ExportFormat, export_parts
from edge_agent.ledger.items import (
    Acted,
    Committed,
    Item,
    Mark,
    Misses,
    Pictured,
    Receipt,
    Rejected,
    Teaching,
    Word,
    WordKind,
)
from edge_agent.ledger.reader import Latency, Reader
from edge_agent.ledger.writer import LedgerWriter

__all__ = [
    "Acted",
    "Committed",
    "EvidenceStore",
    "ExportFormat",
    "Item",
    "Latency",
    "LedgerStatus",
    "LedgerWriter",
    "Mark",
    "Misses",
    "Pictured",
    "Reader",
    "Receipt",
    "Rejected",
    "Teaching",
    "Word",
    "WordKind",
    "export_parts",
    "keep",
]
