"""When a console says what it has: not too often, each time with a greater number, and nothing that is not stored."""

from __future__ import annotations

import pytest
from console_fakes import LEDGER, MemoryStore

from edge_agent import strictjson
from edge_agent.console.acks import ASIDE_S, HIGHEST, PERIOD_S, Acks, Due
from edge_agent.uplink.ack import Ack

UPTO = {"part": 3, "alarm": 0, "audit": 0}


def acks() -> Acks:
    return Acks(MemoryStore().take_counters, "first")


def upto(due: list[Due]) -> list[int]:
    return [one.ack.upto["part"] for one in due]


def test_nothing_is_said_of_a_station_that_told_nothing() -> None:
    book = acks()
    book.heard("press-3", 7, own=False)

    assert book.due(0.0, 9) == []
    assert book.next_s() == float("inf")


def test_what_is_stored_is_said_once_and_not_sooner_than_its_period() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    assert upto(book.due(10.0, 9)) == [3]
    assert book.due(20.0, 9) == []

    book.stored("press-3", LEDGER, UPTO | {"part": 4})
    assert upto(book.due(20.0, 9)) == [4]
    book.stored("press-3", LEDGER, UPTO | {"part": 5})
    assert book.due(20.0 + PERIOD_S / 2, 9) == []
    assert book.next_s() == 20.0 + PERIOD_S
    book.stored("press-3", LEDGER, UPTO | {"part": 6})
    assert upto(book.due(20.0 + PERIOD_S, 9)) == [6]


def test_each_has_a_greater_number_than_any_before() -> None:
    book = acks()
    counters = []
    for turn in range(30):
        book.stored("press-3", LEDGER, UPTO | {"part": turn})
        if turn == 15:
            book.heard("press-3", 500, own=False)
        counters += [due.ack.counter for due in book.due(float(turn), 9)]

    assert len(counters) == 30
    assert counters == sorted(set(counters))
    assert counters[15] > 500


@pytest.mark.parametrize("forged", [HIGHEST, HIGHEST + 1, 2**62 - 1, 2**62])
def test_no_number_of_a_stranger_has_us_say_one_that_a_station_refuses(forged: int) -> None:
    store = MemoryStore()
    for _ in range(20):
        book = Acks(store.take_counters)
        book.heard("press-3", forged, own=False)
        book.stored("press-3", LEDGER, UPTO)
        said = strictjson.decode(book.due(0.0, 9)[0].text.encode(), Ack)

    assert said.counter < 2 * HIGHEST


def test_a_number_of_our_own_is_believed_whatever_it_is() -> None:
    book = acks()
    book.heard("press-3", HIGHEST + 7, own=True)
    book.stored("press-3", LEDGER, UPTO)

    assert book.due(0.0, 9)[0].ack.counter > HIGHEST + 7


def test_a_number_that_somebody_else_used_has_it_said_anew() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    said = book.due(0.0, 9)[0].ack.counter
    book.heard("press-3", said, own=False)
    assert book.due(1.0, 9) == []

    book.heard("press-3", said + 5, own=False)
    assert book.due(2.0, 9)[0].ack.counter > said + 5


def test_a_new_connection_asks_each_station_to_tell_again() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    assert book.due(0.0, 9)[0].ack.again == "first"

    book.connected("second")
    again = book.due(0.01, 9)
    assert [due.ack.again for due in again] == ["second"]
    assert upto(again) == [3]


def test_the_ledger_that_told_last_is_the_one_that_is_acknowledged() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    book.due(0.0, 9)
    book.stored("press-3", "0" * 16, {"part": 0, "alarm": 0, "audit": 0})

    assert book.due(1.0, 9)[0].ack.ledger == "0" * 16


def test_many_stations_have_their_turn_one_after_the_other() -> None:
    book = acks()
    names = [f"press-{number}" for number in range(50)]
    for name in names:
        book.stored(name, LEDGER, UPTO)
    turns = [{due.station for due in book.due(0.0, 20)} for _ in range(3)]

    assert [len(turn) for turn in turns] == [20, 20, 10]
    assert set.union(*turns) == set(names)


def test_a_station_that_tells_without_end_does_not_keep_others_waiting() -> None:
    book = acks()
    heard = set()
    for turn in range(10):
        for name in ("press-1", "press-2", "press-3"):
            book.stored(name, LEDGER, UPTO | {"part": turn})
        heard |= {due.station for due in book.due(float(turn), 1)}

    assert heard == {"press-1", "press-2", "press-3"}


def acks_of_two_in_an_hour(kind: type[Acks], *, own: bool) -> tuple[int, int]:
    """Have two consoles acknowledge a station that tells nothing; give what they said and complained."""
    books = [kind(MemoryStore().take_counters, again) for again in ("left", "right")]
    for book in books:
        book.stored("press-3", LEDGER, UPTO)
    said = complained = 0
    for tick in range(36_000):
        now = 0.1 * tick
        for me, other in (books, reversed(books)):
            for due in me.due(now, 9):
                said += 1
                complained += other.crossed("press-3", due.ack, now, own=own)
    return said, complained


class StubbornAcks(Acks):
    """Wrong: answers another console's word at once with a greater one."""

    def crossed(self, station: str, ack: Ack, now: float, *, own: bool) -> bool:
        self.heard(station, ack.counter, own=own)
        return True


@pytest.mark.parametrize("own", [True, False])
def test_two_consoles_do_not_drive_each_other(own: bool) -> None:
    said, complained = acks_of_two_in_an_hour(Acks, own=own)

    assert said <= 3
    assert 0 < complained <= said
    assert acks_of_two_in_an_hour(StubbornAcks, own=own)[0] > 3600


def test_who_has_stepped_aside_goes_on_later_with_a_greater_number() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    book.due(0.0, 9)
    other = Ack(1, 70, LEDGER, {"part": 1}, "another")
    assert book.crossed("press-3", other, 1.0, own=True)
    book.stored("press-3", LEDGER, UPTO)
    assert book.due(ASIDE_S, 9) == []
    assert book.next_s() == 1.0 + ASIDE_S

    assert book.due(1.0 + ASIDE_S, 9)[0].ack.counter > 70


def test_what_a_stranger_says_stops_nothing() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    assert book.crossed("press-3", Ack(1, 2**62, LEDGER, {}, "another"), 0.0, own=False)
    assert not book.crossed("press-3", Ack(1, 70, LEDGER, {}, "another"), 1.0, own=False)

    assert 70 < book.due(1.0, 9)[0].ack.counter < HIGHEST


def test_our_own_word_that_comes_back_is_nobody_else_s() -> None:
    book = acks()
    book.stored("press-3", LEDGER, UPTO)
    said = book.due(0.0, 9)[0].ack

    assert not book.crossed("press-3", said, 0.1, own=True)
    assert book.next_s() == float("inf")
