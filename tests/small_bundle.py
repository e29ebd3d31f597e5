"""A bundle in miniature without files and runtimes: regions, axes or moments, attention and all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_agent.inspection.explain import Explainer
from edge_agent.inspection.trace import Perceived, Tracer
from edge_agent.testing.engine import TableEngine
from models import Bundle
from models.manifest import Manifest, parse_manifest
from models.tensor import TensorSpec

RATE_HZ = 20_000.0
SIDE_PX = 8
BANDS = 4
FEATURES = 3 * (2 * BANDS + 19)
FRAMES = 36
HEADS, WIDTH = 2, 3

HEADER = f"""
manifest = 2
name = "small"
version = "1.0"
licence = "Apache-2.0"
origin = "made in a test"
created_by = "small_bundle"
opset = 18
embedding = 6

[label_policy]
normal = "good"

[[block]]
modality = "image"
start = 0
stop = 4
weight = 0.5
output = "image_embedding"

[[block]]
modality = "vibration"
start = 4
stop = 6
weight = 0.5
output = "vibration_embedding"

[picture]
width = {SIDE_PX}
height = {SIDE_PX}
colour = "rgb"
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]
fit = "squash"

[vibration]
duration_ms = 80.0
window_ms = 10.0
hop_ms = 2.0
bands = {BANDS}
low_hz = 60.0
high_hz = 8000.0

[prior]
file = "prior.npy"
strength = 5.0
sha256 = "{"ab" * 32}"
bytes = 416

[golden]
file = "golden.npz"
vectors = 2
tolerance = 0.02
sha256 = "{"ab" * 32}"
bytes = 4000
"""

DIMS = {"image": 4, "vibration": 2}

Forward = Callable[[np.ndarray], np.ndarray]


def small_explainer(*, frames: bool = False, shares: bool = True, bend: float = 0.0, leak: float = 0.0) -> Explainer:
    """Build an explainer.

    Args:
        frames: the vibration has a token for each frame instead of for each axis.
        shares: the bundle has the part of that name.
        bend: how far the vibration's tokens are from linear in its features.
        leak: how much of each value the part `shares` loses.
    """
    rng = np.random.default_rng(1)
    heard = (
        TensorSpec("vibration_frames", (1, FRAMES, 3 * BANDS), "float32") if frames else _spec("vibration", FEATURES)
    )
    moments = FRAMES if frames else 3
    tokens = {"image": _spec("image_tokens", 4, WIDTH), "vibration": _spec("vibration_tokens", moments, WIDTH)}
    masks = {m: _spec(f"{m}_mask", spec.shape[1]) for m, spec in tokens.items()}
    each = heard.shape[-1] if frames else FEATURES // 3
    mix = rng.normal(size=(each, WIDTH)) / each
    score = {m: rng.normal(size=(WIDTH, HEADS)) for m in tokens}
    value = {m: rng.normal(size=(WIDTH, HEADS, DIMS[m])) for m in tokens}

    def look(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        half = SIDE_PX // 2
        quarters = feed["picture"].reshape(1, 3, 2, half, 2, half).mean(axis=(3, 5))
        return {"image_tokens": quarters.reshape(1, 3, 4).transpose(0, 2, 1) + np.float32(2.0)}

    def listen(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        made = feed[heard.name].reshape(1, moments, each) @ mix
        return {"vibration_tokens": (made + bend * np.sin(9.0 * made)).astype(np.float32)}

    def weigh(feed: dict[str, np.ndarray], modality: str) -> tuple[np.ndarray, np.ndarray]:
        own, mask = feed[f"{modality}_tokens"].astype(float), feed[f"{modality}_mask"]
        odds = np.exp((own @ score[modality]).transpose(0, 2, 1)) * mask[:, None]
        attention = odds / np.maximum(odds.sum(axis=-1, keepdims=True), 1e-9)
        return attention, np.einsum("btw,whd->bhtd", own, value[modality])

    def fuse(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        made = {m: np.einsum("bht,bhtd->bd", *weigh(feed, m)) for m in DIMS}
        return {f"{m}_embedding": raw.astype(np.float32) for m, raw in made.items()}

    def share(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        made = {}
        for m in DIMS:
            attention, values = weigh(feed, m)
            made[f"{m}_attention"] = attention.astype(np.float32)
            made[f"{m}_values"] = (values * (1.0 - leak)).astype(np.float32)
        return made

    fused = tuple(spec for m in tokens for spec in (tokens[m], masks[m]))
    shared = tuple(
        spec
        for m, own in tokens.items()
        for spec in (
            _spec(f"{m}_attention", HEADS, own.shape[1]),
            _spec(f"{m}_values", HEADS, own.shape[1], DIMS[m]),
        )
    )
    engines = {
        "image": TableEngine((_spec("picture", 3, SIDE_PX, SIDE_PX),), (tokens["image"],), look),
        "vibration": TableEngine((heard,), (tokens["vibration"],), listen),
        "fusion": TableEngine(fused, tuple(_spec(f"{m}_embedding", DIMS[m]) for m in tokens), fuse),
    }
    if shares:
        engines["shares"] = TableEngine(fused, shared, share)
    bundle = Bundle(Path("nowhere"), manifest_of(engines), "0" * 64)
    return Explainer(bundle, Tracer(bundle, engines))


def part(seed: int, *, corner: float = 0.0, axis: float = 0.0) -> Perceived:
    """Make a part: `corner` brightens the top right of the picture, `axis` makes y ring on at 900 Hz."""
    rng = np.random.default_rng(seed)
    image = rng.integers(97, 104, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
    image[: SIDE_PX // 2, SIDE_PX // 2 :] += np.uint8(corner)
    time_s = np.arange(1700) / RATE_HZ
    rings = np.exp(-time_s / 0.02)[:, None] * np.sin(2 * np.pi * 2000.0 * time_s)[:, None] * np.ones(3)
    samples = rings + 0.02 * rng.normal(size=(1700, 3))
    samples[:, 1] += axis * np.sin(2 * np.pi * 900.0 * time_s)
    return Perceived(image, samples.astype(np.float32), RATE_HZ)


def _spec(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name, (1, *shape), "float32")


def manifest_of(engines: dict[str, TableEngine]) -> Manifest:
    """Give the manifest of a bundle with these parts."""
    lines = [HEADER]
    for role, engine in engines.items():
        lines += ["[[part]]", f'role = "{role}"', f'file = "{role}.onnx"', f'sha256 = "{"ab" * 32}"', "bytes = 1"]
        for kind, specs in (("input", engine.inputs), ("output", engine.outputs)):
            for spec in specs:
                lines += [f"[[part.{kind}]]", f'name = "{spec.name}"', f"shape = {list(spec.shape)}"]
                lines += [f'dtype = "{spec.dtype}"']
    return parse_manifest("\n".join(lines))
