"""What is told next: what matters most first, what is new at once, and nothing without a bound."""

from __future__ import annotations

import pytest
from drain_world import World

from edge_agent.uplink.drain import FAILURES, Drain
from edge_agent.uplink.lane import FIRST_QUIET_S, FIRST_WAIT_S, LAST_WAIT_S, WINDOW


def world(per_s: float = 1e6, **words: object) -> World:
    return World(Drain(per_s), queued_at_most=10_000, **words)


def told(world: World) -> list[tuple[str, int]]:
    return [(telling.fact.kind, telling.fact.seq) for telling in world.published]


def record(world: World, kind: str, count: int) -> None:
    for _ in range(count):
        world.ledger.record(kind)


def test_what_matters_most_goes_first() -> None:
    here = world()
    for kind in ("part", "alarm", "audit"):
        record(here, kind, 3)
    here.turn()

    assert [kind for kind, _ in told(here)] == ["audit"] * 3 + ["alarm"] * 3 + ["part"] * 3


def test_no_class_starves_another() -> None:
    here = world()
    for kind in ("audit", "alarm", "part"):
        record(here, kind, 100)
    for _ in range(5):
        here.turn()

    first = told(here)[:50]
    assert {kind for kind, _ in first} == {"audit", "alarm", "part"}
    assert [kind for kind, _ in first].count("audit") > 35


def test_at_most_so_many_wait_for_the_brokers_word() -> None:
    here = world(in_flight=5)
    record(here, "part", 50)
    here.turn()
    assert len(here.published) == 5
    here.turn()

    assert len(here.published) == 10


def test_other_messages_take_their_share_of_what_may_wait() -> None:
    here = world(in_flight=5)
    record(here, "part", 50)
    here.connect()

    assert here.drain.has_room(4)
    assert not here.drain.has_room(5)
    assert here.drain.next(0.0, others=5) is None


def test_what_is_new_alternates_with_the_backlog() -> None:
    here = world()
    record(here, "part", 300)
    here.turn()
    record(here, "part", 10)
    for _ in range(3):
        here.turn()

    new = [index for index, (_, seq) in enumerate(told(here)) if seq > 300]
    assert len(new) == 10
    assert new[-1] - new[0] <= 20


def test_the_backlog_is_told_at_its_pace_and_what_is_new_at_once() -> None:
    here = world(per_s=10.0)
    record(here, "part", 100)
    here.turn()
    began = len(here.published)
    for _ in range(20):
        here.now += 0.1
        here.turn()
    assert len(here.published) - began == pytest.approx(20, abs=1)
    before = len(here.published)
    record(here, "part", 5)
    here.turn()

    assert sorted(seq for _, seq in told(here)[before:] if seq > 100) == [101, 102, 103, 104, 105]


def test_a_paced_backlog_says_when_it_is_due() -> None:
    here = world(per_s=10.0)
    record(here, "part", 100)
    here.turn()

    assert here.now < here.drain.due_s(here.now) <= here.now + 0.1


def test_the_backlog_stays_within_its_window_until_the_console_speaks() -> None:
    here = world()
    record(here, "part", 3 * WINDOW)
    for _ in range(200):
        here.turn()
    assert len(here.published) == WINDOW
    record(here, "part", 3)
    here.turn()
    assert [seq for _, seq in told(here)[WINDOW:]] == [3 * WINDOW + 1, 3 * WINDOW + 2, 3 * WINDOW + 3]
    here.store()
    here.acknowledge()
    here.turn()

    assert told(here)[WINDOW + 3] == ("part", WINDOW + 1)


def test_nobody_listens_is_not_sent() -> None:
    here = world(has_console=False)
    record(here, "part", 3)
    here.turn()
    here.turn()
    assert here.drain.told == 0
    assert len(here.published) == 3
    waits = []
    for _ in range(8):
        due = here.drain.due_s(here.now)
        waits.append(due - here.now)
        here.now = due
        here.turn()
        here.turn()

    assert waits[:2] == [FIRST_WAIT_S, 2 * FIRST_WAIT_S]
    assert waits[-1] == LAST_WAIT_S
    assert len(here.published) == 3 + 8  # one tries whether anybody has come


def test_a_word_of_the_console_ends_the_wait() -> None:
    here = world(has_console=False)
    record(here, "part", 3)
    here.turn()
    here.turn()
    here.has_console = True
    here.acknowledge()
    here.turn()

    assert told(here)[3:] == [("part", 1), ("part", 2), ("part", 3)]


@pytest.mark.parametrize("reason", [0x87, 0x97])
def test_what_the_broker_forbids_waits_and_is_never_set_aside(reason: int) -> None:
    here = world(reason=lambda fact: reason if fact.kind == "part" else 0)
    record(here, "part", 2)
    record(here, "alarm", 2)
    for _ in range(50):
        here.turn()
        here.now += 60.0

    assert here.drain.set_aside == 0
    assert {lane.kind: lane.reason for lane in here.drain.lanes} == {"audit": None, "alarm": None, "part": reason}
    here.settle()
    assert here.console.stored == here.everything()


@pytest.mark.parametrize("reason", [0x95, 0x99])
def test_what_no_broker_takes_becomes_a_gap_at_its_place(reason: int) -> None:
    here = world(reason=lambda fact: reason if fact.seq == 2 and not fact.why else 0)
    record(here, "part", 3)
    here.turn()
    here.turn()
    here.store()

    assert [(fact.seq, fact.why) for fact in here.console.arrived] == [(1, ""), (3, ""), (2, "unsendable")]
    assert here.console.upto()["part"] == 3
    assert here.ledger.facts["part"][1].why == "unsendable"


def test_what_does_not_fit_becomes_a_gap() -> None:
    here = world()
    record(here, "part", 2)
    here.connect()
    look = here.drain.look(0.0)
    while look is not None:
        here.drain.found(look, here.ledger.after(look.kind, look.after, look.upto))
        look = here.drain.look(0.0)
    telling = here.drain.next(0.0)
    assert telling is not None
    aside = here.drain.never(telling, 7.0)
    gap = here.drain.next(0.0)

    assert aside is not None
    assert (aside.kind, aside.first, aside.last, aside.why, aside.utc) == ("part", 1, 1, "unsendable", 7.0)
    assert gap is not None
    assert (gap.fact.seq, gap.fact.prev, gap.fact.why) == (1, 0, "unsendable")


def test_a_fact_that_is_refused_again_and_again_is_set_aside() -> None:
    here = world(reason=lambda fact: 0x80 if fact.seq == 1 and not fact.why else 0)
    record(here, "part", 3)
    for _ in range(3 * FAILURES):
        here.turn()
        here.now += LAST_WAIT_S
    here.store()

    assert here.drain.set_aside == 1
    assert here.console.upto()["part"] == 3


def test_a_gap_is_never_set_aside() -> None:
    here = world(reason=lambda fact: 0x99)
    record(here, "part", 1)
    for _ in range(3 * FAILURES):
        here.turn()
        here.now += LAST_WAIT_S
    assert here.drain.set_aside == 1
    here.settle()

    assert here.console.upto()["part"] == 1


def test_what_was_told_is_told_again_after_a_reconnect() -> None:
    here = world()
    record(here, "part", 5)
    here.turn()
    here.queue.clear()
    here.disconnect()
    here.turn()

    assert told(here)[5:] == told(here)[:5]


def test_a_new_word_again_has_all_told_again_and_the_same_one_not() -> None:
    here = world()
    record(here, "part", 5)
    here.turn()
    here.turn()
    here.queue.clear()
    here.acknowledge(again=True)
    here.turn()
    here.turn()
    assert len(here.published) == 10
    here.acknowledge()
    here.turn()

    assert len(here.published) == 10


def test_what_nobody_acknowledges_is_told_again_ever_more_seldom() -> None:
    here = world()
    record(here, "part", 1)
    times = []
    while len(times) < 8:
        before = len(here.published)
        here.turn()
        here.turn()
        if len(here.published) > before:
            times.append(here.now)
        here.now += 1.0
    waits = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]

    assert waits == [FIRST_QUIET_S * factor for factor in (1, 2, 4, 8, 16, 20, 20)]


def test_progress_keeps_the_rest_from_being_told_again() -> None:
    here = world()
    record(here, "part", 40)
    for _ in range(3):
        here.turn()
    for _ in range(30):
        here.console.take(here.queue.popleft())
        here.now += 20.0
        here.acknowledge()
        here.turn()

    assert len(here.published) == 40


def test_another_ledger_begins_anew() -> None:
    here = world()
    record(here, "part", 5)
    here.turn()
    here.store()
    here.acknowledge()
    here.drain.begin("another", {"part": 0}, {"part": 2})

    assert here.drain.upto() == {"audit": 0, "alarm": 0, "part": 0}


def test_what_the_broker_says_of_a_fact_of_another_ledger_sets_nothing_of_this_one_aside() -> None:
    here = world()
    record(here, "part", 5)
    here.turn()
    here.drain.begin("another", {}, {"part": 5})

    assert [here.drain.delivered(token, 0x95, 0.0, 7.0) for token, _ in here.unheard] == [None] * 5
    assert (here.drain.set_aside, here.drain.in_flight) == (0, 0)


def test_refusals_of_a_fact_do_not_count_for_another_ledger() -> None:
    here = world(reason=lambda fact: 0x80)
    record(here, "part", 1)
    for _ in range(FAILURES - 1):
        here.turn()
        here.now += LAST_WAIT_S
    here.drain.begin("another", {}, {"part": 1})
    here.turn()
    here.turn()

    assert here.drain.set_aside == 0
