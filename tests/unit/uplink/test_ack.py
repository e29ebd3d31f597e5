"""The console's word counts when a key that may say so has signed it for this topic, and about what exists."""

from __future__ import annotations

import msgspec
import pytest
from console_book import ConsoleBook

from edge_agent.errors import BadData
from edge_agent.trust.signing import sealed
from edge_agent.uplink.ack import Ack, check_ack, read_ack

NEWEST = {"part": 10, "alarm": 2, "audit": 0}


def word(**changes: object) -> bytes:
    book = ConsoleBook("press-3")
    said = {"v": 1, "counter": 5, "ledger": "ab", "upto": {"part": 7}, "again": "x", **changes}
    return sealed(msgspec.json.encode(said).decode(), book.topic, book.key)


def read(payload: bytes) -> Ack:
    book = ConsoleBook("press-3")
    return read_ack(payload, book.topic, book.trusted)


def test_a_signed_word_is_read() -> None:
    ack = read(word())

    assert (ack.counter, ack.ledger, ack.upto, ack.again) == (5, "ab", {"part": 7}, "x")
    check_ack(ack, "ab", NEWEST)


@pytest.mark.parametrize(
    "changes",
    [{"v": 2}, {"counter": -1}, {"upto": {"telemetry": 1}}, {"upto": {"part": -1}}, {"more": 1}, {"again": "x" * 65}],
)
def test_anything_else_is_no_word(changes: dict[str, object]) -> None:
    with pytest.raises(BadData):
        read(word(**changes))


@pytest.mark.parametrize(("topic", "trusted"), [("insp/v1/press-4/ack", True), ("insp/v1/press-3/ack", False)])
def test_who_may_not_say_so_or_meant_another_station_is_not_heard(topic: str, trusted: bool) -> None:
    book = ConsoleBook("press-3")
    with pytest.raises(BadData):
        read_ack(word(), topic, book.trusted if trusted else {})


@pytest.mark.parametrize(
    ("ledger", "newest"),
    [("cd", NEWEST), ("ab", {"part": 6}), ("ab", {})],
)
def test_a_word_about_another_ledger_or_of_what_does_not_exist_is_refused(ledger: str, newest: dict[str, int]) -> None:
    with pytest.raises(BadData):
        check_ack(read(word()), ledger, newest)
