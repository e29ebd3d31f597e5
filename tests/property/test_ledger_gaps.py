"""Whatever is recorded, told, set aside and deleted: the chain has no hole, and gaps say exactly what is missing."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_parts import part

from edge_agent.ledger import retention
from edge_agent.ledger.batch import Batch
from edge_agent.ledger.facts import FactReader
from edge_agent.ledger.items import Reached, SetAside
from edge_agent.ledger.store import Store
from edge_agent.ledger.tables import FILE_NAME

UTC = 1.7e9
RIPE = 2**62

steps = st.one_of(
    st.tuples(st.just("record"), st.integers(1, 9)),
    st.tuples(st.just("again"), st.integers(1, 5)),  # a trigger that has an answer takes a number all the same
    st.tuples(st.just("reach"), st.integers(0, 12)),
    st.tuples(st.just("aside"), st.integers(0, 12)),
    st.tuples(st.just("trim"), st.integers(1, 3)),
)


class Around:
    """A ledger with few parts to keep, and what should be known of it."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / FILE_NAME)
        self.store.open()
        self.facts = FactReader(folder)
        self.recorded: list[int] = []
        self.lost: set[int] = set()
        self.upto = self.number = 0

    def close(self) -> None:
        self.facts.close()
        self.store.close()

    def do(self, what: str, number: int) -> None:
        match what:
            case "record":
                written = self.store.write(Batch([part(self.number + n) for n in range(1, number + 1)]))
                self.number += number
                self.recorded += [row for row in written.rows if isinstance(row, int)]
            case "again":
                self.store.write(Batch([part(1)] * number if self.number else []))
            case "reach":
                ahead = [seq for seq in self.recorded if seq > self.upto][:number]
                self.upto = max([self.upto, *ahead])
                self.store.write(Batch(told=Reached(self.facts.ledger, {"part": self.upto})))
            case "aside":
                ahead = [fact for fact in self.after() if not fact.why][number : number + 1]
                for fact in ahead:
                    self.store.write(
                        Batch(asides=[SetAside(self.facts.ledger, "part", fact.prev + 1, fact.seq, "unsendable", UTC)])
                    )
                    self.lost.add(fact.seq)
            case _:
                for _ in range(number):
                    self.trim()

    def trim(self) -> None:
        before = self.rows()
        self.store.trim(0, UTC)
        self.lost |= {seq for seq in before - self.rows() if seq > self.upto}

    def rows(self) -> set[int]:
        assert self.store._database is not None
        return {row["id"] for row in self.store._database.query("SELECT id FROM parts")}

    def after(self):
        return self.facts.after("part", self.upto, None, 1000, RIPE)

    def check(self) -> None:
        told = self.after()
        expected = {seq for seq in self.recorded if seq > self.upto}
        here = {fact.seq for fact in told if not fact.why}
        gaps = [fact for fact in told if fact.why]
        missing = {seq for seq in self.recorded for gap in gaps if gap.prev < seq <= gap.seq}
        assert here == expected - self.lost
        assert missing & expected == self.lost & expected
        for gap in gaps:
            assert gap.count == len([seq for seq in self.recorded if gap.prev < seq <= gap.seq and seq in self.lost])
        reached = self.upto
        for fact in told:
            assert fact.prev <= reached < fact.seq
            reached = fact.seq
        assert reached == max([self.upto, *self.recorded])


def run(script: list[tuple[str, int]]) -> None:
    with (
        mock.patch.object(retention, "KEPT_PARTS", 3),
        mock.patch.object(retention, "TRIM_PARTS", 2),
        tempfile.TemporaryDirectory() as folder,
        closing(Around(Path(folder))) as around,
    ):
        for what, number in script:
            around.do(what, number)
            around.check()


@settings(max_examples=40)
@given(st.lists(steps, max_size=14))
def test_the_chain_has_no_hole_and_gaps_are_exact(script: list[tuple[str, int]]) -> None:
    run(script)


def test_the_property_has_teeth() -> None:
    script = [("record", 6), ("reach", 1), ("trim", 1)]
    run(script)
    with mock.patch.object(retention, "_lose", lambda *anything: (False, 0)), pytest.raises(AssertionError):
        run(script)
