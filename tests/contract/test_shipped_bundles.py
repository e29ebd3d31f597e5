"""The shipped bundles are whole, small, and give their golden vectors on both runtimes; a wrong one would be caught."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest

from edge_agent.config import EngineConfig
from edge_agent.engines import DeviceName, Spot
from edge_agent.errors import ConfigError, DeviceFault
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.inspection.piece import Piece
from models import Bundle
from models.bundle import SHIPPED, shipped_bundle
from models.castings import CastingLine
from models.embedding import dequantise
from models.workshop.pack import largest_weight

MOST_BYTES = 6_000_000
MOST_BYTES_TOGETHER = 16_000_000
NAMES = sorted(path.name for path in SHIPPED.iterdir())
FUSED = [name for name in NAMES if name != "generic"]


@pytest.fixture(scope="module", params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(shipped_bundle(request.param))


def test_they_fit_into_the_repository() -> None:
    sizes = {name: sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) for name in NAMES}

    assert {"generic", "castings"} <= set(sizes)
    assert max(sizes.values()) <= MOST_BYTES
    assert sum(sizes.values()) <= MOST_BYTES_TOGETHER


@pytest.mark.parametrize("name", FUSED)
def test_a_missing_modality_changes_nothing_in_the_block_of_the_other(name: str) -> None:
    bundle = load_bundle(shipped_bundle(name))
    encoder = Encoder.load(bundle, EngineConfig())
    rng = np.random.default_rng(4)
    image = rng.integers(0, 255, (480, 480, 3), np.uint8)
    samples = rng.normal(0.0, 5.0, (3000, 3)).astype(np.float32)
    both = encoder.encode(image, samples, 26_667.0).q
    seen, heard = encoder.encode(image, None).q, encoder.encode(None, samples, 26_667.0).q
    encoder.close()

    first, second = bundle.blocks
    assert seen[: first.stop].any()
    np.testing.assert_allclose(seen[: first.stop], both[: first.stop], atol=2)
    np.testing.assert_allclose(heard[second.start :], both[second.start :], atol=2)
    assert not seen[second.start :].any()
    assert not heard[: first.stop].any()


def test_its_golden_vectors_cover_every_modality_alone_and_together(bundle: Bundle) -> None:
    golden = bundle.golden()
    cases = {tuple(block.modality for block in bundle.blocks if z[block.start : block.stop].any()) for z in golden.z}

    assert len(golden.z) >= (16 if bundle.name == "generic" else 32)
    assert cases == {("image", "vibration"), ("image",), ("vibration",)}
    assert len({z.tobytes() for z in golden.z}) == len(golden.z)


def test_what_it_says_of_its_weights_is_so(bundle: Bundle) -> None:
    parts = [onnx.load_from_string(bundle.part_bytes(part.role)) for part in bundle.manifest.parts]

    assert largest_weight(parts) <= bundle.manifest.largest_weight


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_both_runtimes_give_the_golden_vectors(bundle: Bundle, runtime: str) -> None:
    Encoder.load(bundle, msgspec.structs.replace(EngineConfig(), runtime=runtime)).close()


@pytest.mark.parametrize("name", ["castings", "generic"])  # a fused one, and one that pools its regions
def test_openvino_gives_the_golden_vectors_of_two_and_four_together_as_well(name: str) -> None:
    bundle = load_bundle(shipped_bundle(name))
    spot = Spot(DeviceName("openvino", "cpu"), 1)
    batches = [{p.role: spot._replace(pieces=size) for p in bundle.manifest.judging} for size in (2, 4)]
    encoder = Encoder.at_spots(bundle, spot, batches=batches)
    rng = np.random.default_rng(4)
    pieces = [
        Piece(
            rng.integers(0, 255, (300, 400, 3), np.uint8), rng.normal(0.0, 5.0, (3000, 3)).astype(np.float32), 26_667.0
        )
        for _ in range(4)
    ]
    assert encoder.prove_together() == {2, 4}
    alone = [dequantise(encoder.encode(*each).q) for each in pieces]
    together = [dequantise(each.q) for size in (2, 4) for each in encoder.encode_together(pieces[:size])]
    encoder.close()

    off = np.linalg.norm(np.array(together) - np.array([*alone[:2], *alone]), axis=1)
    assert off.max() <= bundle.manifest.golden.tolerance


def test_a_projection_that_lost_a_dimension_is_caught(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = Encoder.load(bundle, EngineConfig())
    lost = int(np.abs(bundle.golden().z).mean(axis=0).argmax())
    rows = [(sources, np.where(np.arange(len(z)) == lost, np.float32(0.0), z)) for sources, z in bundle.golden_rows()]
    monkeypatch.setattr(Bundle, "golden_rows", lambda self: iter(rows))

    with pytest.raises(DeviceFault, match="golden vector"):
        encoder.prove()
    encoder.close()


def test_golden_vectors_come_one_at_a_time_and_hardly_more_than_one_is_unpacked(bundle: Bundle) -> None:
    golden, number = bundle.golden(), 0
    row_bytes = sum(rows[0].nbytes for rows in golden.sources.values())
    tracemalloc.start()
    for number, (sources, z) in enumerate(bundle.golden_rows()):
        assert sources.keys() == golden.sources.keys()
        assert all(np.array_equal(row, golden.sources[name][number]) for name, row in sources.items())
        assert np.array_equal(z, golden.z[number])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert number + 1 == len(golden.z)
    assert peak_bytes < 6 * row_bytes + 2 * bundle.manifest.golden.bytes


def test_a_bundle_that_is_exchanged_under_a_running_encoder_is_said_and_what_is_left_is_proven(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    shutil.copytree(bundle.folder, folder)
    own = Bundle.load(folder)
    Encoder.load(own, EngineConfig(), tmp_path / "compiled").close()
    encoder = Encoder.load(own, EngineConfig(), tmp_path / "compiled")
    (folder / "golden.npz").write_bytes(b"another release")
    while encoder.unproven:
        encoder.prove_one()
    with pytest.raises(ConfigError, match="golden.npz"):
        encoder.prove()
    encoder.close()


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_a_picture_that_is_encoded_before_its_window_gives_the_same_bits(bundle: Bundle, runtime: str) -> None:
    encoder = Encoder.load(bundle, msgspec.structs.replace(EngineConfig(), runtime=runtime))
    line = CastingLine(11)
    for truth in ("good", "scratch", "crack"):
        casting, other = line.example(truth, 0), line.example(truth, 1)
        begun = encoder.begin(casting.image)
        encoder.encode(other.image, other.samples, other.rate_hz)  # another part comes in between
        for samples, words in ((casting.samples, ()), (None, ("no_window",)), (casting.samples[:2], ())):
            whole = encoder.encode(casting.image, samples, casting.rate_hz, words)
            rest = encoder.encode(casting.image, samples, casting.rate_hz, words, begun)
            assert (rest.present, rest.degraded) == (whole.present, whole.degraded)
            assert np.array_equal(rest.q, whole.q)
            assert rest.details is not None and whole.details is not None
            for own, wanted in (
                (rest.details.tokens, whole.details.tokens),
                (rest.details.features, whole.details.features),
            ):
                assert (own is None and wanted is None) or np.array_equal(own, wanted)
        wanted = encoder.encode(other.image, other.samples, other.rate_hz)
        assert np.array_equal(encoder.encode(other.image, other.samples, other.rate_hz, (), begun).q, wanted.q)
        alone = encoder.encode(None, casting.samples, casting.rate_hz, (), begun)
        assert np.array_equal(alone.q, encoder.encode(None, casting.samples, casting.rate_hz).q)
    encoder.close()


def test_the_second_start_of_a_bundle_proves_some_and_then_the_others_while_it_works(
    bundle: Bundle, tmp_path: Path
) -> None:
    first = Encoder.load(bundle, EngineConfig(), tmp_path)
    left = [first.unproven]
    first.close()
    encoder = Encoder.load(bundle, EngineConfig(), tmp_path)
    while encoder.unproven:
        left.append(encoder.unproven)
        encoder.prove_one()
    encoder.close()

    vectors = len(bundle.golden().z)
    assert left == [0, *range(vectors - 4, 0, -1)]  # of each of three kinds one, and one more
