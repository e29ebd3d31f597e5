"""Pieces that are encoded together come out as they do alone, and only where that was proven."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from small_bundle import SIDE_PX
from wide_bundle import GPU, engine, listen, load, look, wide_bundle

from edge_agent.engines import Engine, Spot
from edge_agent.engines.base import Array, together
from edge_agent.errors import BadData, DeviceFault
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.piece import Piece
from models.errors import BundleRefused
from models.tensor import TensorSpec

ROLES = ("image", "vibration")


def wide(*sizes: int) -> list[Mapping[str, Spot]]:
    return [{role: GPU._replace(pieces=size) for role in ROLES} for size in sizes]


def piece(seed: int, *, image: bool = True, window: bool = True) -> Piece:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 255, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8) if image else None
    return Piece(picture, rng.normal(size=(2000, 3)).astype(np.float32) if window else None, 20_000.0)


def proven(batches: Sequence[Mapping[str, Spot]], load: Any = load) -> Encoder:
    encoder = Encoder.at_spots(wide_bundle(), GPU, load=load, batches=batches)
    encoder.prove()
    encoder.prove_together()
    return encoder


def test_pieces_come_out_as_they_do_alone() -> None:
    encoder = proven(wide(2, 4))
    pieces = [piece(seed, window=seed != 2) for seed in range(4)]
    alone = [encoder.encode(*each) for each in pieces]

    assert encoder.sizes == {2, 4}
    for size in (1, 2, 3, 4):  # three are computed one by one
        together = encoder.encode_together(pieces[:size])
        assert [each.q.tolist() for each in together] == [each.q.tolist() for each in alone[:size]]
        assert [each.present for each in together] == [each.present for each in alone[:size]]


def test_before_they_were_proven_none_are_computed_together() -> None:
    calls: list[int] = []

    def told(*asked: Any) -> dict[str, Engine]:
        size = max(spot.pieces for spot in asked[1].values()) if isinstance(asked[1], dict) else 1
        return {role: engine(role, size, before=lambda call: calls.append(size)) for role in ROLES}

    encoder = Encoder.at_spots(wide_bundle(), GPU, load=told, batches=wide(2))
    encoder.encode_together([piece(1), piece(2)])
    assert (encoder.sizes, calls) == (frozenset(), [1, 1, 1, 1])
    encoder.prove()
    encoder.prove_together()
    calls.clear()
    encoder.encode_together([piece(1), piece(2)])

    assert calls == [2, 2]


def test_a_piece_that_lacks_something_leaves_the_others_together() -> None:
    calls: list[tuple[str, int]] = []

    def counted(role: str, size: int) -> Engine:
        return engine(role, size, before=lambda call: calls.append((role, size)))

    def told(bundle: Any, spots: Any, parts: Any, cache: Any = None) -> dict[str, Engine]:
        return {role: counted(role, 4 if isinstance(spots, dict) else 1) for role in ROLES}

    encoder = proven(wide(4), told)
    pieces = [piece(1, image=False), piece(2), piece(3), piece(4, window=False)]
    alone = [encoder.encode(*each) for each in pieces]
    calls.clear()
    made = encoder.encode_together(pieces)

    assert calls == [("image", 4), ("vibration", 4)]
    assert [each.q.tolist() for each in made] == [each.q.tolist() for each in alone]
    assert [each.present for each in made] == [each.present for each in alone]
    calls.clear()
    encoder.encode_together([piece(1, image=False), *[piece(seed, window=False) for seed in range(2, 5)]])

    assert calls == [("image", 4), ("vibration", 1)]  # what only one has is computed for it alone


def swapped(answer: Callable[[Mapping[str, Array]], dict[str, Array]]) -> Any:
    return lambda feed: {name: array[::-1] for name, array in answer(feed).items()}


def first_for_all(answer: Callable[[Mapping[str, Array]], dict[str, Array]]) -> Any:
    return lambda feed: {name: np.repeat(array[:1], len(array), axis=0) for name, array in answer(feed).items()}


@pytest.mark.parametrize("wrong", [swapped, first_for_all])
@pytest.mark.parametrize(("role", "answer"), [("image", look), ("vibration", listen)])
def test_a_device_that_mixes_pieces_up_computes_them_one_by_one(wrong: Any, role: str, answer: Any) -> None:
    def mixed(bundle: Any, spots: Any, parts: Any, cache: Any = None) -> dict[str, Engine]:
        engines = load(bundle, spots, parts, cache)
        if isinstance(spots, dict) and spots[role].pieces == 2:
            engines[role] = engine(role, 2, answer=wrong(answer))
        return engines

    encoder = proven(wide(2, 4), mixed)
    assert encoder.sizes == {4}
    (why,) = encoder.complaints
    assert re.fullmatch(r"2 parts of \w+ are not done together: .*golden vector \d+ comes out .* away .*", why)


def test_one_number_is_for_one_piece_and_no_more() -> None:
    gain = TensorSpec("gain", (), "float32")

    assert together(gain, 1) == gain
    assert together(TensorSpec("rows", (3, 2), "float32"), 2).shape == (6, 2)
    with pytest.raises(BadData, match="gain"):
        together(gain, 2)


@pytest.mark.parametrize(
    "error", [DeviceFault("no memory"), BundleRefused("small", "image", "no shape of 4"), BadData("one number")]
)
def test_what_cannot_be_loaded_for_several_is_loaded_for_one(error: Exception) -> None:
    def small(bundle: Any, spots: Any, parts: Any, cache: Any = None) -> dict[str, Engine]:
        if isinstance(spots, dict) and spots["image"].pieces == 4:
            raise error
        return load(bundle, spots, parts, cache)

    encoder = proven(wide(2, 4), small)
    assert encoder.sizes == {2}
    (why,) = encoder.complaints
    assert why.startswith("4 parts of") and str(error) in why


def test_parts_may_differ_in_what_they_compute_together() -> None:
    encoder = proven([{"image": GPU._replace(pieces=2)}])
    pieces = [piece(1), piece(2)]

    assert encoder.sizes == {2}
    assert [e.q.tolist() for e in encoder.encode_together(pieces)] == [encoder.encode(*p).q.tolist() for p in pieces]


def test_a_damaged_piece_says_so_and_costs_the_others_that_turn() -> None:
    encoder = proven(wide(2))
    with pytest.raises(BadData):
        encoder.encode_together([piece(1), Piece(None, None)])


def test_closing_releases_every_form() -> None:
    made: list[Any] = []

    def kept(*asked: Any) -> dict[str, Engine]:
        engines = load(*asked)
        made.extend(engines.values())
        return engines

    proven(wide(2, 4), kept).close()

    assert len(made) == 6
    assert all(one.closed for one in made)
