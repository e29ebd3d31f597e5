"""What the verb `audit` does: shows who changed what, and checks that nobody changed that."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.ledger import JournalReader
from edge_agent.ledger.auditchain import verify
from edge_agent.terminal.printing import say, say_json, shown


def list_audit(place: Path, limit: int, *, as_json: bool) -> int:
    """Print the newest rows of the audit, oldest first.

    Args:
        place: the state directory, or a copy of the ledger.
        limit: how many at most.
        as_json: print JSON, one row a line.

    Returns:
        0.
    """
    with JournalReader(place) as reader:
        rows = reader.newest_audit(limit)
    for row in rows:
        body = json.loads(row.body)
        if as_json:
            said = {"id": row.id, "utc": row.utc, "kind": row.kind, "body": body}
            say_json({**said, "previous": row.previous, "hash": row.hash})
            continue
        time = datetime.fromtimestamp(row.utc, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        who = body.get("who") or body.get("key") or "somebody"
        say(shown(f"{row.id:>6}  {time}  {row.kind:<8}  {body.get('cmd', ''):<10}  {body.get('code', ''):<14}  {who}"))
    return 0


def verify_audit(place: Path, head: str, *, as_json: bool) -> int:
    """Walk the audit from its first row on, and say whether each fits to the one before.

    Args:
        place: the state directory, or a copy of the ledger.
        head: hash of a row that must be there, "" for none.
        as_json: print JSON.

    Returns:
        0; 1 when a row does not fit, or that one is not there.
    """
    with JournalReader(place) as reader:
        found = verify(reader.audit(), head)
    if as_json:
        say_json(found)
    elif found.fault:
        say(f"{found.rows} rows fit; {found.fault}")
    else:
        say(f"{found.rows} rows fit; the last has the hash {found.head or '(none)'}")
    return 1 if found.fault else 0
