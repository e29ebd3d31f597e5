"""What is exported is what was trained: the parts on a runtime give the numbers that torch gives, masks included."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from models.shares import token_terms  # noqa: E402 (torch may be missing)
from models.workshop.export import MAPS, FusionPart, SharesPart, parts_of, shares_of  # noqa: E402
from models.workshop.fusion import UNTOUCHED_DIMS, FusionModel  # noqa: E402
from models.workshop.runner import RUNTIMES, Model  # noqa: E402
from tests.workshop.frozen_backbone import FROZEN, frozen_model, offer_frozen  # noqa: E402

pytestmark = pytest.mark.workshop

SIDE_PX = 64


@pytest.mark.parametrize("vibration_encoder", ["filterbank", "lstm", "cnn1d"])
def test_the_parts_give_what_the_model_gives(vibration_encoder: str) -> None:
    torch.manual_seed(6)
    model = FusionModel("resnet18", vibration_encoder, "attention", side_px=SIDE_PX).eval()
    model.image_encoder.fine.standard.mean += 0.3
    model.vibration_encoder.standard.scale *= 2.0
    made = parts_of(model, ("image", "vibration"))
    made["shares"] = shares_of(model, ("image", "vibration"))
    parts = {role: Model(part.SerializeToString(), "onnxruntime") for role, part in made.items()}
    rng = np.random.default_rng(7)
    picture = rng.normal(size=(1, 3, SIDE_PX, SIDE_PX)).astype(np.float32)
    heard = rng.normal(size=(1, *model.vibration_encoder.shape)).astype(np.float32)
    feed = parts["image"].run({"picture": picture}) | parts["vibration"].run({model.vibration_encoder.source: heard})

    for present in ((1, 1), (1, 0), (0, 1)):
        masks = {
            f"{name}_mask": np.full((1, feed[f"{name}_tokens"].shape[1]), there, np.float32)
            for name, there in zip(("image", "vibration"), present, strict=True)
        }
        got = parts["fusion"].run(feed | masks)
        with torch.no_grad():
            want = model(torch.from_numpy(picture), torch.from_numpy(heard), torch.tensor([present]))

        assert list(got) == FusionPart(model, ("image", "vibration")).outputs
        terms = parts["shares"].run(feed | masks)
        assert list(terms) == SharesPart(model, ("image", "vibration")).outputs
        for name, pooled in (("image", want.image), ("vibration", want.vibration)):
            np.testing.assert_allclose(got[f"{name}_embedding"], pooled.raw, atol=1e-4)
            np.testing.assert_allclose(terms[f"{name}_attention"], pooled.attention, atol=1e-5)
            assert terms[f"{name}_values"].shape[1:] == (*pooled.attention.shape[1:], pooled.raw.shape[1])
            summed = (terms[f"{name}_attention"][..., None] * terms[f"{name}_values"]).sum(axis=(1, 2))
            np.testing.assert_allclose(summed, pooled.raw, atol=1e-4)


def test_a_model_of_pictures_alone_has_no_other_part() -> None:
    torch.manual_seed(6)
    model = FusionModel("resnet18", "filterbank", "attention", side_px=SIDE_PX)
    made = parts_of(model, ("image",))

    assert list(made) == ["image", "fusion"]
    for part in (made["fusion"], shares_of(model, ("image",))):
        assert [tensor.name for tensor in part.graph.input] == ["image_tokens", "image_mask"]


def test_what_judges_a_part_gives_nothing_but_the_embedding() -> None:
    """What an explanation needs is a part of its own, so that no other part pays for it."""
    model = FusionModel("resnet18", "filterbank", "attention", side_px=SIDE_PX)
    fusion = parts_of(model, ("image", "vibration"))["fusion"]

    assert [tensor.name for tensor in fusion.graph.output] == ["image_embedding", "vibration_embedding"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_terms_of_what_is_untouched_add_up_to_the_block_that_judges(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer_frozen(monkeypatch)
    model = frozen_model(SIDE_PX)
    made = parts_of(model, ("image",)) | {"shares": shares_of(model, ("image",))}
    parts = {role: Model(part.SerializeToString(), runtime) for role, part in made.items()}
    rng = np.random.default_rng(8)
    flat = np.full((1, 3, SIDE_PX, SIDE_PX), 0.3, np.float32)  # every place is as high as every other

    for picture in (rng.normal(size=flat.shape).astype(np.float32), flat):
        seen = parts["image"].run({"picture": picture})
        assert list(seen) == ["image_tokens", *MAPS]
        for there in (1.0, 0.0):
            feed = seen | {"image_mask": np.full((1, seen["image_tokens"].shape[1]), there, np.float32)}
            (raw,) = parts["fusion"].run(feed).values()
            with torch.no_grad():
                present = torch.tensor([[there > 0, False]])
                want = model(torch.from_numpy(picture), torch.zeros(1, *model.vibration_encoder.shape), present).image
            np.testing.assert_allclose(raw, want.raw, atol=1e-5)
            if there:
                terms = token_terms(*parts["shares"].run(feed).values())
                np.testing.assert_allclose(terms.sum(axis=0), raw[0], atol=1e-5)
                halves = raw[0, :UNTOUCHED_DIMS], raw[0, UNTOUCHED_DIMS:]
                np.testing.assert_allclose([np.linalg.norm(half) for half in halves], 1.0, atol=1e-5)
            else:
                assert not raw.any()


def test_a_model_that_is_trained_whole_gives_no_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    offer_frozen(monkeypatch)
    parts = parts_of(FusionModel(FROZEN, "filterbank", side_px=SIDE_PX), ("image",))

    assert [tensor.name for tensor in parts["image"].graph.output] == ["image_tokens"]
    assert [tensor.name for tensor in parts["fusion"].graph.input] == ["image_tokens", "image_mask"]
