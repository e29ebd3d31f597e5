"""Every shipped bundle gives tokens of a picture that lie where their regions do, the same on both runtimes."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest

from edge_agent.config import EngineConfig
from edge_agent.inspection.encode import load_bundle
from edge_agent.inspection.trace import Perceived, Tracer
from models.bundle import SHIPPED, shipped_bundle
from models.castings import CastingLine
from models.normality import Seen
from models.tokenbank import rounded

LINE = CastingLine(31)
NAMES = sorted(path.name for path in SHIPPED.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_a_spot_is_found_where_it_was_painted_on_either_runtime(name: str) -> None:
    bundle = load_bundle(shipped_bundle(name))
    good = [LINE.example("good", i).image for i in range(9)]
    spotted = good.pop().copy()
    cv2.circle(spotted, (360, 120), 30, (20, 20, 20), -1)
    maps = []
    for runtime in ("openvino", "onnxruntime"):
        tracer = Tracer.load(bundle, msgspec.structs.replace(EngineConfig(), runtime=runtime))
        tokens = np.stack([tracer.trace(Perceived(image)).seen["image_tokens"][0] for image in (*good, spotted)])
        tracer.close()
        grid = bundle.grid
        assert grid is not None
        maps.append(Seen.of(np.stack([rounded(one) for one in tokens[:-1]]), grid).anomaly(tokens[-1]))

    for anomaly in maps:
        row, column = np.unravel_index(anomaly.argmax(), anomaly.shape)
        assert abs((column + 0.5) / grid[1] - 360 / spotted.shape[1]) < 0.1
        assert abs((row + 0.5) / grid[0] - 120 / spotted.shape[0]) < 0.1
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.95
