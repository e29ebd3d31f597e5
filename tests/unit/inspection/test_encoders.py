"""The bundles of a lane: loaded once, the least recently used let go, what is wrong never kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import DeviceFault
from edge_agent.inspection.encoders import Encoders, Evictions
from edge_agent.scheduler.job import CannotRun


@dataclass
class Made:
    """Stands in for a bundle."""

    name: str

    @property
    def digest(self) -> str:
        return f"digest of {self.name}"


@dataclass
class Loaded:
    """Stands in for an encoder."""

    name: str
    right: bool = True
    closed: bool = False
    unproven: int = 0

    def prove(self) -> int:
        if not self.right:
            raise DeviceFault("other numbers than the desk")
        return 3

    def prove_together(self) -> frozenset[int]:
        return frozenset({2} if self.name == "a" else ())

    def prove_one(self) -> Any:
        return self.name

    def close(self) -> None:
        self.closed = True


@dataclass
class Bench:
    """Memory for so many bundles."""

    room: int
    wrong: str = ""
    refused: str = ""
    made: list[Loaded] = field(default_factory=list)
    evictions: Evictions = field(default_factory=Evictions)
    fits: int = 9  #: so many are within the budget once they are loaded

    def __post_init__(self) -> None:
        self.encoders = Encoders(
            self.make,
            lambda: len(self.open) < self.room,
            self.evictions,
            lambda bundle: "no device" if bundle.name == self.refused else "",
            lambda: len(self.open) <= self.fits,
        )

    def make(self, bundle: Any) -> Any:
        self.made.append(Loaded(bundle.name, right=bundle.name != self.wrong))
        return self.made[-1]

    @property
    def open(self) -> list[str]:
        return [one.name for one in self.made if not one.closed]

    def use(self, *names: str) -> None:
        for name in names:
            self.encoders.of(Made(name))  # type: ignore[arg-type]


def test_each_bundle_is_loaded_once_however_many_recipes_use_it() -> None:
    bench = Bench(room=2)
    bench.use("a", "b", "a", "b", "a")

    assert [one.name for one in bench.made] == ["a", "b"]
    assert bench.evictions.count == 0


def test_the_one_that_was_not_used_for_the_longest_time_is_let_go() -> None:
    bench = Bench(room=2)
    bench.use("a", "b", "a", "c")

    assert bench.open == ["a", "c"]
    assert bench.evictions.count == 1


def test_for_one_that_cannot_run_here_nothing_is_let_go() -> None:
    bench = Bench(room=1, refused="b")
    bench.encoders.load([Made(name) for name in "ab"])  # type: ignore[misc]
    with pytest.raises(CannotRun, match="bundle b: no device"):
        bench.use("b")

    assert bench.open == ["a"]
    assert [one.name for one in bench.made] == ["a"]
    assert bench.evictions.count == 0


def test_one_is_loaded_even_where_there_is_room_for_none() -> None:
    bench = Bench(room=0)
    bench.use("a", "b")

    assert bench.open == ["b"]


def test_what_takes_more_than_was_reckoned_with_has_others_let_go_and_never_itself() -> None:
    bench = Bench(room=9, fits=2)
    bench.use("a", "b", "a", "c")
    assert bench.open == ["a", "c"] and bench.evictions.count == 1

    alone = Bench(room=9, fits=0)
    alone.use("a", "b")
    assert alone.open == ["b"]


def test_in_advance_what_takes_more_than_was_reckoned_with_is_let_go_itself() -> None:
    bench = Bench(room=9, fits=2)
    bench.encoders.load([Made(name) for name in "abc"])  # type: ignore[misc]

    assert bench.open == ["a", "b"] and bench.evictions.count == 1


def test_in_advance_the_first_is_loaded_in_any_case_and_the_others_as_there_is_room() -> None:
    bench = Bench(room=2)
    bench.encoders.load([Made(name) for name in "abc"])  # type: ignore[misc]

    assert bench.open == ["a", "b"]
    assert bench.encoders.prove() == 6


def test_what_gives_other_numbers_is_not_kept() -> None:
    bench = Bench(room=2, wrong="b")
    bench.use("a")
    for _ in range(2):
        with pytest.raises(CannotRun, match="bundle b: other numbers"):
            bench.use("b")

    assert bench.open == ["a"]
    assert bench.encoders.prove() == 3


def test_the_one_in_use_is_the_one_that_is_proven_and_runs() -> None:
    bench = Bench(room=2)
    bench.use("a", "b", "a")

    assert bench.encoders.prove_one() == "a"
    bench.encoders.close()
    assert bench.open == []


def test_a_further_bundle_that_gives_other_numbers_leaves_the_first_as_it_is() -> None:
    bench = Bench(room=3, wrong="b")
    bench.encoders.load([Made(name) for name in "abc"])  # type: ignore[misc]

    assert bench.open == ["a", "c"]
    assert bench.encoders.prove() == 6


def test_a_further_bundle_that_has_come_to_give_other_numbers_is_let_go_and_the_first_is_not() -> None:
    bench = Bench(room=3)
    bench.encoders.load([Made(name) for name in "ab"])  # type: ignore[misc]
    bench.made[1].right = False
    assert bench.encoders.prove() == 3
    assert bench.open == ["a"]
    bench.made[0].right = False

    with pytest.raises(DeviceFault):
        bench.encoders.prove()


def test_where_nothing_is_loaded_nothing_is_proven() -> None:
    bench = Bench(room=1)

    with pytest.raises(DeviceFault, match="no bundle is loaded"):
        bench.encoders.prove()
    with pytest.raises(DeviceFault, match="no bundle is loaded"):
        bench.encoders.prove_one()


def test_how_many_pieces_go_together_is_known_of_what_is_loaded_and_proven() -> None:
    bench = Bench(room=2)
    bench.encoders.load([Made("a")])  # type: ignore[list-item]
    assert bench.encoders.sizes == {}
    bench.encoders.prove_together()
    bench.use("b")
    assert bench.encoders.sizes == {"digest of a": {2}, "digest of b": frozenset()}
    bench.use("a", "c")  # for which b is let go

    assert set(bench.encoders.sizes) == {"digest of a", "digest of c"}


def test_where_two_devices_compute_nobody_can_tell_which_hangs_until_one_has_ended() -> None:
    encoders = Bench(room=1).encoders
    cpu, gpu = Spot(DeviceName("openvino", "cpu")), Spot(DeviceName("openvino", "gpu"))
    seen = [encoders.at]
    for happens, spot in (("began", cpu), ("began", gpu), ("ended", gpu), ("ended", cpu), ("began", gpu)):
        getattr(encoders, happens)(spot)
        seen.append(encoders.at)

    assert seen == ["", "openvino/cpu", "", "openvino/cpu", "openvino/gpu", "openvino/gpu"]
