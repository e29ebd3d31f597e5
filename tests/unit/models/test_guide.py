"""A guide looks where a picture is unlike good ones: a small flaw moves the embedding, and every share is exact."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.bundle import Bundle
from models.embedding import dequantise, quantise
from models.errors import KnowledgeDamaged
from models.guide import FLOOR, Guide, GuidedBundle, can_be_guided
from models.head import Prior
from models.knowledge import Knowledge
from models.manifest import Block
from models.tokenbank import rounded

GRID, WIDTH, D = (3, 4), 6, 5
REGIONS = GRID[0] * GRID[1]
PLACES = np.random.default_rng(0).normal(size=(REGIONS, WIDTH))
BLOCKS = (Block("image", 0, 3, 0.6, "a"), Block("vibration", 3, D, 0.4, "b"))


class SmallBundle(Bundle):
    """A bundle without files."""

    @property
    def grid(self) -> tuple[int, int] | None:
        return GRID

    def prior(self) -> Prior:
        return Prior(np.diag([0.1, 0.2, 0.3, 0.4, 0.5]), 12.0)


class SmallGuided(GuidedBundle, SmallBundle):
    """The same, guided."""


def bundle(blocks: tuple[Block, ...] = BLOCKS, digest: str = "a" * 64) -> SmallBundle:
    manifest = SimpleNamespace(blocks=blocks, embedding=D, name="small", parts=(1,), judging=(1,))
    return SmallBundle(Path(), manifest, digest)


def picture(seed: int, flaw: float = 0.0) -> NDArray[np.float32]:
    tokens = PLACES + 0.1 * np.random.default_rng(seed).normal(size=PLACES.shape)
    tokens[7] += flaw * np.array([1.0, -1.0] * 3)
    return tokens.astype(np.float32)


GOOD = [rounded(picture(i)) for i in range(24)]
GUIDE = Guide.of(bundle(), GOOD)
GUIDED = SmallGuided.of(bundle(), GUIDE)


def plain(seed: int) -> NDArray[np.int16]:
    z = np.random.default_rng(seed).normal(size=D)
    z[:3] *= 0.6**0.5 / np.linalg.norm(z[:3])
    z[3:] *= 0.4**0.5 / np.linalg.norm(z[3:])
    return quantise(z)


def test_most_of_the_attention_goes_to_a_flaw_and_little_to_any_place_of_a_good_part() -> None:
    def attention(tokens: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.linalg.norm(GUIDE.terms(tokens), axis=1)

    assert attention(picture(100, flaw=2.0))[7] > 0.99
    assert attention(picture(100)).max() < 0.7


def test_a_small_flaw_that_the_mean_hardly_shows_moves_the_embedding() -> None:
    good, flawed = picture(100), picture(100, flaw=0.7)
    mean = [tokens.mean(axis=0) / np.linalg.norm(tokens.mean(axis=0)) for tokens in (good, flawed)]
    seen = [dequantise(GUIDED.extended(plain(1), tokens))[3:9] for tokens in (good, flawed)]
    seen = [z / np.linalg.norm(z) for z in seen]

    assert np.linalg.norm(seen[1] - seen[0]) > 4 * np.linalg.norm(mean[1] - mean[0])


def test_the_embedding_keeps_what_it_had_and_its_length() -> None:
    q = plain(1)
    extended = GUIDED.extended(q, picture(100))

    assert extended.shape == (GUIDED.d,) == (D + WIDTH,)
    assert (extended[:3] == np.trunc(q[:3] * 0.5**0.5)).all()
    assert (extended[9:] == q[3:]).all()
    assert np.linalg.norm(dequantise(extended[3:9])) == pytest.approx(0.3**0.5, abs=1e-3)
    assert np.linalg.norm(dequantise(extended)) == pytest.approx(1.0, abs=1e-3)


def test_a_part_without_a_picture_has_no_guided_dimensions() -> None:
    heard = plain(1)
    heard[:3] = 0
    extended = GUIDED.extended(heard, None)

    assert not extended[:9].any() and (extended[9:] == heard[3:]).all()
    Knowledge.empty("r", GUIDED.digest, GUIDED.blocks).learn("good", extended[np.newaxis])


def test_knowledge_of_two_guides_is_of_two_things() -> None:
    other = SmallGuided.of(bundle(), Guide.of(bundle(), GOOD[:23]))

    assert len({GUIDED.digest, other.digest, bundle().digest}) == 3
    assert [(b.modality, b.start, b.stop) for b in GUIDED.blocks] == [("image", 0, 9), ("vibration", 9, 11)]
    assert GUIDED.manifest.embedding == D


def test_the_guided_dimensions_follow_the_image_wherever_that_is() -> None:
    turned = (Block("vibration", 0, 2, 0.4, "b"), Block("image", 2, D, 0.6, "a"))
    guided = SmallGuided.of(bundle(turned), Guide.of(bundle(turned), GOOD))
    q = plain(1)

    assert [(b.modality, b.start, b.stop) for b in guided.blocks] == [("vibration", 0, 2), ("image", 2, 11)]
    assert (guided.extended(q, None)[:2] == q[:2]).all()
    assert guided.prior().covariance[0, 0] == 0.1


def test_the_prior_is_that_of_the_bundle_and_what_good_parts_vary_by() -> None:
    covariance = GUIDED.prior().covariance
    own = Guide.made(bundle(), GOOD)[1]
    rows = np.array([dequantise(GUIDED.extended(plain(1), t, a))[3:9] for t, a in zip(GOOD, own, strict=True)])

    assert np.diag(covariance)[:3] == pytest.approx([0.05, 0.1, 0.15])
    assert np.diag(covariance)[9:] == pytest.approx([0.4, 0.5])
    assert np.diag(covariance)[3:9] == pytest.approx(np.maximum(rows.var(axis=0, ddof=1), FLOOR), rel=1e-9)


@pytest.mark.parametrize("tokens", [picture(100, flaw=1.0), picture(101)])
def test_the_pieces_of_regions_and_of_the_whole_add_up_to_the_embedding(tokens: NDArray[np.float32]) -> None:
    q = plain(1)
    pieces = GUIDED.pieces(dequantise(q[:3])[np.newaxis], tokens)

    assert pieces.shape == (REGIONS + 1, 9)
    assert not pieces[:-1, :3].any() and not pieces[-1, 3:].any()
    assert pieces.sum(axis=0) == pytest.approx(dequantise(GUIDED.extended(q, tokens))[:9], abs=2e-4)


def test_a_map_that_is_known_already_is_taken_as_it_is() -> None:
    tokens = picture(100, flaw=1.0)
    known = GUIDE.seen.anomaly(tokens)

    assert (GUIDED.extended(plain(1), tokens, known) == GUIDED.extended(plain(1), tokens)).all()
    assert (GUIDED.extended(plain(1), tokens, known[:, ::-1]) != GUIDED.extended(plain(1), tokens)).any()


def test_those_it_is_made_of_are_as_unusual_as_other_good_parts_only_where_the_others_look_at_them() -> None:
    def spread(maps: list[NDArray[np.float64]]) -> float:
        return float(np.mean([anomaly.max() for anomaly in maps]))

    further = spread([GUIDE.seen.anomaly(picture(200 + i)) for i in range(60)])
    as_others_see_them = spread(Guide.made(bundle(), GOOD)[1])
    by_themselves = spread([GUIDE.seen.anomaly(tokens) for tokens in GOOD])

    assert abs(as_others_see_them - further) < 0.5 * abs(by_themselves - further)


def test_it_is_the_same_bytes_whatever_the_order_and_what_was_read_is_what_was_written() -> None:
    again = Guide.from_bytes(GUIDE.to_bytes())

    assert Guide.of(bundle(), GOOD[::-1]).to_bytes() == GUIDE.to_bytes() == again.to_bytes()
    assert (again.columns(picture(3), 0.6) == GUIDE.columns(picture(3), 0.6)).all()


@pytest.mark.parametrize("data", [b"", GUIDE.to_bytes()[:-8], GUIDE.to_bytes() + b"12345678", GUIDE.to_bytes()[5:]])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(KnowledgeDamaged):
        Guide.from_bytes(data)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_variances_that_no_good_parts_have_are_refused(value: float) -> None:
    data = GUIDE.to_bytes()[:-8] + np.array([value], "<f8").tobytes()

    with pytest.raises(KnowledgeDamaged, match="variances"):
        Guide.from_bytes(data)


def test_a_guide_of_another_bundle_guides_nothing() -> None:
    with pytest.raises(ValueError, match="a guide of bundle"):
        SmallGuided.of(bundle(digest="b" * 64), GUIDE)


def test_a_bundle_that_learned_to_weigh_regions_itself_is_not_guided() -> None:
    assert can_be_guided(bundle())
    with_shares = SimpleNamespace(grid=GRID, manifest=SimpleNamespace(parts=(1, 2), judging=(1,)))
    without_tokens = SimpleNamespace(grid=None, manifest=SimpleNamespace(parts=(1,), judging=(1,)))
    assert not can_be_guided(with_shares) and not can_be_guided(without_tokens)
