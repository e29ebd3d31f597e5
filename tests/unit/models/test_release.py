"""What leaves a station with noise: what is on the list, no more, and noise as it was derived."""

from collections import Counter
from itertools import repeat
from random import Random, SystemRandom

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Knowledge, release
from models.embedding import assemble, quantise
from models.manifest import Block
from models.release import MAX_SIGMA, Variances, noised
from models.sums import MAX_VECTORS, Key, Sums

BLOCKS = (Block("image", 0, 3, 0.75, "a"), Block("vibration", 3, 5, 0.25, "b"))
BOTH = ("image", "vibration")
GOOD, PIT = Key("good", BOTH), Key("pit", BOTH)
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)


def sample(seed: int, count: int = 2) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    raw = [{"image": 1.0 + rng.normal(size=3), "vibration": 1.0 + rng.normal(size=2)} for _ in range(count)]
    return np.stack([quantise(assemble(BLOCKS, r)) for r in raw])


def taught(slug: str, samples: int) -> Knowledge:
    knowledge = NOTHING
    for seed in range(samples):
        knowledge = knowledge.learn(slug, sample(seed))
    return knowledge


def many(key: Key, times: int) -> Knowledge:
    """Knowledge of three samples, each taught so many times."""
    sums = taught(key.slug, 3).groups[key]
    large = Sums(sums.vectors * times, sums.samples * times, sums.total * times, sums.products * times)
    return Knowledge("ring", "0" * 64, NOTHING.spans, {key: large})


def test_each_statistic_gets_the_variance_that_was_derived_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Counter[int]()

    def recorded(variance: int, _: Random) -> int:
        asked[variance] += 1
        return 0

    monkeypatch.setattr(release, "discrete_gaussian", recorded)
    noised(taught("good", 3), {GOOD: 2}, 1.5, Random(0))

    assert asked == {
        7: 1,  # 3 * 1.5^2 = 6.75, rounded up
        27 * 2**28: 5,  # 3 (1.5 * 2 * 2^14)^2
        27 * 2**56: 5,  # 3 (1.5 * 2 * 2^28)^2
        27 * 2**55: 10,
    }


def test_noise_is_added_with_the_variance_asked_for() -> None:
    drawn = release._with_noise(np.full(2000, 10**6), repeat(2**40, 2000), Random(3))

    assert drawn.var() == pytest.approx(2**40, rel=0.12)
    assert drawn.mean() == pytest.approx(10**6, abs=5 * 2**20 / 2000**0.5)


def test_of_many_samples_the_sum_comes_out_with_the_noise_alone() -> None:
    knowledge = many(GOOD, 10**6)
    exact = knowledge.groups[GOOD]
    released = [noised(knowledge, {GOOD: 2}, 4.0, Random(seed)).groups[GOOD] for seed in range(60)]
    away = np.array([sums.total - exact.total for sums in released]) / Variances.of(2, 4.0).total ** 0.5
    counts = np.array([sums.samples - exact.samples for sums in released]) / Variances.of(2, 4.0).samples ** 0.5

    assert away.var() == pytest.approx(1.0, rel=0.3)
    assert counts.var() == pytest.approx(1.0, rel=0.5)
    assert abs(released[0].scatter() - exact.scatter()).max() < 1000.0  # of six million vectors


def test_only_what_is_on_the_list_leaves() -> None:
    image_only = sample(8)
    image_only[:, 3:] = 0
    knowledge = many(GOOD, 10**4).learn("pit", sample(7)).learn("good", image_only)

    assert noised(knowledge, {GOOD: 2}, 1.0, Random(0)).groups.keys() == {GOOD}
    assert noised(knowledge, {}, 1.0, Random(0)) == NOTHING


def test_a_class_on_the_list_leaves_whether_it_was_taught_or_not() -> None:
    seen = Counter(noised(NOTHING, {PIT: 2}, 4.0, Random(seed)).samples("pit") > 0 for seed in range(60))

    assert min(seen[True], seen[False]) > 15


def test_less_than_one_sample_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "discrete_gaussian", lambda variance, _: -1 if variance < 2**28 else 0)

    assert noised(taught("good", 1), {GOOD: 2}, 1.0, Random(0)) == NOTHING
    assert noised(taught("good", 2), {GOOD: 2}, 1.0, Random(0)).samples("good") == 1


def test_a_release_follows_from_its_source_alone() -> None:
    knowledge = many(GOOD, 1000)
    first, again, other = (noised(knowledge, {GOOD: 2}, 4.0, Random(seed)) for seed in (1, 1, 2))

    assert first == again != other
    assert noised(knowledge, {GOOD: 2}, 4.0, SystemRandom()) != noised(knowledge, {GOOD: 2}, 4.0, SystemRandom())


def test_what_stays_is_exact() -> None:
    knowledge = taught("good", 3)
    before = knowledge.to_bytes()
    noised(knowledge, {GOOD: 2}, 4.0, Random(0))

    assert knowledge.to_bytes() == before


@pytest.mark.parametrize("count", [1, 3])
def test_samples_of_another_number_of_vectors_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"good has 6 vectors of 3 samples, not {count} of each"):
        noised(taught("good", 3), {GOOD: count}, 4.0, Random(0))


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf"), 2 * MAX_SIGMA, 1e-9])
def test_a_sigma_that_is_none_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="want sigma from"):
        noised(taught("good", 3), {GOOD: 2}, sigma, Random(0))


@pytest.mark.parametrize("count", [0, -8, MAX_VECTORS + 1])
def test_a_number_of_vectors_that_is_none_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="vectors of a sample"):
        noised(NOTHING, {GOOD: count}, 4.0, Random(0))


@pytest.mark.parametrize(
    "key", [Key("../good", BOTH), Key("good", ()), Key("good", ("sound",)), Key("good", ("vibration", "image"))]
)
def test_a_class_that_cannot_be_taught_is_refused(key: Key) -> None:
    with pytest.raises(ValueError, match="can be taught"):
        noised(NOTHING, {key: 2}, 4.0, Random(0))


def test_eigenvalues_are_lowered_to_the_nearest_that_fit() -> None:
    np.testing.assert_allclose(release._lowered(np.array([-1.0, 2.0, 5.0]), 9.0), [0.0, 2.0, 5.0])
    np.testing.assert_allclose(release._lowered(np.array([-1.0, 2.0, 5.0]), 5.0), [0.0, 1.0, 4.0])
    np.testing.assert_allclose(release._lowered(np.array([-1.0, 2.0, 5.0]), 2.0), [0.0, 0.0, 2.0])
    np.testing.assert_allclose(release._lowered(np.array([-1.0, -2.0]), 2.0), [0.0, 0.0])
    np.testing.assert_allclose(release._lowered(np.array([1.0, 2.0]), -1.0), [0.0, 0.0])


def test_eigenvalues_fit_even_where_the_noise_drowns_what_float64_can_hold() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 128)) * 10.0 ** rng.uniform(23, 25, size=(100, 1))

    assert max(release._lowered(row, 2.0**28).sum() for row in values) <= 2.0**28 * (1 + 1e-9)


def test_the_noise_on_a_mean_counts_as_spread_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "discrete_gaussian", lambda _variance, _source: 0)
    alike = NOTHING
    for _ in range(40):
        alike = alike.learn("good", np.array([[8192, 0, 0, 8192, 0]] * 2, dtype=np.int16))
    sums = noised(alike, {GOOD: 2}, 4.0, Random(0)).groups[GOOD]
    deviation = 2 * 4.0 * 3**0.5 / 80  # of each element of the mean, from the derivation

    np.testing.assert_allclose(sums.scatter()[[0, 5, 9, 12, 14]] / 80, deviation**2, rtol=1e-3)
