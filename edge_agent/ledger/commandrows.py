"""Commands, their answers and the audit as rows; called inside of a transaction of the store."""

from __future__ import annotations

from typing import Final, assert_never

from edge_agent.ledger.auditchain import hash_of
from edge_agent.ledger.batch import Duplicate
from edge_agent.ledger.database import Database
from edge_agent.ledger.spoken import Accepted, Answered, Audited, Told
from edge_agent.ledger.tables import KEPT_COMMANDS

_ACCEPT: Final = """
    INSERT INTO commands (id, name, digest, request, before, key, issued_utc, ttl_s, accepted_utc, answer, answered_utc,
                          told)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
    """
_ANSWER: Final = "UPDATE commands SET answer = ?, answered_utc = ?, told = ? WHERE id = ?"
_OLD: Final = "seq <= (SELECT max(seq) FROM commands) - ? AND answer IS NOT NULL"
_FORGET_UNSIGNED: Final = f"DELETE FROM commands WHERE key = '' AND {_OLD}"
_SHORTEN_SIGNED: Final = (
    "UPDATE commands SET request = '', answer = json_set(answer, '$.result', json('{}')) "
    f"WHERE key != '' AND request != '' AND {_OLD}"
)
_AUDIT: Final = "INSERT INTO audit (utc, kind, body, previous, hash) VALUES (?, ?, ?, ?, ?)"


def write(database: Database, item: Accepted | Told | Audited) -> int:
    """Write one row, or change one; give its number. Raises as `accept` does."""
    match item:
        case Accepted():
            return accept(database, item)
        case Told():
            return tell(database, item)
        case Audited():
            return audit(database, item)
        case _:
            assert_never(item)


def accept(database: Database, accepted: Accepted) -> int:
    """Store a command, and its answer where it has one already.

    Args:
        database: in a transaction.
        accepted: the command.

    Returns:
        Its number.

    Raises:
        Duplicate: its id is taken.
    """
    item = accepted
    answer = (item.answer, item.utc, int(item.told)) if item.answer else (None, None, int(item.told))
    values = (item.id, item.name, item.digest, item.request, item.before, item.key, item.issued_utc, item.ttl_s)
    effect = database.execute(_ACCEPT, (*values, item.utc, *answer))
    if not effect.rows:
        raise Duplicate(f"the id {item.id} is taken")
    if item.audit is not None:
        audit(database, item.audit)
    for sql in (_FORGET_UNSIGNED, _SHORTEN_SIGNED):
        database.execute(sql, (KEPT_COMMANDS,))
    return effect.rowid


def needs_answer(database: Database, answered: Answered) -> bool:
    """Say whether a command waits for its answer.

    Args:
        database: in a transaction.
        answered: the answer.

    Returns:
        False where it has this one: the transaction that failed before has reached the disk after all.

    Raises:
        Duplicate: it has another one, or there is no such command.
    """
    row = next(iter(database.query("SELECT answer FROM commands WHERE id = ?", (answered.id,))), None)
    if row is None or row["answer"] not in (None, answered.answer):
        raise Duplicate(f"the command {answered.id} has another answer")
    return row["answer"] is None


def answer(database: Database, answered: Answered) -> int:
    """Answer a command, and write that into the audit; give the number of the audit's row."""
    database.execute(_ANSWER, (answered.answer, answered.utc, int(answered.told), answered.id))
    return audit(database, answered.audit)


def tell(database: Database, told: Told) -> int:
    """Note that the asker has the answer; give how many rows that changed."""
    return database.execute("UPDATE commands SET told = 1 WHERE id = ?", (told.id,)).rows


def audit(database: Database, fact: Audited) -> int:
    """Add a row to the chain; give its number."""
    previous = str(database.value("SELECT hash FROM audit ORDER BY id DESC LIMIT 1") or "")
    utc = round(fact.utc, 3)
    own = hash_of(previous, utc, fact.kind, fact.body)
    return database.execute(_AUDIT, (utc, fact.kind, fact.body, previous, own)).rowid
