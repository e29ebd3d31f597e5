"""Knowledge is a sum: any order, any split and any detour give the same bytes."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import Knowledge
from models.embedding import assemble, quantise
from models.head import Head, Prior
from models.manifest import Block

BLOCKS = (Block("image", 0, 4, 0.75, "a"), Block("vibration", 4, 6, 0.25, "b"))
PRIOR = Prior(np.diag([0.1, 0.2, 0.1, 0.3, 0.05, 0.1]) + 0.01, 5.0)
NOTHING = Knowledge.empty("ring", "0" * 64, BLOCKS)


class Sample(NamedTuple):
    slug: str
    rows: NDArray[np.int16]


def rows(seed: int, count: int, present: Iterable[str]) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    sizes = {b.modality: b.stop - b.start for b in BLOCKS if b.modality in present}
    return np.stack(
        [quantise(assemble(BLOCKS, {m: rng.normal(size=k) for m, k in sizes.items()})) for _ in range(count)]
    )


SLUGS = st.sampled_from(["good", "crack", "pit"])
PRESENT = st.sampled_from([("image",), ("vibration",), ("image", "vibration")])
SAMPLE = st.builds(
    lambda slug, seed, count, present: Sample(slug, rows(seed, count, present)),
    SLUGS,
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    PRESENT,
)
SAMPLES = st.lists(SAMPLE, max_size=8)


def taught(samples: Iterable[Sample], start: Knowledge = NOTHING) -> Knowledge:
    knowledge = start
    for sample in samples:
        knowledge = knowledge.learn(sample.slug, sample.rows)
    return knowledge


def same(one: Head, other: Head) -> bool:
    return (one.classes, one.modalities) == (other.classes, other.modalities) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("means", "inflation", "whitening")
    )


@given(SAMPLES.flatmap(lambda samples: st.tuples(st.just(samples), st.permutations(samples))))
def test_any_order_gives_the_same_bytes(orders: tuple[list[Sample], list[Sample]]) -> None:
    one, other = map(taught, orders)

    assert one == other
    assert one.to_bytes() == other.to_bytes()
    assert one.digest == other.digest
    assert hash(one) == hash(other)


@given(SAMPLES, st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_any_split_over_stations_merges_to_the_same_bytes(samples: list[Sample], station_of: list[int]) -> None:
    stations = [taught(s for s, at in zip(samples, station_of, strict=False) if at == i) for i in range(4)]

    assert stations[0].merge(*stations[1:]) == taught(samples)
    assert stations[3].merge(stations[2]).merge(stations[0].merge(stations[1])) == taught(samples)


@given(SAMPLES, SAMPLE, SAMPLES)
def test_a_forgotten_sample_leaves_no_byte(before: list[Sample], sample: Sample, after: list[Sample]) -> None:
    knowledge = taught([*before, sample, *after]).forget(sample.slug, sample.rows[::-1])

    assert knowledge.to_bytes() == taught([*before, *after]).to_bytes()


@given(SAMPLES, SAMPLES)
def test_what_was_merged_in_can_be_taken_out_again(own: list[Sample], others: list[Sample]) -> None:
    mine, theirs = taught(own), taught(others)
    both = mine.merge(theirs)

    assert both.without(theirs).to_bytes() == mine.to_bytes()
    assert both.without(both).to_bytes() == NOTHING.to_bytes()
    assert both.to_bytes() == taught([*own, *others]).to_bytes()


@given(SAMPLES, SAMPLES, SAMPLE)
def test_what_cannot_have_been_in_it_is_not_taken_out(own: list[Sample], others: list[Sample], more: Sample) -> None:
    """More than there is of a class is refused; `without` may only ever give what `merge` could have had."""
    both = taught([*own, *others])
    with pytest.raises(ValueError, match="was taught|was not taught"):
        both.without(both.merge(taught([more])))


@given(SAMPLES, SLUGS)
def test_without_a_class_is_as_if_it_had_never_been_taught(samples: list[Sample], slug: str) -> None:
    assert taught(samples).without_class(slug) == taught(s for s in samples if s.slug != slug)


@given(SAMPLES)
def test_learning_leaves_what_it_started_from_alone(samples: list[Sample]) -> None:
    start = taught(samples)
    before = start.to_bytes()
    taught(samples, start).merge(start).forget(samples[0].slug, samples[0].rows) if samples else None

    assert start.to_bytes() == before


@given(SAMPLES)
def test_a_file_gives_the_knowledge_back(samples: list[Sample]) -> None:
    knowledge = taught(samples)

    assert Knowledge.from_bytes(knowledge.to_bytes()) == knowledge


@given(SAMPLES, PRESENT)
def test_what_was_not_asked_for_does_not_matter(samples: list[Sample], present: tuple[str, ...]) -> None:
    """A head for some modalities is that of samples which never had any other."""
    blind = []
    for sample in samples:
        kept = np.zeros_like(sample.rows)
        for block in BLOCKS:
            if block.modality in present:
                kept[:, block.start : block.stop] = sample.rows[:, block.start : block.stop]
        if kept.any():
            blind.append(Sample(sample.slug, kept))
    if not blind:
        return

    assert same(taught(samples).head(PRIOR, present), taught(blind).head(PRIOR, present))


@given(st.lists(SAMPLE, min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_every_head_gives_distances_and_probabilities(samples: list[Sample], seed: int) -> None:
    head = taught(samples).head(PRIOR)
    z = rows(seed, 5, ("image", "vibration")) / 2**14
    probabilities, distances = head.probabilities(z), head.distances(z)

    assert head.classes == tuple(sorted({sample.slug for sample in samples}))
    assert probabilities.shape == distances.shape == (5, len(head.classes))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (distances >= 0.0).all()
    np.testing.assert_allclose(head.distances(z[2]), distances[2])


def summed_in_float32(samples: Iterable[Sample]) -> bytes:
    total = np.zeros(6, dtype=np.float32)
    for sample in samples:
        total += np.square(sample.rows, dtype=np.float32).sum(axis=0)
    return total.tobytes()


def kept_in_order_of_arrival(samples: Iterable[Sample]) -> bytes:
    return "".join(dict.fromkeys(sample.slug for sample in samples)).encode()


def a_running_mean(samples: Iterable[Sample]) -> bytes:
    mean = np.zeros(6)
    for n, sample in enumerate(samples, start=1):
        mean += (sample.rows.mean(axis=0) - mean) / n
    return mean.tobytes()


@pytest.mark.parametrize("wrong", [summed_in_float32, kept_in_order_of_arrival, a_running_mean])
def test_the_order_test_has_teeth(wrong: Callable[[Iterable[Sample]], bytes]) -> None:
    samples = [Sample(slug, rows(seed, 3, ("image", "vibration"))) for seed, slug in enumerate(["pit", "good"] * 10)]

    assert wrong(samples) != wrong(samples[::-1])
    assert taught(samples).to_bytes() == taught(samples[::-1]).to_bytes()


def test_the_restriction_test_has_teeth() -> None:
    """A head that picks its dimensions from the whole solution is another one when some samples lack a modality."""
    samples = [Sample("good", rows(seed, 3, ("image", "vibration"))) for seed in range(3)]
    samples += [Sample("good", rows(seed, 3, ("image",))) for seed in range(3, 6)]
    knowledge = taught(samples)
    whole, image = knowledge.head(PRIOR), knowledge.head(PRIOR, ["image"])

    assert not np.allclose(whole.whitening[:4, :4], image.whitening, rtol=1e-3)
