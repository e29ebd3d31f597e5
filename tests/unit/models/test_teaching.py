"""What `learn`, `forget` and `merge` refuse, and what they count."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Knowledge
from models.embedding import assemble, quantise
from models.manifest import Block
from models.sums import MAX_VECTORS, Key, Sums

BLOCKS = (Block("image", 0, 3, 0.75, "a"), Block("vibration", 3, 5, 0.25, "b"))
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)


def sample(seed: int, count: int = 2) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    raw = [{"image": rng.normal(size=3), "vibration": rng.normal(size=2)} for _ in range(count)]
    return np.stack([quantise(assemble(BLOCKS, r)) for r in raw])


def without_vibration(rows: NDArray[np.int16], which: slice) -> NDArray[np.int16]:
    rows = rows.copy()
    rows[which, 3:] = 0
    return rows


@pytest.mark.parametrize(
    ("slug", "rows", "reason"),
    [
        ("Pit", sample(0), "class 'Pit'"),
        ("", sample(0), "class ''"),
        ("a" * 41, sample(0), "class 'aaa"),
        ("pit\n", sample(0), "class 'pit"),
        ("pit", sample(0)[0], "want rows"),
        ("pit", sample(0)[:0], "want rows"),
        ("pit", sample(0)[:, :4], "want rows"),
        ("pit", sample(0).astype(np.int32), "int32"),
        ("pit", sample(0) * 2, r"\|q\|\^2"),
        ("pit", np.full((1, 5), -(2**15), dtype=np.int16), r"\|q\|\^2"),
        ("pit", np.zeros((1, 5), dtype=np.int16), "no modality"),
        ("pit", without_vibration(sample(0), slice(1)), "some rows"),
    ],
)
def test_what_is_no_sample_is_refused(slug: str, rows: NDArray[np.int16], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        NOTHING.learn(slug, rows)


def test_samples_are_counted_and_not_vectors() -> None:
    knowledge = NOTHING.learn("pit", sample(0, 8)).learn("pit", without_vibration(sample(1), slice(2)))

    assert knowledge.samples("pit") == 2
    assert knowledge.samples("good") == 0
    assert knowledge.classes == ("pit",)
    assert {key.modalities: sums.vectors for key, sums in knowledge.groups.items()} == {
        ("image", "vibration"): 8,
        ("image",): 2,
    }


@pytest.mark.parametrize(
    ("taught", "slug", "rows", "reason"),
    [
        ([0], "good", sample(0), "no sample of good"),
        ([0], "pit", without_vibration(sample(0), slice(2)), "no sample of pit with image"),
        ([0], "pit", sample(1), "was not taught: without it, 0 samples"),
        ([0, 1], "pit", sample(0, 4), "was not taught: without it, 1 samples in 0 vectors"),
        ([0, 0], "pit", np.array([[14189, 0, 0, 8191, 0]] * 2, dtype=np.int16), "was not taught: without it, squares"),
    ],
)
def test_what_was_never_taught_cannot_be_forgotten(
    taught: list[int], slug: str, rows: NDArray[np.int16], reason: str
) -> None:
    knowledge = NOTHING
    for seed in taught:
        knowledge = knowledge.learn("pit", sample(seed))
    with pytest.raises(ValueError, match=reason):
        knowledge.forget(slug, rows)


@pytest.mark.parametrize(
    "other",
    [
        Knowledge.empty("plate", "0" * 64, BLOCKS),
        Knowledge.empty("ring", "1" * 64, BLOCKS),
        Knowledge.empty("ring", "0" * 64, BLOCKS[:1]),
    ],
)
def test_what_is_about_something_else_is_not_merged_nor_taken_out(other: Knowledge) -> None:
    with pytest.raises(ValueError, match="cannot be added"):
        NOTHING.merge(other)
    with pytest.raises(ValueError, match="cannot be part"):
        NOTHING.without(other)


def test_more_than_is_known_cannot_be_taken_out() -> None:
    one = NOTHING.learn("pit", sample(0))
    with pytest.raises(ValueError, match="no sample of good with image and vibration"):
        one.without(NOTHING.learn("good", sample(0)))
    with pytest.raises(ValueError, match="what is known of pit there was not taught: without it, -1 samples"):
        one.without(one.merge(one))


def test_a_merge_that_would_leave_int64_is_refused() -> None:
    key = Key("good", ("image", "vibration"))
    huge = Sums(MAX_VECTORS, 1, np.zeros(5, dtype=np.int64), np.zeros(15, dtype=np.int64))
    with pytest.raises(ValueError, match="at most"):
        Knowledge("ring", "0" * 64, NOTHING.spans, {key: huge}).merge(NOTHING.learn("good", sample(0)))


@pytest.mark.parametrize(
    "make", [lambda: Knowledge.empty("", "0" * 64, BLOCKS), lambda: Knowledge.empty("r", "x", BLOCKS)]
)
def test_what_could_not_be_read_again_is_not_made(make: Callable[[], Knowledge]) -> None:
    with pytest.raises(ValueError, match="want a recipe"):
        make()


def test_sums_of_products_are_exact_where_int64_arithmetic_on_them_is_not() -> None:
    """n * sum(q^2) leaves int64 from some 200,000 vectors on; the check must not."""
    n = 2**30
    q = 11585
    sums = Sums(n, n, np.full(1, n * q), np.full(1, n * q * q))
    with np.errstate(over="ignore"):
        wrapped = sums.products[0] * n

    assert sums.flaw() is None
    assert int(wrapped) != n * n * q * q
    assert Sums(n, n, np.full(1, n * q + 1), np.full(1, n * q * q)).flaw() == "squares smaller than the mean allows"
