"""The console's word is obeyed once, and how far it reaches is remembered for the ledger that it speaks of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console_book import ConsoleBook
from drain_world import LEDGER, ModelLedger

from edge_agent.errors import Unavailable
from edge_agent.ledger.facts import KINDS, Fact
from edge_agent.ledger.items import Reached
from edge_agent.testing.clock import ManualClock
from edge_agent.testing.door import FakeBroker, FakeDoor
from edge_agent.trust.signing import sealed
from edge_agent.uplink.drain import Drain
from edge_agent.uplink.message import Inbound, Outgoing
from edge_agent.uplink.teller import Teller
from edge_agent.uplink.topics import Topics

BOOK = ConsoleBook("press-3")


class ModelFacts(ModelLedger):
    """The model ledger as the teller reads it."""

    ledger = LEDGER
    remembered = 0

    def told(self) -> dict[str, int]:
        return dict.fromkeys(KINDS, 0)

    def counter(self) -> int:
        return self.remembered


def teller(remembered: list[object]) -> tuple[Teller, ModelFacts]:
    facts = ModelFacts()
    for _ in range(5):
        facts.record("part")

    def remember(item: object) -> bool:
        remembered.append(item)
        return True

    made = Teller(Drain(100.0), Topics("insp/v1", "press-3"), lambda: BOOK.trusted, remember)
    made.drain.connect(20)
    made.begin(facts)
    return made, facts


def hear(teller: Teller, inbound: Inbound, facts: ModelFacts) -> None:
    teller.heard(inbound)
    teller.obey(facts, 0.0)


def read(message: Outgoing) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.json.decode(message.payload)
    return said


def word(counter: int, upto: int, ledger: str = LEDGER, again: str = "") -> Inbound:
    said = {"v": 1, "counter": counter, "ledger": ledger, "upto": {"part": upto}, "again": again}
    return Inbound(BOOK.topic, sealed(msgspec.json.encode(said).decode(), BOOK.topic, BOOK.key), 1, True, False, 0.0)


def test_a_word_is_obeyed_and_remembered() -> None:
    remembered: list[object] = []
    made, facts = teller(remembered)
    hear(made, word(3, 4), facts)
    made.remember()
    made.remember()

    assert remembered == [Reached(LEDGER, {"audit": 0, "alarm": 0, "part": 4}, 3)]


def test_the_same_word_again_or_an_older_one_changes_nothing_and_is_no_fault() -> None:
    made, facts = teller([])
    hear(made, word(3, 2, again="x"), facts)
    for counter in (3, 2):
        hear(made, word(counter, 5), facts)

    assert made.drain.upto()["part"] == 2
    assert (made.acks.obeyed, made.acks.refused) == (1, 0)


def test_what_is_told_says_how_far_its_class_was_acknowledged() -> None:
    made, facts = teller([])
    hear(made, word(3, 4), facts)
    broker = FakeBroker()
    door = FakeDoor(broker, ManualClock())
    door.connect()
    while (look := made.drain.look(0.0)) is not None:
        gaps = [Fact("part", 5, 4, 0.0, why="quota")] if look.kind == "part" and look.after == 4 else []
        made.drain.found(look, gaps)
    made.publish(door, 0.0, 0.0, 0)
    (said,) = map(read, broker.queue)

    assert (said["class"], said["to"], said["acknowledged"]) == ("part", 5, 4)


def test_a_word_never_takes_back_what_was_said() -> None:
    made, facts = teller([])
    hear(made, word(3, 4), facts)
    hear(made, word(4, 1), facts)

    assert made.drain.upto()["part"] == 4


def test_a_word_of_what_does_not_exist_or_of_another_ledger_is_refused_and_said() -> None:
    made, facts = teller([])
    hear(made, word(3, 6), facts)
    hear(made, word(4, 1, ledger="another"), facts)

    assert made.drain.upto()["part"] == 0
    assert made.acks.refused == 2
    assert "another" in made.acks.reason


def test_a_word_that_cannot_be_obeyed_now_is_kept_and_the_newest_of_them_obeyed() -> None:
    class LostFacts(ModelFacts):
        def newest(self) -> dict[str, int]:
            raise Unavailable("the disk fails")

    made, facts = teller([])
    for counter, upto in ((3, 2), (5, 4), (4, 3)):
        with pytest.raises(Unavailable):
            hear(made, word(counter, upto), LostFacts())
    assert made.drain.upto()["part"] == 0
    assert made.obey(facts, 0.0)

    assert made.drain.upto()["part"] == 4
    assert not made.obey(facts, 0.0)


def test_the_counter_of_the_life_before_counts() -> None:
    made, facts = teller([])
    facts.remembered = 7
    made.begin(facts)
    hear(made, word(7, 3), facts)
    assert made.drain.upto()["part"] == 0
    hear(made, word(8, 3), facts)

    assert made.drain.upto()["part"] == 3


def test_what_the_ledger_cannot_take_now_is_remembered_later() -> None:
    answers = [False, True]
    made, facts = teller([])
    made._remember = lambda item: answers.pop(0)
    hear(made, word(3, 4), facts)
    made.remember()
    made.remember()
    made.remember()

    assert answers == []
