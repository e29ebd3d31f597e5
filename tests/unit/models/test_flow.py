"""What each part of a bundle is given: everything, or, behind a mask, what is there and that the rest is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_manifest import TEXT

from models.flow import Flow, Tensors
from models.manifest import Manifest, parse_manifest

MASKED = """
[vibration]
duration_ms = 80.0
window_ms = 10.0
hop_ms = 2.0
bands = 4
low_hz = 60.0
high_hz = 12000.0

[[part]]
role = "image"
file = "image.onnx"
sha256 = "{hex}"
bytes = 100
[[part.input]]
name = "picture"
shape = [1, 3, 8, 8]
dtype = "float32"
[[part.output]]
name = "image_tokens"
shape = [1, 4, 3]
dtype = "float32"

[[part]]
role = "vibration"
file = "vibration.onnx"
sha256 = "{hex}"
bytes = 100
[[part.input]]
name = "vibration"
shape = [1, 5]
dtype = "float32"
[[part.output]]
name = "vibration_tokens"
shape = [1, 2, 3]
dtype = "float32"

[[part]]
role = "fusion"
file = "fusion.onnx"
sha256 = "{hex}"
bytes = 100
[[part.input]]
name = "image_tokens"
shape = [1, 4, 3]
dtype = "float32"
[[part.input]]
name = "vibration_tokens"
shape = [1, 2, 3]
dtype = "float32"
[[part.input]]
name = "image_mask"
shape = [1, 4]
dtype = "float32"
[[part.input]]
name = "vibration_mask"
shape = [1, 2]
dtype = "float32"
[[part.output]]
name = "image_embedding"
shape = [1, 4]
dtype = "float32"
[[part.output]]
name = "vibration_embedding"
shape = [1, 2]
dtype = "float32"
"""
FUSED = (
    TEXT[: TEXT.index("[[part]]")].replace("manifest = 1", "manifest = 2")
    + MASKED.replace("{hex}", "ab" * 32)
    + TEXT[TEXT.index("[prior]") :]
)
PICTURE = np.ones((1, 3, 8, 8), np.float32)
VIBRATION = np.ones((1, 5), np.float32)


class Parts:
    """Remembers what each part was given and answers with what its outputs should look like."""

    def __init__(self, manifest: Manifest) -> None:
        self._outputs = {part.role: part.outputs for part in manifest.parts}
        self.given: dict[str, Tensors] = {}

    def infer(self, role: str, feed: Tensors) -> dict[str, NDArray[Any]]:
        self.given[role] = feed
        return {spec.name: np.full(spec.shape, 7.0, spec.dtype) for spec in self._outputs[role]}


def run(**sources: NDArray[np.float32]) -> tuple[dict[str, Tensors], dict[str, NDArray[Any]]]:
    manifest = parse_manifest(FUSED)
    parts = Parts(manifest)
    return parts.given, dict(Flow(manifest).run(sources, parts.infer).raw)


def test_a_part_that_the_embedding_does_not_come_from_does_not_run() -> None:
    shares = """
[[part]]
role = "shares"
file = "shares.onnx"
sha256 = "{hex}"
bytes = 100
[[part.input]]
name = "image_tokens"
shape = [1, 4, 3]
dtype = "float32"
[[part.output]]
name = "image_attention"
shape = [1, 2, 4]
dtype = "float32"
"""
    manifest = parse_manifest(FUSED.replace("[prior]", shares.replace("{hex}", "ab" * 32) + "[prior]"))
    parts = Parts(manifest)
    Flow(manifest).run({"picture": PICTURE, "vibration": VIBRATION}, parts.infer)

    assert [part.role for part in manifest.parts] == ["image", "vibration", "fusion", "shares"]
    assert list(parts.given) == ["image", "vibration", "fusion"]


def test_with_both_modalities_everything_is_there() -> None:
    given, raw = run(picture=PICTURE, vibration=VIBRATION)

    assert list(given) == ["image", "vibration", "fusion"]
    assert given["fusion"]["image_mask"].all()
    assert given["fusion"]["vibration_mask"].all()
    assert set(raw) == {"image", "vibration"}


@pytest.mark.parametrize(
    ("sources", "there", "missing"),
    [({"picture": PICTURE}, "image", "vibration"), ({"vibration": VIBRATION}, "vibration", "image")],
)
def test_a_missing_modality_is_masked_and_has_no_block(
    sources: dict[str, NDArray[np.float32]], there: str, missing: str
) -> None:
    given, raw = run(**sources)
    fused = given["fusion"]

    assert list(given) == [there, "fusion"]
    assert (fused[f"{there}_mask"] == 1.0).all()
    assert (fused[f"{there}_tokens"] == 7.0).all()
    assert not fused[f"{missing}_mask"].any()
    assert not fused[f"{missing}_tokens"].any()
    assert {name: tensor.dtype for name, tensor in fused.items()} == dict.fromkeys(fused, np.float32)
    assert set(raw) == {there}


def test_pieces_flow_together_as_they_do_alone() -> None:
    manifest = parse_manifest(FUSED)
    pieces: list[Tensors] = [{"picture": PICTURE, "vibration": VIBRATION}, {"picture": PICTURE}, {}]
    asked: list[tuple[str, int]] = []
    parts = Parts(manifest)

    def infer(role: str, feeds: Sequence[Tensors]) -> list[Tensors]:
        asked.append((role, len(feeds)))
        return [parts.infer(role, feed) for feed in feeds]

    together = Flow(manifest).run_together(pieces, infer)
    alone = [Flow(manifest).run(sources, Parts(manifest).infer) for sources in pieces]

    assert asked == [("image", 2), ("vibration", 1), ("fusion", 3)]
    assert (
        [set(each.raw) for each in together]
        == [set(each.raw) for each in alone]
        == [{"image", "vibration"}, {"image"}, set()]
    )


def test_without_a_mask_a_missing_modality_leaves_the_part_out() -> None:
    manifest = parse_manifest(TEXT)
    parts = Parts(manifest)

    assert Flow(manifest).run({}, parts.infer) == ({}, {})
    assert parts.given == {}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('name = "image_mask"\nshape = [1, 4]', 'name = "image_mask"\nshape = [4]', r"must be \(1, tokens\) float32"),
        (
            'name = "image_mask"\nshape = [1, 4]\ndtype = "float32"',
            'name = "image_mask"\nshape = [1, 4]\ndtype = "bool"',
            r"must be \(1, tokens\) float32",
        ),
        ('[[part.output]]\nname = "image_tokens"', '[[part.output]]\nname = "image_mask"', "is made twice"),
    ],
)
def test_a_mask_that_makes_no_sense_is_refused(old: str, new: str, reason: str) -> None:
    assert old in FUSED
    with pytest.raises(ValueError, match=reason):
        parse_manifest(FUSED.replace(old, new, 1))
