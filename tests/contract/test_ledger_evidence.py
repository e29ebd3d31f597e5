"""Kept evidence: found by the part's row, exactly what was judged, the same on the file system and on the fake disk."""

import hashlib
import os
import stat
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from evidence_values import WINDOW_BYTES, has, opened, picture, put, put_both, window
from ledger_parts import SERIES, part

from edge_agent.errors import BadData, StateDamaged
from edge_agent.ledger import EvidenceStore, Reader, keep, pictures, windows
from edge_agent.ledger.batch import Batch, Late
from edge_agent.ledger.store import Store
from edge_agent.records import Frame, Outcome, VibrationWindow
from edge_agent.runtime.disk import Disk, RealDisk
from edge_agent.testing.disk import FakeDisk


@pytest.fixture(params=["real", "fake"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return RealDisk(tmp_path) if request.param == "real" else FakeDisk()


def test_a_picture_is_found_by_the_digest_of_its_bytes(disk: Disk) -> None:
    judged = put(opened(disk), 1)

    assert judged.picture == hashlib.sha256(picture(1)).hexdigest()
    assert EvidenceStore(disk).read(judged.picture) == picture(1)  # as another process reads it
    assert EvidenceStore(disk).picture(judged) == picture(1)


def test_a_picture_that_is_not_there_is_none_and_a_wrong_digest_bad_data(disk: Disk) -> None:
    store = opened(disk)

    assert store.read("ab" * 32) is None
    assert (store.picture(part(1)), store.window(part(1))) == (None, None)
    for wrong in ("", "../ledger.db", "AB" * 32, "ab" * 31):
        with pytest.raises(BadData, match="is not the digest"):
            store.read(wrong)


def test_a_window_is_found_without_the_row_saying_so_and_is_what_was_kept(disk: Disk) -> None:
    samples = np.random.default_rng(1).normal(size=(2133, 3)).astype(np.float32)
    judged = part(1)
    digest = opened(disk).put(judged, b"", windows.encoded(samples, 26_667.125))
    found = EvidenceStore(disk).window(judged)

    assert digest == ""
    assert found is not None
    np.testing.assert_array_equal(found[0], samples)
    assert (found[0].dtype, found[1]) == (np.float32, 26_667.125)


@pytest.mark.parametrize(
    ("series", "number", "utc"),
    [(SERIES, 2, 1000.0), ("sim-2", 1, 1000.0), (SERIES, 1, 1000.001), ("", 1, 1000.0), ("1 sim-1", 1, 1000.0)],
)
def test_a_window_belongs_to_one_part_alone(disk: Disk, series: str, number: int, utc: float) -> None:
    own = replace(part(1), decided_utc=1000.0)
    other = replace(own, trigger=replace(own.trigger, series=series, number=number), decided_utc=utc)
    store = opened(disk)
    store.put(own, b"", window(1))

    assert store.window(own) is not None
    assert store.window(other) is None


def test_parts_that_share_a_picture_have_windows_of_their_own(disk: Disk) -> None:
    store = opened(disk)
    first, second = (put_both(store, number, shown=9) for number in (1, 2))

    assert first.picture == second.picture
    for judged, number in ((first, 1), (second, 2)):
        assert store.picture(judged) == picture(9)
        found = store.window(judged)
        assert found is not None
        assert (found[0] == number).all()
    assert (store.status().kept, store.status().kept_bytes) == (3, 100 + 2 * WINDOW_BYTES)


def test_a_picture_that_got_another_name_before_it_was_read_is_read_all_the_same(disk: Disk) -> None:
    store = opened(disk)
    old = put(store, 1)
    real_read = disk.read

    def read(name: str, limit_bytes: int) -> bytes:
        store.put(part(2, outcome=Outcome.NG), picture(1))
        return real_read(name, limit_bytes)

    disk.read = read  # the moment between listing and reading

    assert EvidenceStore(disk).picture(old) == picture(1)


def test_pictures_that_an_earlier_release_kept_are_found_and_counted(disk: Disk) -> None:
    digest = hashlib.sha256(picture(1)).hexdigest()
    disk.write(f"pictures/{digest[:2]}/{digest[2:]}.1600000000000.ng.100.png", picture(1))
    store = opened(disk)

    assert store.picture(replace(part(1), picture=digest)) == picture(1)
    assert store.status().kept_bytes == 100


def test_files_of_others_are_left_alone(disk: Disk) -> None:
    others = ["pictures/ab/notes.txt", "windows/ab/notes.txt"]
    others += [f"{where}/ab/{'c' * 62}.1.ng.5.{what}" for where, what in (("pictures", "window"), ("windows", "png"))]
    for name in others:
        disk.write(name, b"other")
    for folder in ("pictures", "windows"):
        disk.write(f"{folder}/ab/half.new", b"half")
    store = opened(disk)
    put(store, 1)

    assert [disk.read(name) for name in others] == [b"other"] * len(others)
    assert not any(disk.exists(f"{folder}/ab/half.new") for folder in ("pictures", "windows"))
    assert store.status().kept == 1


def test_a_damaged_picture_is_not_shown(disk: Disk) -> None:
    judged = put(opened(disk), 1)
    (name,) = disk.names(f"pictures/{judged.picture[:2]}")
    disk.write(name, picture(2))

    with pytest.raises(StateDamaged, match="damaged"):
        opened(disk).picture(judged)


@pytest.mark.parametrize(
    "spoilt",
    [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"", lambda data: data[:60] + b"\1" + data[61:]],
    ids=["short", "long", "empty", "another byte"],
)
def test_a_damaged_window_is_named_and_the_picture_is_still_shown(disk: Disk, spoilt) -> None:
    judged = put_both(opened(disk), 1)
    (name,) = (name for shard in range(256) for name in disk.names(f"windows/{shard:02x}"))
    disk.write(name, spoilt(window(1)))
    store = opened(disk)

    assert store.picture(judged) == picture(1)
    with pytest.raises(StateDamaged, match=f"{name} is damaged"):
        store.window(judged)


def test_a_window_larger_than_any_is_not_read(tmp_path: Path) -> None:
    judged = part(1)
    opened(RealDisk(tmp_path)).put(judged, b"", window(1))
    (path,) = (path for path in tmp_path.rglob("*.window"))
    os.truncate(path, windows.MAX_BYTES + 1)

    with pytest.raises(StateDamaged, match="more than the"):
        EvidenceStore(RealDisk(tmp_path)).window(judged)


def test_evidence_is_for_its_owner_alone(tmp_path: Path) -> None:
    put_both(opened(RealDisk(tmp_path)), 1)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]


def test_what_is_kept_is_exactly_what_was_judged(disk: Disk) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    samples = rng.normal(size=(300, 3)).astype(np.float32)
    store = opened(disk)
    judged = part(7)
    judged = replace(judged, picture=keep(store, judged, Frame(image, 0.0), VibrationWindow(samples, 26_667.3, 0.0)))
    data, found = store.picture(judged), store.window(judged)

    assert data is not None
    assert found is not None
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), image)
    np.testing.assert_array_equal(found[0], samples)
    assert found[1] == 26_667.3


def test_a_part_without_a_picture_keeps_its_window_alone(disk: Disk) -> None:
    store = opened(disk)
    digest = keep(store, part(7), None, VibrationWindow(np.ones((300, 3), np.float32), 26_667.0, 0.0))

    assert digest == ""
    assert has(store, part(7)) == [(False, True)]
    assert store.status().kept == 1


def test_a_part_without_a_window_keeps_its_picture_alone(disk: Disk) -> None:
    store = opened(disk)
    digest = keep(store, part(7), Frame(np.zeros((4, 4, 3), np.uint8), 0.0), None)

    assert has(store, replace(part(7), picture=digest)) == [(True, False)]
    assert store.status().kept == 1


def test_evidence_is_read_from_a_state_directory_that_another_process_writes(tmp_path: Path) -> None:
    """The ledger's writer is open, and holds its lock, while somebody else reads; nothing is made or changed."""
    database = Store(tmp_path / "ledger.db")
    database.open()
    writing = opened(RealDisk(tmp_path))
    judged = put_both(writing, 1)
    database.write(Batch([judged]))
    database.write(Batch(late=[((SERIES, 1), Late(picture=judged.picture))]))
    before = sorted(tmp_path.rglob("*"))
    with Reader(tmp_path) as reader:
        row = reader.part(1)
        evidence = EvidenceStore(RealDisk(tmp_path))
        found = has(evidence, row)
    after = sorted(tmp_path.rglob("*"))
    database.close()

    assert found == [(True, True)]
    assert after == before


def test_a_jpeg_would_not_be_what_was_judged() -> None:
    image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])

    assert (cv2.imdecode(data, cv2.IMREAD_COLOR) != image).any()


def test_what_cannot_be_encoded_is_bad_data() -> None:
    with pytest.raises(BadData, match="cannot be encoded"):
        pictures.encoded(np.zeros((0, 0, 3), np.uint8))
