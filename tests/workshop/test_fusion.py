"""The fusion model is what it says: weights that sum to one, a sum linear in the tokens, and masks that hold."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from models.workshop.encoders import VIBRATION_ENCODERS, WIDTH  # noqa: E402 (torch may be missing)
from models.workshop.errors import WorkshopError  # noqa: E402
from models.workshop.fusion import HEADS, METHODS, VALUES, FusionModel, Pool  # noqa: E402

pytestmark = pytest.mark.workshop

SIDE_PX = 64


def model(vibration_encoder: str = "lstm", fusion_method: str = "attention") -> FusionModel:
    torch.manual_seed(3)
    return FusionModel("resnet18", vibration_encoder, fusion_method).eval()


def inputs(made: FusionModel, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    return (
        torch.randn(batch, 3, SIDE_PX, SIDE_PX, generator=generator),
        torch.randn(batch, *made.vibration_encoder.shape, generator=generator),
    )


def test_the_call_that_everybody_knows_works_as_written() -> None:
    made = FusionModel(image_encoder="resnet18", vibration_encoder="lstm", fusion_method="attention")

    assert made(*inputs(made)).z.shape == (2, 128)


@pytest.mark.parametrize(("vibration_encoder", "method"), [*itertools.product(VIBRATION_ENCODERS, METHODS)])
def test_every_encoder_and_method_gives_an_embedding_of_length_one(vibration_encoder: str, method: str) -> None:
    made = model(vibration_encoder, method)
    with torch.no_grad():
        fused = made(*inputs(made))

    torch.testing.assert_close(fused.z.norm(dim=1), torch.ones(2))
    for pooled in (fused.image, fused.vibration):
        torch.testing.assert_close(pooled.attention.sum(2), torch.ones(2, HEADS))
    if method == "concat":
        assert fused.image.attention.std() == 0.0


def test_the_raw_block_is_a_sum_over_the_tokens() -> None:
    made = model()
    with torch.no_grad():
        image = made(*inputs(made)).image
        shares = image.attention.transpose(1, 2)[..., None] * image.values
        each = made.image_pool._project(shares.reshape(2, -1, HEADS * VALUES))

    torch.testing.assert_close(each.sum(1), image.raw)


def holds(pool: Pool) -> bool:
    """Say whether what is masked changes nothing, and nothing is left where everything is masked."""
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randn(2, 6, WIDTH, generator=generator)
    mask = torch.tensor([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 6])
    other = tokens.clone()
    other[:, 3:] = 100.0
    with torch.no_grad():
        attention, _, raw = pool(tokens, mask)
        _, _, raw_other = pool(other, mask)
        _, _, alone = pool(tokens[:1, :3], mask[:1, :3])
    same = torch.allclose(raw, raw_other, atol=1e-6) and torch.allclose(raw[:1], alone, atol=1e-6)
    return same and not raw[1].any() and not attention[0, :, 3:].any()


class FilledPool(Pool):
    """The wrong implementation: what is missing is filled with zeros and looked at."""

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return super().forward(tokens * mask[:, :, None], torch.ones_like(mask))


@pytest.mark.parametrize("weighs", [True, False])
def test_a_mask_holds(weighs: bool) -> None:
    assert holds(Pool(8, weighs=weighs).eval())


def test_the_check_of_the_mask_has_teeth() -> None:
    assert not holds(FilledPool(8, weighs=True).eval())


def test_a_missing_modality_leaves_the_other_as_it_was() -> None:
    made = model()
    with torch.no_grad():
        both = made(*inputs(made))
        alone = made(*inputs(made), present=torch.tensor([[True, False], [False, True]]))

    torch.testing.assert_close(alone.image.unit[0], both.image.unit[0])
    torch.testing.assert_close(alone.vibration.unit[1], both.vibration.unit[1])
    assert not alone.vibration.unit[0].any()
    assert not alone.image.unit[1].any()


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("resnet17", "lstm", "attention"), "image encoder.*resnet17.*resnet18"),
        (("resnet18", "gru", "attention"), "vibration encoder.*gru.*lstm"),
        (("resnet18", "lstm", "mean"), "fusion method.*mean.*attention"),
    ],
)
def test_a_name_that_is_none_is_answered_with_those_there_are(names: tuple[str, str, str], what: str) -> None:
    with pytest.raises(WorkshopError, match=what):
        FusionModel(*names)
