"""What is alive is counted, whoever holds it and through however many views; what has gone is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.runtime.custody import Custody, CustodyStatus

STEPS = st.lists(
    st.tuples(st.sampled_from(["new", "view", "drop", "drop all", "hand"]), st.integers(0, 9)), max_size=60
)
BYTES = 100


def check(kind: type[Custody], steps: list[tuple[str, int]]) -> None:
    """Make, view, hand on and let go of arrays; after each step the count must be that of the living."""
    custody = kind()
    alive: list[list[NDArray[Any]]] = []  # of each array every reference
    holders: list[str] = []
    made = 0
    for step, which in steps:
        at = which % len(alive) if alive else 0
        if step == "new":
            made += 1
            alive.append([np.zeros(BYTES, np.uint8)])
            holders.append("source")
            custody.hand(alive[-1][0], "source", 0.0)
        elif alive and step == "view":
            alive[at].append(alive[at][-1][1:].reshape(-1, 1))
        elif alive and step == "hand":
            holders[at] = f"stage {which}"
            custody.hand(alive[at][-1], holders[at], 1.0)
        elif alive:
            del alive[at][0 if which % 2 else -1]
            if step == "drop all":
                alive[at].clear()
            if not alive[at]:
                del alive[at], holders[at]
        status = custody.status(2.0)
        assert (status.held, status.held_bytes, status.given) == (len(alive), BYTES * len(alive), made)
        assert status.by == {holder: holders.count(holder) for holder in holders}


@given(STEPS)
def test_exactly_what_is_alive_is_counted(steps: list[tuple[str, int]]) -> None:
    check(Custody, steps)


class ByView(Custody):
    """Wrong: lets go of an array with the reference that it was told of, though views of it live on."""

    def hand(self, array: NDArray[Any], holder: str, now: float) -> None:
        super().hand(array[:], holder, now)

    def status(self, now: float) -> CustodyStatus:
        self._held.clear()
        return super().status(now)


@pytest.mark.parametrize("steps", [[("new", 0), ("view", 0), ("drop", 1)], [("new", 0)]])
def test_one_that_lets_go_too_early_is_noticed(steps: list[tuple[str, int]]) -> None:
    with pytest.raises(AssertionError):
        check(ByView, steps)


class Hoarder:
    """A consumer that never lets go: it keeps a row of each picture that it saw."""

    def __init__(self) -> None:
        self.rows: list[NDArray[Any]] = []

    def look(self, image: NDArray[np.uint8]) -> None:
        self.rows.append(image[0])


def run(parts: int, hoards: bool) -> CustodyStatus:
    """Lead parts past inspection and a consumer, one a second; give what is held at the end."""
    custody, hoarder = Custody(old_s=5.0), Hoarder()
    for number in range(parts):
        image = np.zeros((8, 8, 3), np.uint8)
        custody.hand(image, "inspection", float(number))
        custody.hand(image, "hoarder", float(number))
        if hoards:
            hoarder.look(image)
        del image
    return custody.status(float(parts))


def test_a_consumer_that_never_lets_go_is_named() -> None:
    honest, leaking = run(100, hoards=False), run(100, hoards=True)

    assert (honest.held, honest.old) == (0, {})
    assert (leaking.held, leaking.old) == (100, {"hoarder": 95})
    assert leaking.held_bytes == 100 * 8 * 8 * 3
