"""The shipped bundle is whole, small, and gives its golden vectors on both runtimes; a wrong one would be caught."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from edge_agent.config import EngineConfig
from edge_agent.errors import DeviceFault
from edge_agent.inspection.encode import Encoder, load_bundle
from models import Bundle
from models.bundle import shipped_bundle

MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(shipped_bundle("generic"))


def test_it_fits_into_the_repository(bundle: Bundle) -> None:
    assert sum(path.stat().st_size for path in bundle.folder.iterdir()) <= MOST_BYTES


def test_its_golden_vectors_cover_every_modality_alone_and_together(bundle: Bundle) -> None:
    golden = bundle.golden()
    cases = {tuple(block.modality for block in bundle.blocks if z[block.start : block.stop].any()) for z in golden.z}

    assert len(golden.z) >= 16
    assert cases == {("image", "vibration"), ("image",), ("vibration",)}
    assert len({z.tobytes() for z in golden.z}) == len(golden.z)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_both_runtimes_give_the_golden_vectors(bundle: Bundle, runtime: str) -> None:
    Encoder.load(bundle, msgspec.structs.replace(EngineConfig(), runtime=runtime)).close()


def test_a_projection_that_lost_a_dimension_is_caught(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder.load(bundle, EngineConfig())
    golden = bundle.golden()
    damaged = golden.z.copy()
    damaged[:, int(np.abs(damaged).mean(axis=0).argmax())] = 0.0
    monkeypatch.setattr(Bundle, "golden", lambda self: replace(golden, z=damaged))

    with pytest.raises(DeviceFault, match="golden vector"):
        encoder.prove()
    encoder.close()
