"""Halving keeps what training learned where it counts, and leaves the rest to the frozen backbone."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from models.workshop.corpus import Corpus  # noqa: E402 (torch may be missing)
from models.workshop.export import parts_of  # noqa: E402
from models.workshop.fusion import IMAGE_DIMS, FusionModel  # noqa: E402
from models.workshop.halve import halve  # noqa: E402
from models.workshop.halved import trained_pools  # noqa: E402
from tests.workshop.frozen_backbone import CHANNELS, FROZEN, offer_frozen  # noqa: E402

pytestmark = pytest.mark.workshop

SIDE_PX = 64
COUNT = 60
DIMS = 12
"""Left untouched; the small backbone has 20 numbers to choose from."""


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FusionModel:
    offer_frozen(monkeypatch)
    torch.manual_seed(4)
    model = FusionModel(FROZEN, "filterbank", side_px=SIDE_PX).eval()
    for pool in (model.image_pool, model.vibration_pool):
        for parameter in pool.parameters():  # none may be as it was born: equal tensors are exported once
            torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture
def corpus() -> Corpus:
    """Random maps; the last sample has no picture."""
    rng = np.random.default_rng(2)
    present = np.ones((COUNT, 2), np.bool_)
    present[-1, 0] = False
    return Corpus(
        classes=("good", "spot"),
        shows=np.ones((2, 2), np.bool_),
        pictures=np.zeros((COUNT, 1, 1, 3), np.uint8),
        fine=rng.random((COUNT, CHANNELS[0], 4, 4)).astype(np.float16),
        coarse=rng.random((COUNT, CHANNELS[1], 2, 2)).astype(np.float16),
        vibration=rng.random((COUNT, 441)).astype(np.float32),
        present=present,
        labels=np.arange(COUNT) % 2,
        lines=np.zeros(COUNT, np.int64),
        things=np.arange(COUNT),
    )


def test_the_trained_half_lies_where_the_whole_block_was_longest(model: FusionModel, corpus: Corpus) -> None:
    whole = corpus.embedded(model)
    halve(model, corpus, DIMS)
    halved = corpus.embedded(model)
    trained = halved[:-1, DIMS:IMAGE_DIMS]
    before = whole[:-1, :IMAGE_DIMS]

    assert model.design.untouched_dims == DIMS
    # Lengths and angles inside the block are those of its longest directions: nearly all of it here.
    torch.testing.assert_close(trained @ trained.T * 2.0, before @ before.T, atol=2e-2, rtol=0.0)
    torch.testing.assert_close(halved[:, IMAGE_DIMS:], whole[:, IMAGE_DIMS:])
    torch.testing.assert_close(halved[:-1, :DIMS].norm(dim=1), torch.full((COUNT - 1,), 0.5))
    assert not halved[-1, :IMAGE_DIMS].any()


def test_what_was_trained_is_read_back_from_the_part(model: FusionModel) -> None:
    states = trained_pools(parts_of(model, ("image", "vibration"))["fusion"], 2)

    for pool, state in zip((model.image_pool, model.vibration_pool), states, strict=True):
        assert state.keys() == pool.state_dict().keys()
        for name, tensor in pool.state_dict().items():
            torch.testing.assert_close(state[name], tensor, atol=0.0, rtol=0.0)
