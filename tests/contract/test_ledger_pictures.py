"""Kept pictures: found by their digest, kept within the quota, the same on the file system and on the fake disk."""

import errno
import hashlib
import os
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.errors import BadData, StateDamaged, Unavailable
from edge_agent.ledger import PictureStore, Snapshot, keep
from edge_agent.ledger.pictures import encoded
from edge_agent.records import Outcome
from edge_agent.runtime.disk import Disk, RealDisk
from edge_agent.testing.disk import FakeDisk


@pytest.fixture(params=["real", "fake"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path) if request.param == "real" else FakeDisk()


def opened(disk: Disk, max_bytes: int = 10**6) -> PictureStore:
    store = PictureStore(disk, max_bytes)
    store.open()
    return store


def picture(number: int, size_bytes: int = 100) -> bytes:
    return bytes([number]) * size_bytes


def put(store: PictureStore, number: int, outcome: Outcome = Outcome.NG, size_bytes: int = 100) -> str:
    return store.put(picture(number, size_bytes), outcome, utc=1000.0 + number)


def test_a_picture_is_found_by_the_digest_of_its_bytes(disk: Disk) -> None:
    digest = put(opened(disk), 1)

    assert digest == hashlib.sha256(picture(1)).hexdigest()
    assert PictureStore(disk, 0).read(digest) == picture(1)  # as another process reads it


def test_a_picture_that_is_not_there_is_none_and_a_wrong_digest_bad_data(disk: Disk) -> None:
    store = opened(disk)

    assert store.read("ab" * 32) is None
    for wrong in ("", "../ledger.db", "AB" * 32, "ab" * 31):
        with pytest.raises(BadData, match="is not the digest"):
            store.read(wrong)


def test_the_same_picture_is_kept_once(disk: Disk) -> None:
    store = opened(disk)
    digests = {put(store, 1) for _ in range(3)}

    assert len(digests) == 1
    assert (store.status().kept, store.status().kept_bytes) == (1, 100)


def test_pictures_of_good_parts_go_first_then_the_oldest(disk: Disk) -> None:
    store = opened(disk, 400)
    digests = {}
    for number, outcome in enumerate([Outcome.NG, Outcome.OK, Outcome.UNSURE, Outcome.OK]):
        digests[number] = put(store, number, outcome)
    kept = []
    for number in range(4, 9):
        digests[number] = put(store, number, Outcome.NG)
        kept.append([n for n, digest in digests.items() if store.read(digest)])

    assert kept == [[0, 2, 3, 4], [0, 2, 4, 5], [2, 4, 5, 6], [4, 5, 6, 7], [5, 6, 7, 8]]
    assert store.status().evicted == 5


def test_the_quota_and_the_order_hold_after_a_restart(disk: Disk) -> None:
    before = opened(disk)
    digests = [put(before, number, Outcome.OK if number % 2 else Outcome.NG) for number in range(6)]
    after = opened(disk, 300)

    assert after.status().kept_bytes == 300
    assert [n for n, digest in enumerate(digests) if after.read(digest)] == [0, 2, 4]


def test_a_good_parts_picture_that_also_shows_a_bad_part_stays_as_long_as_evidence(disk: Disk) -> None:
    store = opened(disk, 300)
    both = put(store, 1, Outcome.OK)
    put(store, 2, Outcome.OK)
    store.put(picture(1), Outcome.NG, utc=2000.0)
    again = store.put(picture(1), Outcome.OK, utc=3000.0)
    for number in (3, 4):
        put(store, number, Outcome.UNSURE)

    assert again == both
    assert store.read(both) == picture(1)
    assert (store.status().kept, store.status().kept_bytes) == (3, 300)
    assert opened(disk).status().kept == 3


def test_what_is_larger_than_the_quota_is_refused_and_costs_no_other(disk: Disk) -> None:
    store = opened(disk, 300)
    digest = put(store, 1)
    with pytest.raises(BadData, match="larger than the quota"):
        put(store, 2, size_bytes=301)

    assert store.read(digest) is not None


def test_files_of_others_are_left_alone(disk: Disk) -> None:
    disk.write("pictures/ab/notes.txt", b"mine")
    disk.write("pictures/ab/half.new", b"half")
    store = opened(disk, 100)
    put(store, 1)

    assert disk.read("pictures/ab/notes.txt") == b"mine"
    assert not disk.exists("pictures/ab/half.new")


def test_a_damaged_picture_is_not_shown(disk: Disk) -> None:
    digest = put(opened(disk), 1)
    (name,) = disk.names(f"pictures/{digest[:2]}")
    disk.write(name, picture(2))

    with pytest.raises(StateDamaged, match="damaged"):
        opened(disk).read(digest)


def test_room_is_made_until_nothing_is_left(disk: Disk) -> None:
    store = opened(disk)
    put(store, 1)
    put(store, 2, Outcome.OK)

    assert (store.make_room(), store.make_room()) == (200, 0)
    assert store.status().kept == 0


def test_pictures_are_for_their_owner_alone(tmp_path: Path) -> None:
    put(opened(RealDisk(tmp_path)), 1)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


class Failing(RealDisk):
    """A disk whose writes fail a few times."""

    def __init__(self, root: Path, code: int, failures: int) -> None:
        super().__init__(root)
        self.code, self.failures = code, failures

    def write(self, name: str, data: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("cannot write") from OSError(self.code, os.strerror(self.code))
        super().write(name, data)


def test_on_a_full_disk_older_pictures_give_up_their_place(tmp_path: Path) -> None:
    disk = Failing(tmp_path, errno.ENOSPC, 0)
    store = opened(disk)
    old = put(store, 1)
    disk.failures = 1
    new = put(store, 2)

    assert store.read(old) is None
    assert store.read(new) == picture(2)


def test_on_a_broken_disk_no_picture_is_given_up(tmp_path: Path) -> None:
    disk = Failing(tmp_path, errno.EIO, 0)
    store = opened(disk)
    old = put(store, 1)
    disk.failures = 1
    with pytest.raises(Unavailable):
        put(store, 2)

    assert store.read(old) == picture(1)
    assert store.status().kept == 1


def test_a_full_disk_with_nothing_to_give_up_is_said(tmp_path: Path) -> None:
    store = opened(Failing(tmp_path, errno.ENOSPC, 9))
    with pytest.raises(Unavailable):
        put(store, 1)

    assert store.status().kept == 0


def test_a_kept_picture_is_exactly_what_was_judged(disk: Disk) -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    store = opened(disk)
    pictured = keep(store, Snapshot("sim-1", 7, Outcome.NG, 1000.0, image))
    data = store.read(pictured.picture)

    assert (pictured.series, pictured.number) == ("sim-1", 7)
    assert data is not None
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), image)


def test_a_jpeg_would_not_be() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])

    assert (cv2.imdecode(data, cv2.IMREAD_COLOR) != image).any()


def test_what_cannot_be_encoded_is_bad_data() -> None:
    with pytest.raises(BadData, match="cannot be encoded"):
        encoded(np.zeros((0, 0, 3), np.uint8))
