"""Every shipped bundle explains what it judges, on both runtimes: shares add up to the margin that was judged."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.config import EngineConfig
from edge_agent.inspection.encode import load_bundle
from edge_agent.inspection.explain import Explainer
from edge_agent.inspection.trace import SHARES, Perceived
from models import Knowledge
from models.bundle import SHIPPED, shipped_bundle
from models.castings import CastingLine
from models.shares import Margin

NAMES = sorted(path.name for path in SHIPPED.iterdir())
TAUGHT = {"good": 6, "pit": 3, "crack": 3}


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("name", NAMES)
def test_a_part_is_explained_to_the_last_bit(name: str, runtime: str) -> None:
    bundle = load_bundle(shipped_bundle(name))
    explainer = Explainer.load(bundle, EngineConfig(runtime=runtime))
    tray = CastingLine(3)
    parts = {
        slug: [Perceived(c.image, c.samples, c.rate_hz) for c in (tray.example(slug, i) for i in range(count))]
        for slug, count in TAUGHT.items()
    }
    knowledge = Knowledge.empty("ring", bundle.digest, bundle.blocks)
    rows = {slug: [explainer._tracer.trace(part).q for part in of] for slug, of in parts.items()}
    for slug, of in rows.items():
        for row in of:
            knowledge = knowledge.learn(slug, row[None])
    head = knowledge.head(bundle.prior())
    told = explainer.explain(
        parts["pit"][0],
        Margin(head, "pit", bundle.normal),
        reference=explainer.reference(parts["good"]),
        names=[f"{slug} {i}" for slug, of in rows.items() for i in range(len(of))],
        rows=np.array([row for of in rows.values() for row in of]),
    )
    explainer.close()
    has_tokens = any(part.role == SHARES for part in bundle.manifest.parts)

    assert told.constant + sum(told.modalities.values()) == pytest.approx(told.margin, rel=1e-12)
    assert told.judged == pytest.approx(told.margin, rel=0.05, abs=1.0)
    assert told.nearest[0].name == "pit 0"
    assert (told.grid is not None) == has_tokens
    assert (told.features is not None) == has_tokens
    if told.grid is not None:
        assert told.grid.sum() == pytest.approx(told.modalities["image"])
