"""Power goes at any moment while evidence is kept: no file is torn, what was kept stays, and a half is no harm."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from ledger_parts import part

from edge_agent.ledger import EvidenceStore, windows
from edge_agent.ledger.evidencefile import window_stem
from edge_agent.records import Outcome, Part
from edge_agent.runtime.disk import Disk
from edge_agent.testing.disk import FakeDisk, power_cuts

OLD, NEW = b"old picture" * 3, b"new picture" * 3
OLD_SAMPLES, NEW_SAMPLES = (np.full((4, 3), value, np.float32) for value in (1.0, 2.0))
QUOTA = 2 * (len(OLD) + len(windows.encoded(OLD_SAMPLES, 1000.0)))

FIRST, SECOND, THIRD = (part(number, outcome=Outcome.NG) for number in (1, 2, 3))
ALL = {1: (OLD, OLD_SAMPLES), 2: (NEW, NEW_SAMPLES), 3: (NEW[:-1] + b"3", NEW_SAMPLES)}


def keep(disk: Disk, judged: Part, picture: bytes | None = None) -> None:
    own, samples = ALL[judged.trigger.number]
    store = EvidenceStore(disk, QUOTA)
    store.open()
    store.put(judged, own if picture is None else picture, windows.encoded(samples, 1000.0))


def naive_keep(disk: Disk, judged: Part) -> None:
    """Wrong: writes under the final names."""
    picture, samples = ALL[judged.trigger.number]
    digest, data = hashlib.sha256(picture).hexdigest(), windows.encoded(samples, 1000.0)
    named = f"{int(judged.decided_utc * 1000)}.ng"
    disk.write(f"{window_stem(judged)}.{named}.{len(data)}.window", data)
    disk.sync(window_stem(judged).rpartition("/")[0])
    disk.write(f"pictures/{digest[:2]}/{digest[2:]}.{named}.{len(picture)}.png", picture)
    disk.sync(f"pictures/{digest[:2]}")


def after(*judged: Part) -> Mapping[str, bytes]:
    """What is safely on a disk on which these were kept."""
    disk = FakeDisk()
    for each in judged:
        keep(disk, each)
    (files,) = disk.outcomes()
    return files


def read(files: Mapping[str, bytes], judged: Part, picture: bytes | None = None) -> tuple[bool, bool]:
    """Say whether picture and window are there at the next start; what is there must be what was kept."""
    own, samples = ALL[judged.trigger.number]
    own = own if picture is None else picture
    store = EvidenceStore(FakeDisk(files), QUOTA)
    store.open()
    data = store.picture(replace(judged, picture=hashlib.sha256(own).hexdigest()))
    window = store.window(judged)
    assert data in (None, own)
    if window is not None:
        np.testing.assert_array_equal(window[0], samples)
    return data is not None, window is not None


def check(files: Mapping[str, bytes]) -> tuple[bool, bool]:
    assert read(files, FIRST) == (True, True)
    found = read(files, SECOND)
    disk = FakeDisk(files)
    keep(disk, SECOND)
    assert read(disk.outcomes()[0], SECOND) == (True, True)
    return found


def test_a_power_cut_leaves_each_file_whole_or_not_there() -> None:
    found = [check(files) for files in power_cuts(after(FIRST), lambda disk: keep(disk, SECOND))]

    assert len(found) > 10
    assert set(found) == {(False, False), (False, True), (True, True)}  # never a picture whose window was lost


def test_the_sweep_has_teeth() -> None:
    with pytest.raises(Exception, match="is damaged"):
        for files in power_cuts(after(FIRST), lambda disk: naive_keep(disk, SECOND)):
            check(files)


def test_evidence_that_was_kept_survives() -> None:
    disk = FakeDisk(after(FIRST))
    keep(disk, SECOND)

    for files in disk.outcomes():
        assert read(files, SECOND) == (True, True)


def test_a_power_cut_while_the_oldest_part_makes_room_costs_no_other() -> None:
    found = set()
    for files in power_cuts(after(FIRST, SECOND), lambda disk: keep(disk, THIRD)):
        assert read(files, SECOND) == (True, True)
        found.add(read(files, FIRST))
        disk = FakeDisk(files)
        keep(disk, THIRD)
        assert [read(disk.outcomes()[0], each) for each in (SECOND, THIRD)] == [(True, True)] * 2

    assert {(True, True), (False, False)} <= found


def test_that_a_later_part_shows_the_picture_too_survives() -> None:
    disk = FakeDisk(after(FIRST))
    keep(disk, SECOND, OLD)
    later = str(int(SECOND.decided_utc * 1000))

    for files in disk.outcomes():
        assert [later in name for name in files if name.startswith("pictures/")] == [True]


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.NG])
def test_a_picture_that_another_part_shows_too_is_there_at_any_moment(outcome: Outcome) -> None:
    first = replace(FIRST, verdict=replace(FIRST.verdict, outcome=outcome))
    for files in power_cuts(after(first), lambda disk: keep(disk, SECOND, OLD)):
        assert read(files, first) == (True, True)
        disk = FakeDisk(files)
        keep(disk, SECOND, OLD)
        assert read(disk.outcomes()[0], SECOND, OLD) == (True, True)
        assert sum(name.startswith("pictures/") for name in disk.outcomes()[0]) == 1
