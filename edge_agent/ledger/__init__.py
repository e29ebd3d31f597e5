"""The station's memory: every part, event, label and change of knowledge in one SQLite database, evidence beside it."""

from edge_agent.ledger.committer import LedgerStatus
from edge_agent.ledger.evidence import EvidenceStore, keep
from edge_agent.ledger.export import ExportFormat, export_parts
from edge_agent.ledger.items import Acted, Committed, Item, Mark, Misses, Pictured, Receipt, Rejected
from edge_agent.ledger.journalreader import JournalReader, StoredCommand
from edge_agent.ledger.latency import Latency
from edge_agent.ledger.reader import Reader
from edge_agent.ledger.spoken import Accepted, Answered, Audited, Teaching, Told, Word, WordKind
from edge_agent.ledger.writer import LedgerWriter

__all__ = [
    "Accepted",
    "Acted",
    "Answered",
    "Audited",
    "Committed",
    "EvidenceStore",
    "ExportFormat",
    "Item",
    "JournalReader",
    "Latency",
    "LedgerStatus",
    "LedgerWriter",
    "Mark",
    "Misses",
    "Pictured",
    "Reader",
    "Receipt",
    "Rejected",
    "StoredCommand",
    "Teaching",
    "Told",
    "Word",
    "WordKind",
    "export_parts",
    "keep",
]
