"""A bundle on disk: one folder with a manifest, ONNX parts, prior and golden vectors, verified before it is used.

`Bundle.load` looks at everything and keeps nothing but the manifest: sizes before reading, digests before use,
array headers before allocating. What is asked for later is read and checked again, so that a file which changed
in between is refused too. It runs no model and knows no runtime.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleRefused
from models.head import Prior
from models.manifest import Block, Manifest, parse_manifest
from models.normality import grid_of
from models.npy import decode_npy, read_header

MANIFEST: Final = "manifest.toml"

MAX_MANIFEST_BYTES: Final = 64 * 1024
"""A manifest is a few kilobytes."""

MAX_BUNDLE_BYTES: Final = 512 * 1024**2
"""All files of a bundle together, as declared and as unpacked; a station has a few gigabytes of memory."""

COMPRESSIONS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

UNPACKING: Final = (ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
"""What may be raised while an archive is read."""

TOKENS: Final = "image_tokens"
"""Output of a part: a token for each region of the picture, (1, regions, width), row by row."""

SHIPPED: Final = Path(__file__).parent / "bundles"


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs and the embeddings they must give on every machine.

    Attributes:
        sources: every source tensor of the bundle by name, (vectors, *its shape).
        z: the embeddings, (vectors, d) float32.
        tolerance: largest allowed distance |z - z'|.
    """

    sources: dict[str, NDArray[Any]]
    z: NDArray[np.float32]
    tolerance: float


class _Declared(Protocol):
    """What the manifest says about one file."""

    @property
    def file(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def bytes(self) -> int: ...


@dataclass(frozen=True)
class Bundle:
    """A verified model package.

    Attributes:
        folder: where its files are.
        manifest: what it says about itself.
        digest: SHA-256 of the manifest, hexadecimal; as the manifest holds every file's digest, it names the whole.
    """

    folder: Path
    manifest: Manifest
    digest: str

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Verify the bundle in `folder`; raise `BundleRefused` with the first thing that is wrong."""
        folder = Path(folder)
        text = _read(folder, folder.name, MANIFEST, MAX_MANIFEST_BYTES)
        try:
            manifest = parse_manifest(text.decode())
        except ValueError as error:
            raise BundleRefused(folder.name, MANIFEST, str(error)) from None
        bundle = cls(folder, manifest, hashlib.sha256(text).hexdigest())
        declared: list[_Declared] = [*manifest.parts, manifest.prior, manifest.golden]
        if (total := sum(file.bytes for file in declared)) > MAX_BUNDLE_BYTES:
            raise BundleRefused(manifest.name, MANIFEST, f"{total} bytes declared, at most {MAX_BUNDLE_BYTES}")
        for file in manifest.parts:
            bundle._verified(file)
        bundle.prior()
        bundle.golden()
        try:
            bundle._grid()
        except ValueError as error:
            raise BundleRefused(folder.name, MANIFEST, str(error)) from None
        return bundle

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.manifest.name

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Who owns which dimensions of the embedding."""
        return self.manifest.blocks

    @property
    def d(self) -> int:
        """Number of dimensions of an embedding."""
        return self.blocks[-1].stop

    @property
    def normal(self) -> str:
        """Slug of the class of good parts."""
        return self.manifest.label_policy.normal

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of the regions of a picture that it gives tokens of; None where it gives none."""
        return self._grid()

    def part_bytes(self, role: str) -> bytes:
        """Give the ONNX model of the part `role`; raise `BundleRefused` when it is not there or not as declared."""
        for part in self.manifest.parts:
            if part.role == role:
                return self._verified(part)
        raise BundleRefused(self.name, role, "no part has this role")

    def prior(self) -> Prior:
        """Give the prior; raise `BundleRefused` when it is not a covariance of the embedding."""
        spec, d = self.manifest.prior, self.manifest.embedding
        try:
            covariance = _array(self._verified(spec), (d, d), "float64")
            return Prior(covariance, spec.strength)
        except ValueError as error:
            raise self._refused(spec, error) from None

    def golden(self) -> Golden:
        """Give the golden vectors; raise `BundleRefused` when they do not fit the manifest."""
        spec = self.manifest.golden
        try:
            with self._golden_archive() as archive:
                arrays = {
                    name: _array(archive.read(f"{name}.npy"), (spec.vectors, *shape), dtype)
                    for name, (shape, dtype) in self._golden_tensors().items()
                }
        except UNPACKING as error:
            raise self._refused(spec, error) from None
        z = arrays.pop("z")
        return Golden(arrays, z, spec.tolerance)

    def golden_rows(self) -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.float32]]]:
        """Give the golden vectors one after the other: of a megabyte each, no more than one is unpacked at a time.

        The file is read now and not looked at again. Raises `BundleRefused` when it does not fit the manifest.

        Returns:
            For each vector the source tensors that it is made from, by name, and its embedding, (d,) float32.
        """
        spec = self.manifest.golden
        try:
            archive = self._golden_archive()
        except UNPACKING as error:
            raise self._refused(spec, error) from None

        def rows() -> Iterator[tuple[dict[str, NDArray[Any]], NDArray[np.float32]]]:
            tensors = self._golden_tensors()
            try:
                columns = {
                    name: _rows(archive, f"{name}.npy", (spec.vectors, *shape), dtype)
                    for name, (shape, dtype) in tensors.items()
                }
                for _ in range(spec.vectors):
                    row = {name: next(column) for name, column in columns.items()}
                    z = row.pop("z")
                    yield row, z
            except UNPACKING as error:
                raise self._refused(spec, error) from None

        return rows()

    def _golden_tensors(self) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Give shape and type of each array of one golden vector, by name."""
        return {name: (t.shape, t.dtype) for name, t in self.manifest.sources.items()} | {
            "z": ((self.manifest.embedding,), "float32")
        }

    def _golden_archive(self) -> zipfile.ZipFile:
        """Open the golden vectors in memory; what they unpack to is known to be small enough."""
        archive, want = zipfile.ZipFile(io.BytesIO(self._verified(self.manifest.golden))), self._golden_tensors()
        members = {info.filename: info for info in archive.infolist()}
        if sorted(info.filename for info in archive.infolist()) != sorted(f"{n}.npy" for n in want):
            raise ValueError(f"want the arrays {sorted(want)}, got the members {sorted(members)}")
        if any(info.compress_type not in COMPRESSIONS for info in members.values()):
            raise ValueError("packed in another way than np.savez or np.savez_compressed does it")
        if (total := sum(info.file_size for info in members.values())) > MAX_BUNDLE_BYTES:
            raise ValueError(f"unpacks to {total} bytes, at most {MAX_BUNDLE_BYTES}")
        return archive

    def _grid(self) -> tuple[int, int] | None:
        tokens = next((t for part in self.manifest.judging for t in part.outputs if t.name == TOKENS), None)
        if tokens is None or self.manifest.picture is None:
            return None
        return grid_of(tokens.shape, self.manifest.picture)

    def _verified(self, file: _Declared) -> bytes:
        """Read a file whose size and digest are as declared."""
        data = _read(self.folder, self.name, file.file, file.bytes)
        if len(data) != file.bytes:
            raise BundleRefused(self.name, file.file, f"{len(data)} bytes, the manifest says {file.bytes}")
        if (digest := hashlib.sha256(data).hexdigest()) != file.sha256:
            raise BundleRefused(self.name, file.file, f"SHA-256 is {digest}, the manifest says {file.sha256}")
        return data

    def _refused(self, file: _Declared, reason: Exception) -> BundleRefused:
        return reason if isinstance(reason, BundleRefused) else BundleRefused(self.name, file.file, str(reason))


def shipped_names() -> list[str]:
    """Give the names of the shipped bundles, sorted."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST}"))


def shipped_bundle(name: str) -> Path:
    """Give the folder of the shipped bundle `name`; raise `BundleRefused` with the names there are."""
    there = shipped_names()
    if name not in there:
        raise BundleRefused(name, "folder", f"not among the shipped bundles ({', '.join(there) or 'none'})")
    return SHIPPED / name


def _read(folder: Path, bundle: str, file: str, most: int) -> bytes:
    """Read a regular file of at most `most` bytes; its size is looked at first."""
    path = folder / file
    try:
        if not path.is_file():
            raise BundleRefused(bundle, file, f"missing in {folder}")
        if (size := path.stat().st_size) > most:
            raise BundleRefused(bundle, file, f"{size} bytes, at most {most} expected")
        with path.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise BundleRefused(bundle, file, f"cannot be read: {error.strerror}") from None


def _array(data: bytes, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Give the array in a `.npy` file that must be exactly `shape` and `dtype`; no object is ever unpickled."""
    array = decode_npy(data)
    if array.shape != shape or array.dtype != np.dtype(dtype):
        raise ValueError(f"want {shape} {dtype}, got {array.shape} {array.dtype}")
    return array


def _rows(archive: zipfile.ZipFile, member: str, shape: tuple[int, ...], dtype: str) -> Iterator[NDArray[Any]]:
    """Give the rows of a `.npy` file in an archive, which must be exactly `shape` and `dtype`, one at a time."""
    with archive.open(member) as stream:
        found, fortran, kind = read_header(stream)
        if fortran or (found, kind) != (shape, np.dtype(dtype)):
            raise ValueError(f"want {shape} {dtype}, got {found} {kind}")
        size = math.prod(shape[1:]) * kind.itemsize
        for _ in range(shape[0]):
            if len(data := stream.read(size)) != size:
                raise ValueError(f"{member} ends before its last row")
            yield np.frombuffer(data, dtype=kind).reshape(shape[1:])
