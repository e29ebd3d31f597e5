"""The chain of the audit: nobody changes, removes, adds or reorders a row unnoticed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.ledger.auditchain import AuditRow, hash_of, verify


def chain(count: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for number in range(1, count + 1):
        previous = rows[-1].hash if rows else ""
        body = f'{{"n":{number}}}'
        utc = 1000.125 + number
        rows.append(AuditRow(2 * number, utc, "command", body, previous, hash_of(previous, utc, "command", body)))
    return rows


def test_a_chain_fits_and_ends_with_its_head() -> None:
    rows = chain(5)
    found = verify(rows)

    assert (found.rows, found.head, found.fault) == (5, rows[-1].hash, "")
    assert verify([]).fault == ""


def test_the_hash_is_the_documented_one() -> None:
    assert hash_of("ab", 1.5, "command", "{}") == hashlib.sha256(b"ab\n1.500\ncommand\n{}").hexdigest()


@pytest.mark.parametrize(
    ("field", "value"), [("utc", 7.0), ("kind", "x"), ("body", "{}"), ("hash", "0" * 64), ("previous", "0" * 64)]
)
def test_a_changed_row_is_named(field: str, value: object) -> None:
    rows = chain(5)
    rows[2] = replace(rows[2], **{field: value})  # type: ignore[arg-type]
    found = verify(rows)

    assert found.rows == 2
    assert "row 6" in found.fault


@given(st.integers(0, 4), st.integers(0, 4))
def test_removed_repeated_or_reordered_rows_are_found(first: int, second: int) -> None:
    rows = chain(5)
    assert verify(rows[:first] + rows[first + 1 :]).fault or first == 4
    assert verify([*rows[: first + 1], *rows[first:]]).fault
    rows[first], rows[second] = rows[second], rows[first]
    assert bool(verify(rows).fault) == (first != second)


def test_a_row_of_ones_own_needs_all_that_follow_changed() -> None:
    rows = chain(3)
    body = '{"n":"mine"}'
    rows[1] = replace(rows[1], body=body, hash=hash_of(rows[0].hash, rows[1].utc, "command", body))

    assert "row 6 follows another row" in verify(rows).fault


def test_only_who_knows_the_end_can_tell_that_it_was_cut_off() -> None:
    rows = chain(5)

    assert verify(rows[:3]).fault == ""
    assert "cut off" in verify(rows[:3], rows[4].hash).fault
    assert verify(rows, rows[2].hash).fault == ""
