"""What becomes of each message: kept before it is acknowledged, or counted with the reason; never fatal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from console_fakes import LEDGER, DeafBroker, MemoryStore, fact, gap, inbound
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.console.acks import ASIDE_S, Acks
from edge_agent.console.collector import COMPLAINTS, Collector, Keeper
from edge_agent.console.heard import Kind
from edge_agent.console.store import Kept, Told
from edge_agent.errors import Unavailable
from edge_agent.trust import signing
from edge_agent.uplink.message import Happening, Inbound

ROOT = "insp/v1"


class FullDisk(MemoryStore):
    def keep(self, batch: Sequence[Told]) -> Kept:
        raise Unavailable("no room on the disk")


class EagerCollector(Collector):
    """Wrong: tells the broker before the disk has it."""

    def collect(self, happenings: Sequence[Happening], door: DeafBroker) -> object:  # type: ignore[override]
        for happening in happenings:
            door.acknowledge(happening)  # type: ignore[arg-type]
        return super().collect(happenings, DeafBroker())


def collector(store: Keeper | None = None) -> tuple[Collector, Acks]:
    acks = Acks(MemoryStore().take_counters, "now")
    return Collector(ROOT, store or MemoryStore(), acks), acks


def acknowledged_without_a_disk(kind: type[Collector]) -> int:
    door = DeafBroker()
    with pytest.raises(Unavailable):
        kind(ROOT, FullDisk()).collect([inbound("press-3/evt/part", fact(1))], door)
    return len(door.acknowledged)


def test_the_broker_hears_of_nothing_that_the_disk_does_not_have() -> None:
    assert acknowledged_without_a_disk(Collector) == 0
    assert acknowledged_without_a_disk(EagerCollector) == 1


def test_what_is_kept_is_new_once_and_acknowledged_to_its_station() -> None:
    found, acks = collector()
    door = DeafBroker()
    first = [inbound("press-3/evt/part", fact(n)) for n in (1, 2)]
    news = found.collect(first, door)
    again = found.collect([inbound("press-3/evt/part", fact(2)), inbound("press-3/evt/gap", gap(3, 9))], door)

    assert [told.what.seq for told in news.told] == [1, 2]
    assert len(again.told) == 1
    assert (found.counts.kept, found.counts.repeated) == (3, 1)
    assert len(door.acknowledged) == 4
    assert acks.due(0.0, 9)[0].ack.upto == {"part": 9, "alarm": 0, "audit": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        inbound("press-3/evt/part", b"nonsense"),
        inbound("press-3/evt/part", fact(1, station="press-4")),
        inbound("press-3/evt/gossip", {}),
        inbound("press-3/state/online", b"\xff"),
        inbound("press-3/ack", {"signed": "{}", "key": "x", "sig": "x"}),
        inbound("press-3", {}),
        inbound("press-3/evt/part", {}, root="else/where"),
    ],
)
def test_what_a_station_says_wrongly_is_counted_and_said_and_taken_from_the_broker(wrong: Happening) -> None:
    found, _ = collector()
    door = DeafBroker()
    news = found.collect([wrong, inbound("press-3/evt/part", fact(1))], door)

    assert found.counts.malformed == 1
    assert len(news.complaints) == 1
    assert len(news.told) == 1
    assert len(door.acknowledged) == 2


def test_a_flood_of_nonsense_is_counted_and_a_part_of_it_said() -> None:
    found, _ = collector()
    news = found.collect([inbound("press-3/evt/part", b"x")] * 500, DeafBroker())

    assert found.counts.malformed == 500
    assert len(news.complaints) == COMPLAINTS


def test_states_are_news_and_an_empty_one_is_none() -> None:
    found, _ = collector()
    news = found.collect([inbound("press-3/state/online", {"online": True}), inbound("a/state/x", b"")], DeafBroker())

    assert [(station, state.name, state.value) for station, state in news.states] == [
        ("press-3", "online", {"online": True})
    ]
    assert found.counts.malformed == 0


def with_key(key: Ed25519PrivateKey) -> tuple[Collector, Acks]:
    public = signing.public_bytes(key)
    acks = Acks(MemoryStore().take_counters, "now")
    return Collector(ROOT, MemoryStore(), acks, {signing.key_id(public): public}), acks


def signed_ack(key: Ed25519PrivateKey, *, retain: bool, arrived_s: float = 0.0, **more: object) -> Inbound:
    said = {"v": 1, "counter": 70, "ledger": LEDGER, "upto": {"part": 40}, "again": "", **more}
    lying = inbound("press-3/ack", signing.sealed(json.dumps(said), f"{ROOT}/press-3/ack", key), retain=retain)
    return replace(lying, arrived_s=arrived_s)


def lying_at_the_broker(key: Ed25519PrivateKey) -> tuple[Collector, Acks, list[str]]:
    found, acks = with_key(Ed25519PrivateKey.from_private_bytes(b"m" * 32))
    news = found.collect([signed_ack(key, retain=True)], DeafBroker())
    return found, acks, news.complaints


def test_a_store_that_begins_anew_takes_over_its_own_word_and_says_so() -> None:
    found, acks, complaints = lying_at_the_broker(Ed25519PrivateKey.from_private_bytes(b"m" * 32))
    found.collect([inbound("press-3/evt/part", fact(41))], DeafBroker())
    due = acks.due(0.0, 9)

    assert "part 1 to 40 was acknowledged" in complaints[0]
    assert due[0].ack.upto["part"] == 41
    assert due[0].ack.counter > 70


def test_our_word_on_an_old_ledger_does_not_turn_us_back() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    found, acks = with_key(key)
    found.collect([inbound("press-3/evt/part", fact(1))], DeafBroker())
    found.collect([signed_ack(key, retain=True, ledger="0" * 16)], DeafBroker())

    assert acks.due(0.0, 9)[0].ack.ledger == LEDGER


def test_the_word_of_another_key_is_only_a_number_that_was_used() -> None:
    found, acks, complaints = lying_at_the_broker(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
    found.collect([inbound("press-3/evt/part", fact(41))], DeafBroker())
    due = acks.due(0.0, 9)

    assert complaints == []
    assert due[0].ack.upto["part"] == 0
    assert due[0].ack.counter > 70


def test_a_word_in_our_name_that_we_did_not_sign_says_nothing() -> None:
    mine = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    said = {"v": 1, "counter": 2**62, "ledger": LEDGER, "upto": {"part": 40}, "again": ""}
    forged = json.loads(signing.sealed(json.dumps(said), f"{ROOT}/press-3/ack", other))
    forged["key"] = signing.key_id(signing.public_bytes(mine))
    public = signing.public_bytes(mine)
    acks = Acks(MemoryStore().take_counters, "now")
    found = Collector(ROOT, MemoryStore(), acks, {signing.key_id(public): public})
    news = found.collect([inbound("press-3/ack", forged, retain=True)], DeafBroker())
    found.collect([inbound("press-3/evt/part", fact(1))], DeafBroker())
    due = acks.due(0.0, 9)

    assert "does not fit" in news.complaints[0]
    assert (due[0].ack.counter, due[0].ack.upto["part"]) == (1, 1)


def test_a_console_that_knows_nothing_of_what_was_acknowledged_says_so_and_goes_on() -> None:
    found, acks = collector()
    news = found.collect([inbound("press-3/evt/part", fact(1001, acknowledged=1000))], DeafBroker())

    assert news.complaints == ["press-3: part 1 to 1000 was acknowledged, is not here, and will not be told"]
    assert acks.due(0.0, 9)[0].ack.upto["part"] == 1001


def test_other_facts_under_known_numbers_are_shown_and_complained_about_once() -> None:
    found, _ = collector()
    found.collect([inbound("press-3/evt/part", fact(n)) for n in (1, 2)], DeafBroker())
    others = [inbound("press-3/evt/part", fact(n, utc=5000.0 + n)) for n in (1, 2)]
    news = found.collect(others, DeafBroker())
    again = found.collect(others, DeafBroker())

    assert [told.what.utc for told in news.told] == [5001.0, 5002.0]
    assert len(news.complaints) == 1
    assert "2 of class part came under numbers of others" in news.complaints[0]
    assert (again.told, again.complaints) == ([], [])


class ChangedAcks(Acks):
    """Wrong: says nothing to a station whose facts are known, so that a word that got lost is never said again."""

    def stored(self, station: str, ledger: str, upto: Mapping[Kind, int]) -> None:
        known = self._stations.get(station)
        if known is None or known.upto != upto:
            super().stored(station, ledger, upto)


def words_for_what_is_told_again(kind: type[Acks]) -> int:
    acks = kind(MemoryStore().take_counters, "now")
    found = Collector(ROOT, MemoryStore(), acks)
    said = 0
    for turn in range(10):
        found.collect([inbound("press-3/evt/part", fact(1))], DeafBroker())
        said += len(acks.due(30.0 * turn, 9))
    return said


def test_a_station_that_tells_again_hears_again_what_is_stored() -> None:
    assert words_for_what_is_told_again(Acks) == 10
    assert words_for_what_is_told_again(ChangedAcks) == 1


def test_a_second_console_is_complained_about_and_given_way() -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"m" * 32)
    found, acks = with_key(key)
    found.collect([inbound("press-3/evt/part", fact(1))], DeafBroker())
    live = signed_ack(key, retain=False, arrived_s=10.0, again="another")
    news = found.collect([live, live], DeafBroker())

    assert len(news.complaints) == 1
    assert "press-3: another console acknowledges it" in news.complaints[0]
    assert acks.due(10.0, 9) == []
    assert acks.due(10.0 + ASIDE_S, 9)[0].ack.upto["part"] == 1
