"""The bundle contract: what `manifest.toml` may say, as frozen typed records that refuse what makes no sense.

It knows text and types only; files, digests and arrays are the business of `bundle`. A manifest of another
version, an unknown key or a part that is fed by nobody is refused here, before any other file is looked at.

How tensors flow: every tensor has one name. A part's input is either a source that pre-processing makes
(`picture`, `vibration`) or an output of an earlier part with the same name, shape and type. A part runs when
all its inputs are there, so a missing modality simply leaves out the parts that need it; a part that takes a mask
(`image_mask`, `vibration_mask`; since version 2) runs without that modality as well and is told so. Each block of the
embedding takes its raw values from one output; the block of a missing modality is absent.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

from models.source import MASKS, SOURCES, PictureSpec, Table, VibrationSpec
from models.tensor import Count, Line, TensorSpec

MANIFEST_VERSION: Final = 3
"""The newest manifest this program understands."""

LARGEST_THAT_FITS: Final = 64
"""Two products of a byte with weights of at most so much add up to 2 * 255 * 64, which fits 16 bits with a sign."""

FileName = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Slug = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_]{1,40}\Z")]
Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
ModalityName = Literal["image", "vibration"]


class Block(Table, frozen=True):
    """The dimensions of the embedding that one modality owns.

    The raw values are L2-normalised by themselves and scaled by sqrt(weight); the weights of all blocks sum
    to 1, so |z| <= 1 and an absent modality is a block of zeros.

    Attributes:
        modality: who owns it.
        start: first dimension.
        stop: one past the last dimension.
        weight: its share of |z|^2 when every modality is present.
        output: the part output with its raw values, (1, stop - start) float32.
    """

    modality: ModalityName
    start: Annotated[int, msgspec.Meta(ge=0)]
    stop: Count
    weight: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    output: Line


class LabelPolicy(Table, frozen=True):
    """How labels are read.

    Attributes:
        normal: slug of the class of good parts.
    """

    normal: Slug


class Part(Table, frozen=True):
    """One ONNX model.

    Attributes:
        role: its name in the bundle (`image`, `vibration`, `fusion`).
        file: name inside the bundle's folder.
        sha256: digest of the file, hexadecimal.
        bytes: size of the file.
        inputs: what it takes (TOML: `[[part.input]]`).
        outputs: what it gives (TOML: `[[part.output]]`).
    """

    role: Slug
    file: FileName
    sha256: Digest
    bytes: Count
    inputs: tuple[TensorSpec, ...] = msgspec.field(name="input")
    outputs: tuple[TensorSpec, ...] = msgspec.field(name="output")


class PriorSpec(Table, frozen=True):
    """Where the within-class covariance of the bundle's training classes is.

    Attributes:
        file: `.npy`, (d, d) float64, symmetric positive definite.
        strength: how many samples the prior is worth (nu_0).
        sha256: digest of the file, hexadecimal.
        bytes: size of the file.
    """

    file: FileName
    strength: Annotated[float, msgspec.Meta(gt=0.0)]
    sha256: Digest
    bytes: Count


class GoldenSpec(Table, frozen=True):
    """Where the golden vectors are.

    Attributes:
        file: `.npz`: every source tensor under its name, (vectors, *its shape), and `z`, (vectors, d) float32.
        vectors: how many.
        tolerance: largest allowed distance |z - z'| of a vector that is encoded again.
        sha256: digest of the file, hexadecimal.
        bytes: size of the file.
    """

    file: FileName
    vectors: Count
    tolerance: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]
    sha256: Digest
    bytes: Count


class FittedOn(Table, frozen=True):
    """Data that shaped projection and prior; figures on its classes are labelled `seen`.

    Attributes:
        name: of the data set.
        classes: its classes that took part.
        licence: of the data.
    """

    name: Line
    classes: tuple[Line, ...]
    licence: Line


class Manifest(Table, frozen=True):
    """Everything `manifest.toml` says.

    Attributes:
        manifest: version of the contract.
        name: the bundle's name; its folder has the same.
        version: of the bundle.
        licence: of the bundle.
        origin: where weights and data come from.
        created_by: program and version that made it.
        opset: ONNX operator set of all parts.
        embedding: number of dimensions d.
        label_policy: how labels are read.
        blocks: who owns which dimensions (TOML: `[[block]]`).
        parts: the models in the order they run (TOML: `[[part]]`).
        prior: where the covariance is.
        golden: where the golden vectors are.
        picture: pre-processing of pictures; there when a part takes `picture`.
        vibration: pre-processing of vibration; there when a part takes `vibration`.
        fitted_on: what data shaped it (TOML: `[[fitted_on]]`).
        largest_weight: largest magnitude of an integer weight of any part, but for depthwise convolutions; to 64, no
            sum of two products is cut off in 16 bits (since version 3).
    """

    manifest: Annotated[int, msgspec.Meta(ge=1)]
    name: Slug
    version: Line
    licence: Line
    origin: Line
    created_by: Line
    opset: Count
    embedding: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    label_policy: LabelPolicy
    blocks: tuple[Block, ...] = msgspec.field(name="block")
    parts: tuple[Part, ...] = msgspec.field(name="part")
    prior: PriorSpec
    golden: GoldenSpec
    picture: PictureSpec | None = None
    vibration: VibrationSpec | None = None
    fitted_on: tuple[FittedOn, ...] = ()
    largest_weight: Annotated[int, msgspec.Meta(ge=0, le=128)] = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_blocks()
        self._check_flow()
        self._check_names()

    @property
    def overflows(self) -> bool:
        """Whether sums of its 8-bit products may not fit 16 bits, see `saturation`."""
        return self.largest_weight > LARGEST_THAT_FITS

    @property
    def sources(self) -> dict[str, TensorSpec]:
        """The tensors that pre-processing must make, by name."""
        return {t.name: t for part in self.parts for t in part.inputs if t.name in SOURCES}

    @property
    def judging(self) -> tuple[Part, ...]:
        """The parts that the embedding comes from, in the order they run; what others give only explains it."""
        wanted = {block.output for block in self.blocks}
        judging: list[Part] = []
        for part in reversed(self.parts):
            if any(tensor.name in wanted for tensor in part.outputs):
                judging.append(part)
                wanted |= {tensor.name for tensor in part.inputs}
        return tuple(reversed(judging))

    def _check_blocks(self) -> None:
        end = 0
        for block in self.blocks:
            if block.start != end or block.stop <= block.start:
                raise ValueError(f"block {block.modality} must begin at {end} and not be empty")
            end = block.stop
        if end != self.embedding:
            raise ValueError(f"the blocks end at {end}, the embedding has {self.embedding} dimensions")
        if abs(sum(block.weight for block in self.blocks) - 1.0) > 1e-6:
            raise ValueError("the weights of the blocks must sum to 1")
        _refuse_twice("block", (block.modality for block in self.blocks))

    def _check_flow(self) -> None:
        known: dict[str, TensorSpec] = {}
        for part in self.parts:
            for tensor in part.inputs:
                if tensor.name in SOURCES or tensor.name in MASKS:
                    known.setdefault(tensor.name, tensor)
                if tensor.name in MASKS and (
                    len(tensor.shape) != 2 or tensor.shape[0] != 1 or tensor.dtype != "float32"
                ):
                    raise ValueError(f"part {part.role}: {tensor} must be (1, tokens) float32")
                have = known.get(tensor.name)
                if have is None:
                    raise ValueError(f"part {part.role}: input {tensor.name} comes from nowhere")
                if have != tensor:
                    raise ValueError(f"part {part.role}: input {tensor} is given as {have}")
            for tensor in part.outputs:
                if known.setdefault(tensor.name, tensor) is not tensor or tensor.name in {*SOURCES, *MASKS}:
                    raise ValueError(f"part {part.role}: output {tensor.name} is made twice")
        for block in self.blocks:
            want = TensorSpec(block.output, (1, block.stop - block.start), "float32")
            if known.get(block.output) != want:
                raise ValueError(f"block {block.modality} needs an output {want}")
        for table, spec in (("picture", self.picture), ("vibration", self.vibration)):
            modality = SOURCES[table]
            if any(SOURCES.get(name) == modality for name in known) != (spec is not None):
                raise ValueError(f"table [{table}] must be there exactly when a part takes {table}")

    def _check_names(self) -> None:
        _refuse_twice("role", (part.role for part in self.parts))
        files = [part.file for part in self.parts] + [self.prior.file, self.golden.file, "manifest.toml"]
        _refuse_twice("file", files)


def _refuse_twice(what: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{what} named twice: {', '.join(twice)}")


def parse_manifest(text: str) -> Manifest:
    """Read a manifest.

    Args:
        text: what is in `manifest.toml`.

    Returns:
        The manifest, in itself consistent.

    Raises:
        ValueError: not TOML, of a newer version, with unknown keys or not consistent; says where and why.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"not TOML: {error}") from None
    version = tables.get("manifest")
    if isinstance(version, int) and version > MANIFEST_VERSION:
        raise ValueError(f"manifest version {version} is newer than this program understands ({MANIFEST_VERSION})")
    return msgspec.convert(tables, Manifest)
