"""Power goes at any moment while pictures are kept: none is torn, and those that were kept stay."""

import hashlib
from collections.abc import Mapping

import pytest

from edge_agent.ledger import PictureStore
from edge_agent.records import Outcome
from edge_agent.runtime.disk import Disk
from edge_agent.testing.disk import FakeDisk, power_cuts

OLD, NEW = b"old picture" * 3, b"new picture" * 3
QUOTA = 2 * len(OLD)


def keep(disk: Disk, data: bytes, utc: float, outcome: Outcome = Outcome.NG) -> None:
    store = PictureStore(disk, QUOTA)
    store.open()
    store.put(data, outcome, utc)


def naive_keep(disk: Disk, data: bytes, utc: float) -> None:
    """Wrong: writes under the final name."""
    digest = hashlib.sha256(data).hexdigest()
    disk.write(f"pictures/{digest[:2]}/{digest[2:]}.{int(utc * 1000)}.ng.{len(data)}.png", data)
    disk.sync(f"pictures/{digest[:2]}")


def before() -> Mapping[str, bytes]:
    disk = FakeDisk()
    keep(disk, OLD, 1000.0)
    (files,) = disk.outcomes()
    return files


def read(files: Mapping[str, bytes], data: bytes) -> bytes | None:
    store = PictureStore(FakeDisk(files), QUOTA)
    store.open()
    return store.read(hashlib.sha256(data).hexdigest())


def check(files: Mapping[str, bytes]) -> None:
    assert read(files, OLD) == OLD
    assert read(files, NEW) in (None, NEW)
    disk = FakeDisk(files)
    keep(disk, NEW, 1001.0)
    assert read(disk.outcomes()[0], NEW) == NEW


def test_a_power_cut_leaves_the_picture_or_none() -> None:
    outcomes = list(power_cuts(before(), lambda disk: keep(disk, NEW, 1001.0)))

    assert len(outcomes) > 5
    for files in outcomes:
        check(files)


def test_the_sweep_has_teeth() -> None:
    with pytest.raises(Exception, match="is damaged"):
        for files in power_cuts(before(), lambda disk: naive_keep(disk, NEW, 1001.0)):
            check(files)


def test_a_picture_that_was_kept_survives() -> None:
    disk = FakeDisk(before())
    keep(disk, NEW, 1001.0)

    for files in disk.outcomes():
        assert read(files, NEW) == NEW


def test_a_picture_that_becomes_evidence_is_there_at_any_moment() -> None:
    for files in power_cuts(before(), lambda disk: keep(disk, OLD, 1002.0)):
        assert read(files, OLD) == OLD
    good = FakeDisk()
    keep(good, OLD, 1000.0, Outcome.OK)
    for files in power_cuts(good.outcomes()[0], lambda disk: keep(disk, OLD, 1002.0)):
        assert read(files, OLD) == OLD
