"""Blocks, lengths and integers of an embedding."""

import numpy as np
import pytest

from models.embedding import MAX_NORM2, assemble, dequantise, quantise
from models.manifest import Block

BLOCKS = (Block("image", 0, 3, 0.75, "a"), Block("vibration", 3, 5, 0.25, "b"))


def test_blocks_have_their_weight_whatever_the_length_of_the_raw_values() -> None:
    z = assemble(BLOCKS, {"image": [[300.0, 0.0, 400.0]], "vibration": [0.0, -1e-3]})

    np.testing.assert_allclose(z, [0.6 * 0.75**0.5, 0.0, 0.8 * 0.75**0.5, 0.0, -0.5])
    assert abs(np.linalg.norm(z) - 1.0) < 1e-12


def test_an_absent_modality_is_zeros_and_the_other_keeps_its_place() -> None:
    both = assemble(BLOCKS, {"image": [1.0, 2.0, 3.0], "vibration": [1.0, 1.0]})
    alone = assemble(BLOCKS, {"image": [1.0, 2.0, 3.0]})

    np.testing.assert_array_equal(alone, np.where(np.arange(5) < 3, both, 0.0))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"image": [1.0, 2.0]}, "want 3"),
        ({"image": [0.0, 0.0, 0.0]}, "not all zero"),
        ({"image": [1.0, np.nan, 0.0]}, "finite"),
        ({"image": [1.0, np.inf, 0.0]}, "finite"),
        ({"smell": [1.0]}, "no block for smell"),
    ],
)
def test_what_has_no_direction_is_refused(raw: dict[str, list[float]], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        assemble(BLOCKS, raw)


def test_quantising_cuts_toward_zero() -> None:
    np.testing.assert_array_equal(quantise([0.99999 / 2**14, -0.99999 / 2**14, 0.5, -0.5]), [0, 0, 8192, -8192])
    np.testing.assert_array_equal(dequantise(np.array([8192, -1], dtype=np.int16)), [0.5, -(2.0**-14)])


def test_no_embedding_becomes_longer_than_one() -> None:
    """Rounding would: one part in 2^14 too much in every dimension."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(500, 128))
    z /= np.linalg.norm(z, axis=1, keepdims=True) / (1.0 + 1e-6)
    q = quantise(z).astype(np.int64)

    assert ((q**2).sum(axis=1) <= MAX_NORM2).all()
    assert ((np.rint(z * 2**14) ** 2).sum(axis=1) > MAX_NORM2).any()


def test_a_length_that_is_wrong_in_the_last_digits_is_put_right() -> None:
    q = quantise([1.0, 50 / 2**14]).astype(np.int64)

    assert (q**2).sum() <= MAX_NORM2 < 2**28 + 50**2


@pytest.mark.parametrize("z", [[1.1, 0.0], [np.nan, 0.0], [np.inf, 0.0]])
def test_what_is_no_embedding_is_refused(z: list[float]) -> None:
    with pytest.raises(ValueError, match="must have"):
        quantise(z)
