"""The station's memory: every part, event, label and change of knowledge in one SQLite database, pictures beside it."""

from edge_agent.ledger.committer import LedgerStatus
from edge_agent.ledger.export import ExportFormat, export_parts
from edge_agent.ledger.items import (
    Acted,
    Committed,
    Item,
    Misses,
    Pictured,
    Receipt,
    Rejected,
    Teaching,
    Word,
    WordKind,
)
from edge_agent.ledger.pictures import PictureStore, Snapshot, keep
from edge_agent.ledger.reader import Latency, Reader
from edge_agent.ledger.writer import LedgerWriter

__all__ = [
    "Acted",
    "Committed",
    "ExportFormat",
    "Item",
    "Latency",
    "LedgerStatus",
    "LedgerWriter",
    "Misses",
    "PictureStore",
    "Pictured",
    "Reader",
    "Receipt",
    "Rejected",
    "Snapshot",
    "Teaching",
    "Word",
    "WordKind",
    "export_parts",
    "keep",
]
