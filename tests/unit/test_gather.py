"""Files become parts, none is dropped; what cannot be read is said; batches hold no more than they may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edge_agent.errors import BadData
from edge_agent.learning.example import MAX_EXAMPLES, Example
from edge_agent.records import Modality
from edge_agent.verbs.gather import PartFiles, batches, modalities_of, part_files


def touched(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).touch()
    return [folder / name for name in names]


def test_a_picture_and_a_vibration_file_with_one_name_are_one_part(tmp_path: Path) -> None:
    picture, vibration = touched(tmp_path, "a.png", "a.npz")

    assert part_files([tmp_path]) == part_files([vibration, picture]) == [PartFiles(picture, vibration)]


def test_two_files_of_a_kind_with_one_name_are_two_parts(tmp_path: Path) -> None:
    csv, jpg, png, wav = touched(tmp_path, "a.csv", "a.jpg", "a.png", "a.wav")

    assert part_files([tmp_path]) == [PartFiles(jpg, csv), PartFiles(picture=png), PartFiles(vibration=wav)]


def test_a_name_that_is_another_ones_stem_drops_nothing(tmp_path: Path) -> None:
    files = touched(tmp_path, "a.png", "a.png.jpg", "a.jpg", "a")

    parts = part_files(files)
    assert [part.picture for part in parts] == files


def test_a_file_that_is_named_twice_is_one_part(tmp_path: Path) -> None:
    jpg, png = touched(tmp_path, "a.jpg", "a.png")

    assert part_files([tmp_path, png, jpg]) == [PartFiles(jpg), PartFiles(png)]


def test_parts_are_perceived_by_what_any_of_them_has() -> None:
    assert modalities_of([PartFiles(Path("a.png")), PartFiles(vibration=Path("b.wav"))]) == set(Modality)
    assert modalities_of([PartFiles(Path("a.png"))]) == {Modality.IMAGE}


def test_a_part_is_read_as_far_as_it_can_be(tmp_path: Path) -> None:
    picture, broken, vibration = touched(tmp_path, "a.png", "b.npz", "a.npz")
    samples = np.ones((2000, 3), np.float32)
    np.savez(vibration, samples=samples, rate_hz=26667.0)
    left_out: list[BadData] = []

    example = PartFiles(picture, vibration).read_usable(left_out.append)
    assert example is not None
    assert (example.source, example.image, example.rate_hz) == (str(picture), None, 26667.0)
    assert np.array_equal(example.samples, samples)
    assert PartFiles(picture, broken).read_usable(left_out.append) is None
    assert [error.message.split(": ")[0] for error in left_out] == list(map(str, (picture, picture, broken)))


def example(nbytes: int) -> Example:
    return Example("part", np.zeros((1, nbytes // 3, 3), np.uint8))


def test_a_batch_holds_no_more_bytes_than_it_may() -> None:
    sizes = [[e.image.nbytes for e in batch] for batch, _ in batches(map(example, (30, 60, 12, 300, 3, 90, 9)), 100)]

    assert sizes == [[30, 60], [12], [300], [3, 90], [9]]


def test_both_kinds_of_arrays_count() -> None:
    both = Example("part", np.zeros((1, 10, 3), np.uint8), np.zeros((10, 3), np.float32), 1.0)

    assert [(len(batch), more) for batch, more in batches([both] * 4, 300)] == [(2, True), (2, False)]


def test_a_batch_fits_one_lesson() -> None:
    assert [len(batch) for batch, _ in batches([example(3)] * (MAX_EXAMPLES + 1), 10**9)] == [MAX_EXAMPLES, 1]


def test_a_batch_is_given_before_the_next_one_is_read() -> None:
    read: list[int] = []

    def reading() -> Iterator[Example]:
        for i in range(100):
            read.append(i)
            yield example(60)

    next(batches(reading(), 100))
    assert len(read) == 2


def test_nothing_makes_no_batch() -> None:
    assert list(batches([], 100)) == []
