"""What the reading side answers, on a real database."""

import itertools
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_parts import SERIES, missed, part

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.ledger import Misses, Reader
from edge_agent.ledger import reader as reading
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.store import Store
from edge_agent.records import Event, Outcome, Part, Times


def utc_of(number: int) -> float:
    return part(number).decided_utc


def filled(folder: Path, batch: Batch) -> Path:
    store = Store(folder / "ledger.db")
    store.open()
    store.write(batch)
    store.close()
    return folder


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    outcomes = [Outcome.OK, Outcome.NG, Outcome.UNSURE, Outcome.OK]
    parts = [part(number, outcome=outcome) for number, outcome in enumerate(outcomes, 1)]
    events = [Event(float(n), ("info", "error")[n % 2], "camera", "dark_picture", "it is dark") for n in range(6)]
    with Reader(filled(tmp_path, Batch(parts, events=events))) as reader:
        yield reader


def numbers(parts: object) -> list[int]:
    return [found.trigger.number for found in parts]


def test_counts(reader: Reader) -> None:
    assert reader.counts() == {Outcome.OK: 2, Outcome.NG: 1, Outcome.UNSURE: 1, Outcome.MISSED: 0}
    assert reader.counts(utc_of(3)) == {Outcome.OK: 1, Outcome.NG: 0, Outcome.UNSURE: 1, Outcome.MISSED: 0}


def test_parts_by_number_by_trigger_and_by_outcome(reader: Reader) -> None:
    assert reader.part(2).verdict.outcome is Outcome.NG
    assert numbers(reader.parts_of(SERIES, [99, 3])) == [3]
    assert numbers(reader.recent(2)) == [4, 3]
    assert numbers(reader.recent(9, [Outcome.NG, Outcome.UNSURE])) == [3, 2]
    for number in (99, 2**63, 10**30):
        with pytest.raises(BadData, match=f"there is no part {number}"):
            reader.part(number)


def test_parts_since(reader: Reader) -> None:
    assert numbers(reader.parts()) == [1, 2, 3, 4]
    assert numbers(reader.parts(utc_of(3))) == [3, 4]
    assert numbers(reader.parts(utc_of(99))) == []


def test_a_clock_that_was_set_back_hides_no_part(tmp_path: Path) -> None:
    parts = [replace(part(n), decided_utc=utc) for n, utc in enumerate([100.0, 300.0, 200.0, 50.0, 400.0], 1)]
    with Reader(filled(tmp_path, Batch(parts))) as reader:
        assert numbers(reader.parts(200.0)) == [2, 3, 5]


def test_parts_come_in_pages_and_with_constant_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PAGE_ROWS", 50)
    many = [part(number) for number in range(1, 3001)]
    with Reader(filled(tmp_path, Batch(many))) as reader:
        seen, peaks = 0, []
        tracemalloc.start()
        for seen, _ in enumerate(reader.parts(), 1):
            if seen in (300, 3000):
                peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert seen == 3000
    assert peaks[1] < 1.2 * peaks[0]


def test_events(reader: Reader) -> None:
    assert [event.time_utc for event in reader.events(2)] == [5.0, 4.0]
    assert [event.time_utc for event in reader.events(9, since_utc=3.0)] == [5.0, 4.0, 3.0]
    assert [event.time_utc for event in reader.events(9, severities=["error"])] == [5.0, 3.0, 1.0]


def timed(number: int, times: Times) -> Part:
    return replace(part(number), times=times)


def test_latencies_of_each_hop(tmp_path: Path) -> None:
    parts = [timed(n, Times(1.0, 1.0, 2.0, 2.0 + n / 1000, 3.0, 3.5)) for n in range(1, 101)]
    lone = timed(200, Times(1.0))
    with Reader(filled(tmp_path, Batch([*parts, lone, missed(300)]))) as reader:
        hops = {latency.hop: latency for latency in reader.latencies()}
        last = {latency.hop: latency for latency in reader.latencies(last=11)}

    assert hops["paired-inferred"].parts == 100
    assert hops["paired-inferred"].p50_ms == pytest.approx(50.5)
    assert hops["paired-inferred"].p99_ms == pytest.approx(99.01)
    assert hops["paired-inferred"].max_ms == pytest.approx(100.0)
    assert hops["paired-committed"].p50_ms == pytest.approx(1500.0)
    assert "trigger-acted" not in hops
    assert last["paired-inferred"].parts == 10


def test_an_empty_ledger_answers_everything(tmp_path: Path) -> None:
    with Reader(filled(tmp_path, Batch())) as reader:
        assert sum(reader.counts().values()) == 0
        assert (list(reader.parts()), reader.recent(5), reader.latencies(), reader.events(5)) == ([], [], [], [])
        assert (reader.last_series(), reader.last_number(SERIES)) == (None, 0)
        assert reader.unanswered(SERIES, 3) == [Misses(SERIES, 1, 3, "restart")]
        assert reader.problems() == []


def test_a_reader_says_what_is_wrong_with_the_file(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Reader(tmp_path)
    (tmp_path / "ledger.db").write_bytes(b"not a database" * 20)
    with pytest.raises(StateDamaged):
        Reader(tmp_path)


# Gaps: what a kill leaves behind.


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Reader]]:
    folder = tmp_path_factory.mktemp("gaps")
    store = Store(folder / "ledger.db")
    store.open()
    with Reader(folder) as reader:
        yield store, reader
    store.close()


def spelt_out(ranges: list[Misses]) -> list[int]:
    return [number for missed in ranges for number in range(missed.first, missed.last + 1)]


unused_series = map("line-{}".format, itertools.count())


@given(answered=st.sets(st.integers(1, 40)), count=st.integers(0, 50))
def test_exactly_the_triggers_without_a_row_are_found(
    gaps: tuple[Store, Reader], answered: set[int], count: int
) -> None:
    store, reader = gaps
    series = next(unused_series)
    store.write(Batch([part(number, series) for number in answered]))
    found = reader.unanswered(series, count)
    store.write(Batch(misses=found))

    assert spelt_out(found) == sorted(set(range(1, count + 1)) - answered)
    assert reader.unanswered(series, count) == []


def test_gaps_are_looked_for_in_a_window_and_the_tail_in_full(
    gaps: tuple[Store, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "GAP_WINDOW", 10)
    store, reader = gaps
    series = next(unused_series)
    store.write(Batch([part(number, series) for number in (1, 50, 96, 98, 100)]))

    assert reader.last_number(series) == 100
    assert spelt_out(reader.unanswered(series, 100)) == [91, 92, 93, 94, 95, 97, 99]
    assert reader.unanswered(series, 10**12)[-1] == Misses(series, 101, 10**12, "restart")


def test_of_a_count_that_nobody_knew_the_last_numbers_are_missed_and_no_million(
    gaps: tuple[Store, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "GAP_WINDOW", 10)
    store, reader = gaps
    series = next(unused_series)
    found = reader.unanswered(series, 5_000)
    store.write(Batch(misses=found))
    store.write(Batch([part(number, series) for number in range(5_001, 5_004)]))

    assert spelt_out(found) == list(range(4_991, 5_001))
    assert reader.unanswered(series, 5_003) == []


def test_the_newest_series_is_known(gaps: tuple[Store, Reader]) -> None:
    store, reader = gaps
    series = next(unused_series)
    store.write(Batch([part(1, series)]))

    assert reader.last_series() == series
