"""The head does what its description says, on cases that can be computed by hand."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Knowledge, head
from models.embedding import assemble, dequantise, quantise
from models.errors import KnowledgeDamaged, NotTaught
from models.head import Head, Prior
from models.manifest import Block
from models.sums import Key, Sums

BLOCKS = (Block("image", 0, 4, 0.5, "a"), Block("vibration", 4, 6, 0.5, "b"))
PRIOR = Prior(np.diag([0.02, 0.03, 0.02, 0.04, 0.02, 0.05]), 10.0)
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)
TURNS = {"good": 0.0, "pit": 1.2, "crack": 2.5}


def row(
    slug: str, seed: int, present: tuple[str, ...] = ("image", "vibration"), noise: float = 0.1
) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    turn = TURNS[slug]
    raw = {
        "image": np.array([np.cos(turn), np.sin(turn), 0.5, 0.5]) + noise * rng.normal(size=4),
        "vibration": np.array([np.cos(turn), np.sin(turn)]) + noise * rng.normal(size=2),
    }
    return quantise(assemble(BLOCKS, {m: raw[m] for m in present}))


def taught(samples: Mapping[str, int], present: tuple[str, ...] = ("image", "vibration")) -> Knowledge:
    knowledge = NOTHING
    for slug, count in samples.items():
        for i in range(count):
            knowledge = knowledge.learn(slug, row(slug, 1000 * i + len(slug), present)[np.newaxis])
    return knowledge


def test_parts_are_recognised() -> None:
    head = taught({"good": 20, "pit": 5, "crack": 5}).head(PRIOR)
    for slug in TURNS:
        z = dequantise(np.stack([row(slug, seed) for seed in range(50, 70)]))

        assert {head.classes[i] for i in head.probabilities(z).argmax(axis=1)} == {slug}


def test_without_samples_between_the_covariance_is_the_priors() -> None:
    """One vector has no scatter: Sigma = nu_0 Sigma_0 / (nu_0 + 1)."""
    head = NOTHING.learn("good", row("good", 0)[np.newaxis]).head(PRIOR)
    factor = np.linalg.inv(head.whitening)

    np.testing.assert_allclose(factor @ factor.T, PRIOR.covariance * 10.0 / 11.0, atol=1e-12)


def test_the_covariance_counts_samples_and_not_vectors() -> None:
    """The same vectors, each entered four times, are the same evidence."""
    samples = [row("good", seed) for seed in range(10)]
    once, four_times = NOTHING, NOTHING
    for q in samples:
        once = once.learn("good", np.stack([q]))
        four_times = four_times.learn("good", np.stack([q] * 4))

    np.testing.assert_allclose(once.head(PRIOR).whitening, four_times.head(PRIOR).whitening)
    np.testing.assert_allclose(once.head(PRIOR).inflation, four_times.head(PRIOR).inflation)


def test_covariance_by_hand() -> None:
    z = dequantise(np.stack([row("pit", seed) for seed in range(8)]))
    head = NOTHING
    for q in quantise(z):
        head = head.learn("pit", q[np.newaxis])
    factor = np.linalg.inv(head.head(PRIOR).whitening)
    want = (np.cov(z.T, bias=True) * 8 + PRIOR.covariance * 10.0) / 18.0

    np.testing.assert_allclose(factor @ factor.T, want, atol=1e-10)


def unpacked(triangle: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    square = np.zeros((k, k))
    square[np.triu_indices(k)] = triangle
    return square + np.triu(square, 1).T


@pytest.mark.parametrize("d", [33, 100, 129])
def test_many_dimensions_are_whitened_as_few_are(d: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The triangular inverse goes by halves, odd ones too; one that forgets a corner is seen."""
    rng = np.random.default_rng(d)
    spread = rng.normal(size=(d, d)) / d
    blocks = (Block("image", 0, d, 1.0, "a"),)
    prior = Prior(spread @ spread.T + np.eye(d) / d, 5.0)
    rows = rng.normal(size=(12, d))
    q = (rows / np.linalg.norm(rows, axis=1, keepdims=True) * 16000.0).astype(np.int16)
    knowledge = Knowledge.empty("ring", "0" * 64, blocks).learn("good", q)
    z = dequantise(q)
    scatter = (z - z.mean(axis=0)).T @ (z - z.mean(axis=0)) / 12
    wanted = (prior.covariance * 5.0 + scatter) / 6.0

    def whitened() -> NDArray[np.float64]:
        whitening = knowledge.head(prior).whitening
        return whitening @ wanted @ whitening.T

    np.testing.assert_allclose(whitened(), np.eye(d), atol=1e-9)
    monkeypatch.setattr(head, "_inverse", lambda factor: np.diag(1.0 / np.diag(factor)))
    assert not np.allclose(whitened(), np.eye(d), atol=1e-9)


def test_each_dimension_is_divided_by_the_samples_that_have_it() -> None:
    knowledge = taught({"good": 5}).merge(taught({"pit": 3}, present=("image",)))
    factor = np.linalg.inv(knowledge.head(PRIOR).whitening)
    scatter = PRIOR.covariance * 10.0
    for (_, modalities), sums in knowledge.groups.items():
        k = 6 if "vibration" in modalities else 4
        scatter[:k, :k] += unpacked(sums.scatter(), k)
    want = scatter.copy()
    want[:4, :4] /= 10.0 + 5.0 + 3.0
    want[4:, 4:] /= 10.0 + 5.0
    want[:4, 4:] /= np.sqrt(18.0 * 15.0)
    want[4:, :4] /= np.sqrt(18.0 * 15.0)

    np.testing.assert_allclose(factor @ factor.T, want, atol=1e-12)


def test_the_farthest_part_still_has_probabilities() -> None:
    head = taught({"good": 5, "pit": 5}).head(Prior(PRIOR.covariance * 1e-6, 1e6))
    far = -dequantise(row("good", 0))

    assert head.logits(far).max() < -1000.0
    np.testing.assert_allclose(head.probabilities(far).sum(), 1.0)


def test_a_mean_of_few_samples_is_drawn_to_good_and_known_less_well() -> None:
    knowledge = taught({"good": 9, "pit": 3})
    head = knowledge.head(PRIOR)
    good, pit = head.classes.index("good"), head.classes.index("pit")
    measured = np.stack([dequantise(row("pit", 1000 * i + 3)) for i in range(3)]).mean(axis=0)

    np.testing.assert_allclose(head.means[pit], 0.75 * measured + 0.25 * head.means[good])
    np.testing.assert_allclose(head.inflation[pit], 1.0 + 1.0 / 4.0)
    np.testing.assert_allclose(head.inflation[good], 1.0 + 1.0 / 9.0)


def test_a_class_of_few_samples_holds_its_own_against_one_of_many() -> None:
    """In many dimensions a measured mean is far from the true one: plain LDA gives the part to the big class."""
    rng = np.random.default_rng(0)
    d, apart = 128, 0.25
    blocks = (Block("image", 0, d, 1.0, "a"),)
    centres = {"good": np.zeros(d), "pit": np.zeros(d)}
    centres["good"][0], centres["pit"][0], centres["pit"][1] = 0.7, 0.7, apart
    prior = Prior(np.eye(d) * 0.03**2, 50.0)

    def part(slug: str) -> NDArray[np.int16]:
        return quantise(centres[slug] + 0.03 * rng.normal(size=d))

    knowledge = Knowledge.empty("ring", "0" * 64, blocks)
    for slug, count in (("good", 200), ("pit", 2)):
        for _ in range(count):
            knowledge = knowledge.learn(slug, part(slug)[np.newaxis])
    head = knowledge.head(prior)
    z = dequantise(np.stack([part("pit") for _ in range(200)]))
    good = dequantise(np.stack([part("good") for _ in range(200)]))
    plain = Head(head.classes, head.modalities, head.dims, _measured(knowledge), np.ones((2, d)), head.whitening, 0.0)

    found = (head.probabilities(z).argmax(axis=1) == head.classes.index("pit")).mean()
    assert found > 0.98
    assert (plain.probabilities(z).argmax(axis=1) == 1).mean() < 0.9
    assert 0.9 < head.distances(z)[:, 1].mean() / head.distances(good)[:, 0].mean() < 1.1
    assert plain.distances(z)[:, 1].mean() / plain.distances(good)[:, 0].mean() > 1.3


def _measured(knowledge: Knowledge) -> NDArray[np.float64]:
    return np.stack([sums.total / sums.vectors / 2**14 for _, sums in sorted(knowledge.groups.items())])


def test_a_class_that_was_never_heard_is_taken_to_sound_good() -> None:
    knowledge = taught({"good": 9}).merge(taught({"pit": 3}, present=("image",)))
    head = knowledge.head(PRIOR)
    good, pit = head.classes.index("good"), head.classes.index("pit")

    np.testing.assert_array_equal(head.means[pit, 4:], head.means[good, 4:])
    np.testing.assert_array_equal(head.inflation[pit, 4:], 2.0)
    assert not np.allclose(head.means[pit, :4], head.means[good, :4])


def test_a_class_without_any_modality_asked_for_is_left_out() -> None:
    knowledge = taught({"good": 5}).merge(taught({"crack": 5}, present=("vibration",)))

    assert knowledge.head(PRIOR, ["image"]).classes == ("good",)
    assert knowledge.head(PRIOR, ["vibration"]).classes == ("crack", "good")


def test_a_modality_that_nobody_was_taught_is_not_looked_at() -> None:
    knowledge = taught({"good": 5, "pit": 5}, present=("image",))
    head = knowledge.head(PRIOR, ["image", "vibration"])
    z = dequantise(row("pit", 3))
    deaf = np.concatenate([z[:4], np.zeros(2)])

    assert head.modalities == ("image",)
    np.testing.assert_array_equal(head.logits(z), head.logits(deaf))


def test_without_good_parts_the_mean_of_the_classes_takes_their_place() -> None:
    head = taught({"pit": 3, "crack": 3}).head(PRIOR)
    measured = _measured(taught({"pit": 3, "crack": 3}))

    np.testing.assert_allclose(head.means, 0.75 * measured + 0.25 * measured.mean(axis=0))


def test_another_name_for_good_parts() -> None:
    head = taught({"pit": 3, "crack": 3}).head(PRIOR, normal="pit")

    np.testing.assert_allclose(head.means[1], _measured(taught({"pit": 3}))[0])


def test_nothing_taught_is_said() -> None:
    with pytest.raises(NotTaught):
        NOTHING.head(PRIOR)
    with pytest.raises(NotTaught):
        taught({"good": 3}, present=("image",)).head(PRIOR, ["vibration"])


def test_what_belongs_to_another_bundle_is_refused() -> None:
    with pytest.raises(ValueError, match="prior of 3 dimensions"):
        taught({"good": 3}).head(Prior(np.eye(3), 1.0))
    with pytest.raises(ValueError, match="no dimensions for smell"):
        taught({"good": 3}).head(PRIOR, ["smell"])


def test_sums_of_no_embeddings_do_not_make_a_head() -> None:
    products = np.zeros(21, dtype=np.int64)
    products[1] = 2**40
    hostile = Knowledge(
        "ring",
        "0" * 64,
        NOTHING.spans,
        {Key("good", ("image", "vibration")): Sums(10**6, 10**6, np.zeros(6, dtype=np.int64), products)},
    )
    with pytest.raises(KnowledgeDamaged):
        hostile.head(PRIOR)


@pytest.mark.parametrize(
    ("covariance", "strength", "reason"),
    [
        (np.eye(3)[:2], 1.0, "square"),
        (np.full((2, 2), np.nan), 1.0, "finite"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), 1.0, "symmetric"),
        (np.array([[1.0, 2.0], [2.0, 1.0]]), 1.0, "positive definite"),
        (np.eye(2), 0.0, "strength"),
        (np.eye(2), np.nan, "strength"),
    ],
)
def test_what_is_no_prior_is_refused(covariance: NDArray[np.float64], strength: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Prior(covariance, strength)


def test_a_distance_is_that_of_the_definition_also_where_one_class_was_never_heard() -> None:
    head = taught({"good": 9, "crack": 4}).merge(taught({"pit": 3}, present=("image",))).head(PRIOR)
    z = dequantise(np.stack([row("crack", i) for i in range(6)])).reshape(2, 3, -1)
    away = (z[..., np.newaxis, :] - head.means) / np.sqrt(head.inflation)
    want = np.square(away @ head.whitening.T).sum(axis=-1)

    assert len(np.unique(head.inflation[head.classes.index("pit")])) == 2
    np.testing.assert_allclose(head.distances(z), want, rtol=1e-9)
    one_inflation = replace(head, inflation=np.repeat(head.inflation[:, :1], head.inflation.shape[1], axis=1))
    assert not np.allclose(one_inflation.distances(z), want, rtol=1e-3)
