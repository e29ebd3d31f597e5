"""A picture that is encoded before its window: what needs nothing of the window is run, and nothing is taken over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_bundle import SIDE_PX, manifest_of
from wide_bundle import HEARD, PICTURE, SEEN, WINDOW, Wide, look

from edge_agent.engines.base import Array
from edge_agent.inspection.begun import Begun
from edge_agent.inspection.encode import Encoder
from edge_agent.testing.engine import TableEngine
from models.flow import Tensors
from models.tensor import TensorSpec

MASK = TensorSpec("vibration_mask", (1, 2), "float32")


def listen_where_there_is_anything(feed: Mapping[str, Array]) -> dict[str, Array]:
    heard = feed["vibration"][:, :2] * feed["vibration_mask"]
    return {"vibration_embedding": heard + np.float32(3.0)}


def encoder_of(kind: type[Encoder]) -> Encoder:
    """Its vibration part looks at a mask, so that it could run without a window."""
    engines = {
        "image": TableEngine((PICTURE,), (SEEN,), look),
        "vibration": TableEngine((WINDOW, MASK), (HEARD,), listen_where_there_is_anything),
    }
    return kind(Wide(Path("nowhere"), manifest_of(engines), "0" * 64), engines)


def part(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 255, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
    return picture, rng.normal(size=(2000, 3)).astype(np.float32)


def goes_on_to_the_same(kind: type[Encoder]) -> bool:
    encoder = encoder_of(kind)
    same = []
    for seed in range(5):
        image, samples = part(seed)
        begun = encoder.begin(image)
        whole, rest = encoder.encode(image, samples, 20e3), encoder.encode(image, samples, 20e3, (), begun)
        same.append(np.array_equal(whole.q, rest.q) and whole.present == rest.present)
    return all(same)


class RunsWhatCanRun(Encoder):
    """Wrong: runs every part that a picture alone would run, behind its mask."""

    def begin(self, image: Any) -> Begun:
        begun = super().begin(image)
        made: dict[str, Tensors] = {
            role: self._engines[role].infer(feed) for role, feed in self._flow.beginnings(begun.tensors).items()
        }
        return Begun(self, image, begun.tensors, made)


def test_a_part_that_would_hear_through_a_mask_waits_for_the_window() -> None:
    assert goes_on_to_the_same(Encoder)
    assert not goes_on_to_the_same(RunsWhatCanRun)


def belongs_to_its_picture(kind: type[Encoder]) -> bool:
    encoder = encoder_of(kind)
    (first, _), (second, samples) = part(1), part(2)
    begun = encoder.begin(first)
    return np.array_equal(encoder.encode(second, samples, 20e3, (), begun).q, encoder.encode(second, samples, 20e3).q)


class TakesAnyPicture(Encoder):
    """Wrong: goes on from whatever was begun."""

    def encode(self, image: Any, samples: Any, rate_hz: float = 0.0, degraded: Any = (), begun: Any = None) -> Any:
        return super().encode(image if begun is None else begun.image, samples, rate_hz, degraded, begun)


def test_what_was_begun_of_one_picture_says_nothing_of_another() -> None:
    assert belongs_to_its_picture(Encoder)
    assert not belongs_to_its_picture(TakesAnyPicture)


@pytest.mark.parametrize("window", [True, False])
def test_a_part_that_lost_its_window_or_has_an_unusable_one_still_has_its_picture(window: bool) -> None:
    encoder = encoder_of(Encoder)
    image, samples = part(3)
    given = samples[:1] if window else None
    begun = encoder.begin(image)
    whole, rest = encoder.encode(image, given, 20e3), encoder.encode(image, given, 20e3, (), begun)

    assert np.array_equal(whole.q, rest.q)
    assert (whole.present, whole.degraded) == (rest.present, rest.degraded)
