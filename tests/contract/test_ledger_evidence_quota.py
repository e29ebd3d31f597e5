"""The quota of kept evidence: what goes first, what goes together, what a full or failing disk does to it."""

import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_values import WINDOW_BYTES, has, opened, picture, put, put_both, window
from ledger_parts import part

from edge_agent.errors import BadData, Unavailable
from edge_agent.ledger import EvidenceStore
from edge_agent.records import Outcome
from edge_agent.runtime.disk import Disk, RealDisk
from edge_agent.testing.disk import FakeDisk


@pytest.fixture(params=["real", "fake"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path) if request.param == "real" else FakeDisk()


def test_the_evidence_of_a_part_is_kept_once(disk: Disk) -> None:
    store = opened(disk)
    digests = {put_both(store, 1).picture for _ in range(3)}

    assert len(digests) == 1
    assert (store.status().kept, store.status().kept_bytes) == (2, 100 + WINDOW_BYTES)


def test_pictures_of_good_parts_go_first_then_the_oldest(disk: Disk) -> None:
    store = opened(disk, 400)
    parts = [put(store, n, outcome) for n, outcome in enumerate([Outcome.NG, Outcome.OK, Outcome.UNSURE, Outcome.OK])]
    kept = []
    for number in range(4, 9):
        parts.append(put(store, number, Outcome.NG))
        kept.append([p.trigger.number for p in parts if store.picture(p)])

    assert kept == [[0, 2, 3, 4], [0, 2, 4, 5], [2, 4, 5, 6], [4, 5, 6, 7], [5, 6, 7, 8]]
    assert store.status().evicted == 5


class OneByOne(EvidenceStore):
    """Wrong: takes single files, not what is kept of a part."""

    def _shrink(self, target_bytes: int) -> int:
        before = self._queue.size_bytes
        while self._queue.size_bytes > target_bytes and (file := self._first()) is not None:
            self._remove(file)
        return before - self._queue.size_bytes


def goes_as_one(disk: Disk, kind: type[EvidenceStore], restarted: bool) -> bool:
    """Fill the quota with three parts; every further one may only take whole parts, in order."""
    both = 100 + WINDOW_BYTES
    store = opened(disk, 3 * both, kind)
    parts = [put_both(store, n, outcome) for n, outcome in enumerate([Outcome.NG, Outcome.UNSURE, Outcome.OK])]
    seen = []
    for number in range(3, 6):
        store = opened(disk, 3 * both, kind) if restarted else store
        parts.append(put(store, number))
        seen.append(has(store, *parts))
    yes, no, alone = (True, True), (False, False), (True, False)
    return seen == [
        [yes, yes, no, alone],
        [yes, yes, no, alone, alone],
        [no, yes, no, alone, alone, alone],
    ]


@pytest.mark.parametrize("restarted", [False, True])
def test_picture_and_window_of_a_part_go_together(disk: Disk, restarted: bool) -> None:
    assert goes_as_one(disk, EvidenceStore, restarted)


@pytest.mark.parametrize("restarted", [False, True])
def test_files_that_go_one_by_one_are_noticed(disk: Disk, restarted: bool) -> None:
    assert not goes_as_one(disk, OneByOne, restarted)


def test_the_quota_counts_pictures_and_windows_and_holds_after_a_restart(disk: Disk) -> None:
    both = 100 + WINDOW_BYTES
    before = opened(disk)
    parts = [put_both(before, number, Outcome.OK if number % 2 else Outcome.NG) for number in range(6)]
    after = opened(disk, 3 * both + 150)

    assert before.status().kept_bytes == 6 * both
    assert after.status().kept_bytes == 3 * both
    assert has(after, *parts) == [(True, True), (False, False)] * 3
    for number in range(6, 9):
        put_both(after, number)
        assert after.status().kept_bytes == 3 * both


def test_a_shared_picture_stays_as_long_as_the_part_that_stays_longest(disk: Disk) -> None:
    store = opened(disk, 700)
    good = put_both(store, 1, Outcome.OK, shown=9)
    put(store, 2, Outcome.OK)
    bad = put_both(store, 3, Outcome.NG, shown=9)
    after = put_both(store, 4, Outcome.OK, shown=9)  # must not make it worth less again
    for number in (5, 6, 7, 8):
        put(store, number, Outcome.UNSURE)
    once_more = opened(disk, 700)

    assert has(store, good, bad, after) == has(once_more, good, bad, after)
    assert has(store, good, bad, after) == [(True, False), (True, True), (True, False)]
    assert store.status().kept_bytes == once_more.status().kept_bytes == 500 + WINDOW_BYTES


def test_a_shared_picture_goes_with_the_newest_part_that_shows_it(disk: Disk) -> None:
    store = opened(disk, 400)
    old, between, new = put(store, 1), put(store, 2), part(3, outcome=Outcome.NG)
    new = replace(new, picture=store.put(new, picture(1)))
    for number in (4, 5, 6):
        put(store, number)

    assert new.picture == old.picture
    assert store.picture(new) == picture(1)
    assert store.picture(between) is None


def test_a_shared_picture_that_somebody_removed_is_written_again(disk: Disk) -> None:
    store = opened(disk)
    old = put(store, 1)
    (name,) = disk.names(f"pictures/{old.picture[:2]}")
    disk.remove(name)
    new = part(2, outcome=Outcome.NG)
    new = replace(new, picture=store.put(new, picture(1)))

    assert store.picture(new) == picture(1)
    assert (store.status().kept, store.status().kept_bytes) == (1, 100)


def test_a_picture_copied_in_from_a_backup_is_counted_once(disk: Disk) -> None:
    judged = put(opened(disk), 1)
    (name,) = disk.names(f"pictures/{judged.picture[:2]}")
    disk.write(name.replace(".1700000001000.", ".1600000001000."), picture(1))
    store = opened(disk)

    assert (store.status().kept, store.status().kept_bytes) == (1, 100)
    assert disk.names(f"pictures/{judged.picture[:2]}") == [name]
    assert opened(disk, 0).status().kept_bytes == 0


def test_what_is_larger_than_the_quota_is_refused_and_costs_no_other(disk: Disk) -> None:
    store = opened(disk, 300)
    judged = put(store, 1)
    with pytest.raises(BadData, match="more than the quota"):
        put(store, 2, size_bytes=301)
    with pytest.raises(BadData, match="more than the quota"):
        store.put(part(3), picture(3, 301 - WINDOW_BYTES), window(3))

    assert store.picture(judged) is not None
    assert store.window(part(3)) is None


def test_room_is_made_until_nothing_is_left(disk: Disk) -> None:
    store = opened(disk)
    put_both(store, 1)
    put(store, 2, Outcome.OK)

    assert (store.make_room(), store.make_room()) == (200 + WINDOW_BYTES, 0)
    assert store.status().kept == 0


@pytest.mark.parametrize("known", [1, 2, 3])
def test_the_order_does_not_depend_on_how_many_files_are_known_by_name(disk: Disk, known: int) -> None:
    both = 100 + WINDOW_BYTES
    store = EvidenceStore(disk, 4 * both, known)
    store.open()
    outcomes = [Outcome.NG, Outcome.OK, Outcome.UNSURE, Outcome.OK, Outcome.NG, Outcome.OK, Outcome.NG, Outcome.NG]
    parts, kept = [], []
    for number, outcome in enumerate(outcomes):
        parts.append(put_both(store, number, outcome))
        kept.append([p.trigger.number for p, there in zip(parts, has(store, *parts), strict=True) if all(there)])
        assert all(picture == window for picture, window in has(store, *parts))

    assert kept[4:] == [[0, 2, 3, 4], [0, 2, 4, 5], [0, 2, 4, 6], [2, 4, 6, 7]]
    assert (store.status().kept, store.status().evicted) == (8, 8)


class Failing(RealDisk):
    """A disk whose writes fail a few times, after some that do not."""

    def __init__(self, root: Path, code: int, failures: int) -> None:
        super().__init__(root)
        self.code, self.failures, self.good = code, failures, 0

    def write(self, name: str, data: bytes) -> None:
        if self.failures and not self.good:
            self.failures -= 1
            raise Unavailable("cannot write") from OSError(self.code, os.strerror(self.code))
        self.good = max(0, self.good - 1)
        super().write(name, data)


def test_on_a_full_disk_older_evidence_gives_up_its_place(tmp_path: Path) -> None:
    disk = Failing(tmp_path, errno.ENOSPC, 0)
    store = opened(disk)
    old = put_both(store, 1)
    disk.failures = 1
    new = put_both(store, 2)

    assert has(store, old, new) == [(False, False), (True, True)]


def test_on_a_broken_disk_no_evidence_is_given_up(tmp_path: Path) -> None:
    disk = Failing(tmp_path, errno.EIO, 0)
    store = opened(disk)
    old = put_both(store, 1)
    disk.failures = 1
    with pytest.raises(Unavailable):
        put_both(store, 2)

    assert has(store, old) == [(True, True)]
    assert store.status().kept == 2


def test_where_the_disk_fails_after_the_window_that_one_is_there_and_counted(tmp_path: Path) -> None:
    disk = Failing(tmp_path, errno.EIO, 1)
    disk.good = 1
    store = opened(disk)
    with pytest.raises(Unavailable):
        put_both(store, 1)

    assert has(store, part(1)) == [(False, True)]
    assert (store.status().kept, store.status().kept_bytes) == (1, WINDOW_BYTES)


def test_a_full_disk_with_nothing_to_give_up_is_said(tmp_path: Path) -> None:
    store = opened(Failing(tmp_path, errno.ENOSPC, 9))
    with pytest.raises(Unavailable):
        put(store, 1)

    assert store.status().kept == 0
