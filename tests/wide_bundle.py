"""A bundle in miniature whose parts compute one piece or several together: nothing is loaded, nothing read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from small_bundle import FEATURES, SIDE_PX, manifest_of

from edge_agent.engines import Engine, Spot
from edge_agent.engines.base import Array, together
from edge_agent.engines.spot import DeviceName
from edge_agent.testing.engine import TableEngine
from models import Bundle
from models.bundle import Golden
from models.embedding import assemble
from models.manifest import Part
from models.tensor import TensorSpec

PICTURE = TensorSpec("picture", (1, 3, SIDE_PX, SIDE_PX), "float32")
WINDOW = TensorSpec("vibration", (1, FEATURES), "float32")
SEEN = TensorSpec("image_embedding", (1, 4), "float32")
HEARD = TensorSpec("vibration_embedding", (1, 2), "float32")
GPU = Spot(DeviceName("openvino", "gpu"))
CPU = Spot(DeviceName("openvino", "cpu"), 1)
VECTORS = 5


def look(feed: Mapping[str, Array]) -> dict[str, Array]:
    """Give the mean of each channel and of all of them."""
    means = feed["picture"].mean(axis=(2, 3))
    return {"image_embedding": np.concatenate([means, means.mean(axis=1, keepdims=True)], axis=1) + np.float32(1.0)}


def listen(feed: Mapping[str, Array]) -> dict[str, Array]:
    """Give the first two features."""
    return {"vibration_embedding": feed["vibration"][:, :2] + np.float32(3.0)}


ANSWERS = {"image": look, "vibration": listen}


def engine(role: str, pieces: int = 1, **faults: Any) -> TableEngine:
    """Give a part's engine for so many pieces."""
    inputs, outputs = ((PICTURE,), (SEEN,)) if role == "image" else ((WINDOW,), (HEARD,))
    wide = [tuple(together(spec, pieces) for spec in specs) for specs in (inputs, outputs)]
    return TableEngine(*wide, faults.pop("answer", ANSWERS[role]), **faults)


class Wide(Bundle):
    """Has golden vectors without files: each is another piece, and the last has no window."""

    def golden(self) -> Golden:
        rng = np.random.default_rng(4)
        sources: dict[str, Any] = {
            "picture": rng.normal(size=(VECTORS, *PICTURE.shape)).astype(np.float32),
            "vibration": rng.normal(size=(VECTORS, *WINDOW.shape)).astype(np.float32),
        }
        z = []
        for at in range(VECTORS):
            raw = {"image": look({"picture": sources["picture"][at]})["image_embedding"]}
            if at < VECTORS - 1:
                raw["vibration"] = listen({"vibration": sources["vibration"][at]})["vibration_embedding"]
            z.append(assemble(self.blocks, raw))
        return Golden(sources, np.array(z, dtype=np.float32), self.manifest.golden.tolerance)

    def golden_rows(self) -> Iterator[tuple[dict[str, Any], Any]]:
        golden = self.golden()
        return (({name: rows[i] for name, rows in golden.sources.items()}, z) for i, z in enumerate(golden.z))


def wide_bundle() -> Wide:
    """Give the bundle."""
    manifest = manifest_of({role: engine(role) for role in ANSWERS})
    return Wide(Path("nowhere"), manifest, "0" * 64)


def load(
    bundle: Bundle, spots: Spot | Mapping[str, Spot], parts: Sequence[Part] = (), cache: Path | None = None
) -> dict[str, Engine]:
    """Give the engines of parts, as `load_engines` does."""
    return {
        part.role: engine(part.role, (spots if isinstance(spots, Spot) else spots[part.role]).pieces) for part in parts
    }
