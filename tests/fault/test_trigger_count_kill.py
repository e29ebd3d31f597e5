"""The trigger count under SIGKILL and damage: no number is given out twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_agent.errors import Unavailable
from edge_agent.sources.count import SLOT_BYTES, TriggerCount
from edge_agent.sources.source import Position

COUNTING = """
import sys
from pathlib import Path
from edge_agent.sources.count import TriggerCount

count = TriggerCount(Path(sys.argv[1]), lambda: "a")
count.open()
while True:
    sys.stdout.write(f"{count.advance().number}\\n")
    sys.stdout.flush()
"""


def opened(path: Path, series: str = "new") -> Position:
    count = TriggerCount(path, lambda: series)
    try:
        return count.open()
    finally:
        count.close()


def test_a_killed_process_never_gave_out_a_number_that_was_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "triggers"
    last = 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", COUNTING, path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = int(process.stdout.readline())
            threading.Event().wait(0.05)
            process.kill()
            told = [first, *(int(line) for line in process.stdout.read().split("\n")[:-1])]
        kept = opened(path).number

        assert first == last + 1
        assert told == list(range(first, first + len(told)))
        assert told[-1] <= kept <= told[-1] + 1
        last = kept


@pytest.mark.parametrize("damage", [b"", b"x" * 10, b"\0" * 2 * SLOT_BYTES, b"x" * 4096])
def test_a_damaged_count_is_a_new_series(damage: bytes, tmp_path: Path) -> None:
    path = tmp_path / "triggers"
    path.write_bytes(damage)

    assert opened(path) == Position("new", 0)
    assert opened(path, "other") == Position("new", 0)


def test_one_damaged_slot_costs_one_number_at_most(tmp_path: Path) -> None:
    path = tmp_path / "triggers"
    count = TriggerCount(path, lambda: "a")
    count.open()
    for _ in range(7):
        count.advance()
    count.close()
    for slot in (0, 1):
        data = bytearray(path.read_bytes())
        data[slot * SLOT_BYTES + 30] ^= 1
        damaged = tmp_path / f"damaged{slot}"
        damaged.write_bytes(data)

        assert opened(damaged).number in (6, 7)


@pytest.mark.parametrize("name", ["folder", "nowhere/triggers"])
def test_a_count_that_cannot_be_kept_is_unavailable(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(Unavailable, match="cannot be kept") as caught:
        opened(tmp_path / name)
    assert caught.value.hint


def test_a_write_that_fails_is_counted_and_the_count_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = TriggerCount(tmp_path / "triggers", lambda: "a")
    count.open()
    count.advance()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge_agent.sources.count.os.pwrite", full)
    assert count.advance() == Position("a", 2)
    assert count.unsaved == 1
    count.close()
