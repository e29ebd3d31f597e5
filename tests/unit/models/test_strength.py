"""How much the prior is worth where kinds are told apart follows from what was taught, and from its sums alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models import Knowledge, head, strength
from models.embedding import assemble, dequantise, quantise
from models.errors import KnowledgeDamaged, NotTaught
from models.head import Prior
from models.manifest import Block
from models.strength import MULTIPLES, Spread, chosen
from models.sums import Key, Sums

D = 6
BLOCKS = (Block("image", 0, 4, 0.5, "a"), Block("vibration", 4, 6, 0.5, "b"))
PRIOR = Prior(np.diag([0.02, 0.03, 0.02, 0.04, 0.02, 0.05]), 5.0)
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)
TURNS = {"good": 0.0, "pit": 1.2, "crack": 2.5}


def spread(freedom: int, widths: NDArray[np.float64], seed: int = 0) -> Spread:
    z = np.random.default_rng(seed).normal(size=(freedom, D)) * widths
    return Spread(z.T @ z, float(freedom), np.eye(D))


def by_integration(one: Spread, k: float) -> float:
    """Give the logarithm for one dimension: what is likely of a variance, weighed by how likely the variance is."""
    variance = np.exp(np.linspace(np.log(1e-4), np.log(1e4), 200_001))
    nu, scale = k + 2.0, k * float(one.prior[0, 0])
    drawn = (
        nu / 2 * np.log(scale / 2) - strength.lgamma(nu / 2) - (nu / 2 + 1) * np.log(variance) - scale / 2 / variance
    )
    seen = -one.freedom / 2 * np.log(variance) - float(one.scatter[0, 0]) / 2 / variance
    whole = drawn + seen + np.log(variance)
    return float(whole.max() + np.log(np.exp(whole - whole.max()).sum()))


@pytest.mark.parametrize("scatter", [0.3, 4.0, 90.0])
def test_the_evidence_is_what_integration_over_the_variance_gives(scatter: float) -> None:
    one = Spread(np.array([[scatter]]), 7.0, np.array([[1.3]]))
    said = [strength._evidence(one, k) for k in (5.0, 20.0, 80.0)]
    counted = [by_integration(one, k) for k in (5.0, 20.0, 80.0)]

    np.testing.assert_allclose(np.diff(said), np.diff(counted), rtol=1e-5)


def test_what_spreads_as_the_prior_says_makes_it_worth_most() -> None:
    assert chosen([spread(60, np.ones(D))], 5.0) == 5.0 * MULTIPLES[-1]


def test_what_spreads_otherwise_leaves_it_what_the_bundle_says() -> None:
    assert chosen([spread(60, np.array([4.0, 0.1, 4.0, 0.1, 4.0, 0.1]))], 5.0) == 5.0


def test_blocks_are_weighed_together() -> None:
    """One block says that the prior is right, one that it is wrong: what is chosen is what neither alone would."""
    right, wrong = spread(60, np.ones(D)), spread(12, np.array([2.0, 0.5, 2.0, 0.5, 2.0, 0.5]))

    apart = [chosen([one], 5.0) for one in (right, wrong)]
    assert chosen([right, wrong], 5.0) == chosen([wrong, right], 5.0)
    assert apart[1] < chosen([right, wrong], 5.0) < apart[0]


def test_without_samples_it_is_what_the_bundle_says() -> None:
    assert chosen([Spread(np.zeros((D, D)), 0.0, np.eye(D))], 5.0) == 5.0


def test_what_rounding_could_decide_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strength, "_evidence", lambda one, k: -1000.0 + 1e-9 * k)

    assert chosen([spread(5, np.ones(D))], 5.0) == 5.0


def row(slug: str, seed: int, present: tuple[str, ...] = ("image", "vibration")) -> NDArray[np.int16]:
    rng, turn = np.random.default_rng(seed), TURNS[slug]
    raw = {
        "image": np.array([np.cos(turn), np.sin(turn), 0.5, 0.5]) + 0.1 * rng.normal(size=4),
        "vibration": np.array([np.cos(turn), np.sin(turn)]) + 0.1 * rng.normal(size=2),
    }
    return quantise(assemble(BLOCKS, {m: raw[m] for m in present}))


def known(variants: int = 1, present: tuple[str, ...] = ("image", "vibration")) -> Knowledge:
    knowledge = NOTHING
    for slug, count in {"good": 30, "pit": 5, "crack": 5}.items():
        for i in range(count):
            knowledge = knowledge.learn(slug, np.stack([row(slug, 100 * i + len(slug), present)] * variants))
    return knowledge


def test_kinds_are_told_apart_and_good_parts_are_none_of_them() -> None:
    kinds = known().kinds(PRIOR)

    assert kinds.classes == ("crack", "pit") and kinds.strength in [5.0 * m for m in MULTIPLES]
    for slug in kinds.classes:
        z = dequantise(np.stack([row(slug, seed) for seed in range(3000, 3020)]))
        assert {kinds.classes[i] for i in kinds.probabilities(z).argmax(axis=1)} == {slug}


def test_kinds_differ_from_the_classifier_by_nothing_but_the_strength() -> None:
    knowledge = known()
    measured = [dequantise(np.stack([row(slug, seed) for seed in range(200)])) for slug in TURNS]
    fitting = Prior(sum(np.cov(z.T) for z in measured) / 3 + 1e-5 * np.eye(D), 5.0)
    kinds = knowledge.kinds(fitting)
    same = knowledge.head(Prior(fitting.covariance, kinds.strength))
    z = dequantise(np.stack([row("pit", seed) for seed in range(9)]))

    assert knowledge.head(fitting).strength == 5.0 < kinds.strength
    np.testing.assert_array_equal(kinds.distances(z), same.distances(z)[:, [0, 2]])


def spreads(knowledge: Knowledge, modalities: tuple[str, ...] = ("image", "vibration")) -> list[Spread]:
    seen = [span for span in knowledge.spans if span.modality in modalities]
    prior = PRIOR.covariance[: seen[-1].stop, : seen[-1].stop]
    return head._spreads(head._restricted(knowledge.groups, knowledge.spans, seen), prior, seen)


def test_scatter_is_that_of_samples_around_the_mean_of_their_class_and_each_mean_costs_one() -> None:
    drawn = {slug: [row(slug, 100 * i + len(slug)) for i in range(n)] for slug, n in {"good": 30, "pit": 5}.items()}
    knowledge = NOTHING.learn("crack", row("crack", 1)[np.newaxis])
    for slug, rows in drawn.items():
        for one in rows:
            knowledge = knowledge.learn(slug, one[np.newaxis])
    away = np.concatenate([(z := dequantise(np.stack(rows))) - z.mean(axis=0) for rows in drawn.values()])

    for found, at in zip(spreads(knowledge), (slice(0, 4), slice(4, 6)), strict=True):
        np.testing.assert_allclose(found.scatter, away[:, at].T @ away[:, at], rtol=0.0, atol=1e-9)
        np.testing.assert_array_equal(found.prior, PRIOR.covariance[at, at])
        assert found.freedom == 29 + 4


def test_an_example_of_its_kind_alone_says_nothing_of_the_spread_whatever_its_variants() -> None:
    (image, vibration) = spreads(NOTHING.learn("pit", np.stack([row("pit", seed) for seed in range(6)])))

    assert image.freedom == vibration.freedom == 0 and not image.scatter.any() and not vibration.scatter.any()


def test_variants_of_an_example_are_one_example_to_the_choice() -> None:
    for one, six in zip(spreads(known(variants=1)), spreads(known(variants=6)), strict=True):
        assert one.freedom == six.freedom == 37
        np.testing.assert_allclose(six.scatter, one.scatter, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("kinds", "examples"), [(6, 2), (6, 5), (20, 2)])
def test_what_is_drawn_from_the_prior_makes_it_worth_most_however_few_examples_a_kind_has(
    kinds: int, examples: int
) -> None:
    """With the samples counted, and not what is left of them after the means, two of each look narrow: worth least."""
    d, rng = 40, np.random.default_rng(5)
    blocks = (Block("image", 0, d, 1.0, "a"),)
    knowledge = Knowledge.empty("ring", "0" * 64, blocks)
    for kind in range(kinds):
        centre = rng.normal(size=d)
        for _ in range(examples):
            drawn = (0.7 * centre / np.linalg.norm(centre) + 0.02 * rng.normal(size=d)) * 2**14
            knowledge = knowledge.learn(f"kind_{kind}", np.round(drawn).astype(np.int16)[np.newaxis])
    prior = Prior(0.02**2 * np.eye(d), 12.0)

    assert knowledge.kinds(prior).strength == 12.0 * MULTIPLES[-1]


def test_what_is_forgotten_leaves_no_trace_in_the_choice() -> None:
    knowledge, odd = known(), row("good", 7)[np.newaxis]
    changed = knowledge.learn("pit", odd).forget("pit", odd)

    np.testing.assert_array_equal(changed.kinds(PRIOR).whitening, knowledge.kinds(PRIOR).whitening)


def test_samples_that_lack_a_modality_say_nothing_about_its_spread() -> None:
    """Among those that have both, some have pictures alone: they are a group with a mean of its own."""
    both = known()
    mixed = both
    for i in range(4):
        mixed = mixed.learn("pit", row("pit", 9000 + i, ("image",))[np.newaxis])
    (image, vibration), (more, same) = spreads(both), spreads(mixed)

    assert same.freedom == vibration.freedom == 37 and more.freedom == image.freedom + 3
    np.testing.assert_array_equal(same.scatter, vibration.scatter)
    assert np.trace(more.scatter) > np.trace(image.scatter)


def test_without_a_kind_there_is_nothing_to_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "_covariance", lambda *sums: pytest.fail("it was solved all the same"))
    with pytest.raises(NotTaught):
        NOTHING.learn("good", row("good", 1)[np.newaxis]).kinds(PRIOR)


def test_sums_of_no_embeddings_are_refused() -> None:
    key = Key("pit", ("image", "vibration"))
    damaged = Sums(9, 9, np.zeros(D, np.int64), -np.ones(D * (D + 1) // 2, np.int64) * 2**40)
    knowledge = Knowledge("ring", "0" * 64, BLOCKS, {key: damaged})
    with pytest.raises(KnowledgeDamaged):
        knowledge.kinds(PRIOR)
