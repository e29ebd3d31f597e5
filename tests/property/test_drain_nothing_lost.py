"""Whatever the network, the broker and the console do: each fact is stored in the end, and no queue has to overflow."""

from unittest import mock

import pytest
from drain_world import ModelConsole, World
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.ledger.facts import KINDS
from edge_agent.uplink import drain as drain_module
from edge_agent.uplink.chain import Chain
from edge_agent.uplink.drain import Drain

WINDOW = 8
"""Small, so that short scripts meet it."""

actions = st.one_of(
    st.tuples(st.just("record"), st.sampled_from(KINDS), st.integers(1, 12)),
    st.tuples(st.just("turn"), st.just(""), st.integers(1, 3)),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 6, 61, 700])),
    st.tuples(st.just("store"), st.just(""), st.just(0)),
    st.tuples(st.just("lose"), st.just(""), st.integers(1, 30)),
    st.tuples(st.just("acknowledge"), st.just(""), st.integers(0, 1)),
    st.tuples(st.just("cut"), st.just(""), st.integers(0, 1)),
    st.tuples(st.just("console"), st.just(""), st.integers(0, 1)),
    st.tuples(st.just("refuse"), st.sampled_from(KINDS), st.sampled_from([0x80, 0x87, 0x95, 0x97])),
    st.tuples(st.just("again"), st.just(""), st.just(0)),
)


def record(world: World, kind: str, count: int) -> None:
    for index in range(count):
        world.ledger.record(kind, 1 + index % 3)


def wait(world: World, kind: str, seconds: int) -> None:
    world.now += seconds


def lose(world: World, kind: str, count: int) -> None:
    for _ in range(min(count, len(world.queue))):
        world.queue.popleft()


def cut(world: World, kind: str, forget: int) -> None:
    world.disconnect()
    if forget:
        world.queue.clear()


def refuse(world: World, kind: str, reason: int) -> None:
    world.reason = lambda fact: reason if fact.kind == kind and not fact.why else 0


PERFORMED = {
    "record": record,
    "turn": lambda world, kind, times: [world.turn() for _ in range(times)],
    "wait": wait,
    "store": lambda world, kind, number: world.store(),
    "lose": lose,
    "acknowledge": lambda world, kind, again: world.acknowledge(again=bool(again)),
    "cut": cut,
    "console": lambda world, kind, there: setattr(world, "has_console", bool(there)),
    "refuse": refuse,
    "again": lambda world, kind, number: world.queue.extend(list(world.queue)[:3]),  # a broker may deliver twice
}


def perform(world: World, script: list[tuple[str, str, int]]) -> None:
    for what, kind, number in script:
        PERFORMED[what](world, kind, number)


def check(drain: Drain, script: list[tuple[str, str, int]], in_flight: int) -> World:
    with mock.patch.object(drain_module, "WINDOW", WINDOW):
        world = World(drain, in_flight=in_flight)
        perform(world, script)
        world.settle()
    assert world.console.stored == world.everything()
    assert world.console.upto() == world.ledger.newest()
    assert world.drain.upto() == world.console.upto()
    assert world.most_in_flight <= min(in_flight, 20)
    assert world.most_beyond <= WINDOW
    return world


@given(st.lists(actions, max_size=40), st.sampled_from([1, 2, 20, 65535]))
@example([("record", "part", 8), ("refuse", "part", 0x95), ("turn", "", 1)], 20)  # a whole window that nobody takes
def test_each_fact_is_stored_in_the_end(script: list[tuple[str, str, int]], in_flight: int) -> None:
    check(Drain(1000.0), script, in_flight)


class Trusting(Drain):
    """Wrong: the broker's word counts for the console's."""

    def delivered(self, token, reason, now, utc):
        self._by_broker = True
        return super().delivered(token, reason, now, utc)


class Hoping(Drain):
    """Wrong: what was told once is not told again before the next connection."""

    def look(self, now):
        for lane in self.lanes:
            lane.quiet_until_s = float("inf")
        return super().look(now)


@pytest.mark.parametrize("wrong", [Trusting, Hoping])
def test_the_property_has_teeth(wrong: type[Drain]) -> None:
    script = [("record", "part", 12), ("turn", "", 2), ("lose", "", 4), ("record", "part", 3)]

    check(Drain(1000.0), script, 20)
    with pytest.raises(AssertionError):
        check(wrong(1000.0), script, 20)


@given(st.lists(actions, max_size=40))
def test_where_the_brokers_word_counts_what_it_took_is_not_told_again(script: list[tuple[str, str, int]]) -> None:
    world = World(Drain(1000.0, by_broker=True), queued_at_most=10**6)
    perform(world, [action for action in script if action[0] not in ("cut", "lose", "again", "acknowledge")])
    world.settle()

    assert world.console.stored == world.everything()
    arrived = [(fact.kind, fact.seq) for fact in world.console.arrived]
    refused = any(action[0] in ("refuse", "console") for action in script)
    assert refused or len(arrived) == len(set(arrived))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=20), st.randoms())
def test_a_chain_knows_how_far_it_reaches(steps: list[int], random) -> None:
    links, number = [], 0
    for step in steps:
        links.append((number, number + step))
        number += step
    random.shuffle(links)
    chain, console = Chain(0), ModelConsole()
    for prev, seq in links:
        chain.add(prev, seq)
        console.links["part"][prev] = seq

        assert chain.upto == console.upto()["part"]
    assert chain.upto == number
