"""A bundle that is damaged, incomplete or made to harm is refused by name, file and reason; nothing is loaded."""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models import Bundle, bundle
from models.bundle import shipped_bundle
from models.errors import BundleRefused
from models.manifest import MANIFEST_VERSION

MANIFEST = """
manifest = 1
name = "tiny"
version = "1.0"
licence = "Apache-2.0"
origin = "made in a test"
created_by = "test_bundle_damage"
opset = 17
embedding = 4

[label_policy]
normal = "good"

[[block]]
modality = "image"
start = 0
stop = 4
weight = 1.0
output = "image_embedding"

[picture]
width = 3
height = 2
colour = "rgb"
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]
fit = "squash"

[[part]]
role = "image"
file = "image.onnx"
sha256 = "{image.onnx:sha256}"
bytes = {image.onnx:bytes}

[[part.input]]
name = "picture"
shape = [1, 3, 2, 3]
dtype = "float32"

[[part.output]]
name = "image_embedding"
shape = [1, 4]
dtype = "float32"

[prior]
file = "prior.npy"
strength = 50.0
sha256 = "{prior.npy:sha256}"
bytes = {prior.npy:bytes}

[golden]
file = "golden.npz"
vectors = 2
tolerance = 0.02
sha256 = "{golden.npz:sha256}"
bytes = {golden.npz:bytes}
"""


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


PICTURES = np.arange(36, dtype=np.float32).reshape(2, 1, 3, 2, 3)
Z = np.full((2, 4), 0.5, dtype=np.float32)
FILES = {
    "image.onnx": bytes(range(256)) * 4,
    "prior.npy": npy(np.eye(4) * 0.1),
    "golden.npz": npz(picture=PICTURES, z=Z),
}


def packed(folder: Path, **changed: bytes) -> Path:
    """Write a bundle whose manifest fits its files, some of them changed."""
    files = FILES | {name.replace("_", "."): data for name, data in changed.items()}
    text = MANIFEST
    for name, data in files.items():
        text = text.replace(f"{{{name}:sha256}}", hashlib.sha256(data).hexdigest())
        text = text.replace(f"{{{name}:bytes}}", str(len(data)))
    folder.mkdir(exist_ok=True)
    for name, data in (files | {"manifest.toml": text.encode()}).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return packed(tmp_path / "tiny")


def test_an_intact_bundle_is_loaded(folder: Path) -> None:
    loaded = Bundle.load(folder)

    assert (loaded.name, loaded.normal) == ("tiny", "good")
    assert loaded.part_bytes("image") == FILES["image.onnx"]
    assert loaded.digest == hashlib.sha256((folder / "manifest.toml").read_bytes()).hexdigest()
    np.testing.assert_array_equal(loaded.prior().covariance, np.eye(4) * 0.1)
    np.testing.assert_array_equal(loaded.golden().sources["picture"], PICTURES)
    np.testing.assert_array_equal(loaded.golden().z, Z)
    assert loaded.blocks[0].stop == 4


@pytest.mark.parametrize("name", [*FILES, "manifest.toml"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleRefused, match=f"bundle tiny: {name}: missing"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.5, 0.999])
def test_a_flipped_byte_is_noticed_and_named(folder: Path, name: str, where: float) -> None:
    data = bytearray(FILES[name])
    data[int(where * len(data))] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleRefused, match=f"bundle tiny: {name}: SHA-256"):
        Bundle.load(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [-1, 1])
def test_a_wrong_size_is_noticed_and_named(folder: Path, name: str, change: int) -> None:
    (folder / name).write_bytes((FILES[name] + b"\0")[: len(FILES[name]) + change])
    with pytest.raises(BundleRefused, match=f"bundle tiny: {name}: {len(FILES[name]) + change} bytes"):
        Bundle.load(folder)


def test_a_huge_file_is_not_read(folder: Path) -> None:
    with (folder / "image.onnx").open("r+b") as stream:
        stream.truncate(2**40)
    with pytest.raises(BundleRefused, match="1099511627776 bytes, at most 1024"):
        Bundle.load(folder)


def test_a_huge_manifest_is_not_read(folder: Path) -> None:
    with (folder / "manifest.toml").open("r+b") as stream:
        stream.truncate(2**40)
    with pytest.raises(BundleRefused, match=r"manifest\.toml: 1099511627776 bytes"):
        Bundle.load(folder)


def test_a_bundle_that_declares_too_much_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BUNDLE_BYTES", 1000)
    with pytest.raises(BundleRefused, match="bytes declared, at most 1000"):
        Bundle.load(folder)


def test_what_is_no_regular_file_is_not_waited_for(folder: Path) -> None:
    (folder / "image.onnx").unlink()
    os.mkfifo(folder / "image.onnx")
    with pytest.raises(BundleRefused, match=r"image\.onnx: missing"):
        Bundle.load(folder)


def test_a_file_that_changes_after_loading_is_noticed(folder: Path) -> None:
    loaded = Bundle.load(folder)
    (folder / "image.onnx").write_bytes(b"\0" * len(FILES["image.onnx"]))
    with pytest.raises(BundleRefused, match="SHA-256"):
        loaded.part_bytes("image")


def test_a_newer_manifest_is_refused_before_its_files_are_looked_at(folder: Path) -> None:
    text = (folder / "manifest.toml").read_text()
    (folder / "manifest.toml").write_text(
        text.replace("manifest = 1", f'manifest = {MANIFEST_VERSION + 1}\ncolour = "red"')
    )
    (folder / "image.onnx").unlink()
    with pytest.raises(BundleRefused, match=r"bundle tiny: manifest\.toml: .*newer than this program"):
        Bundle.load(folder)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"", b"name = 3", b"\0" * 100])
def test_what_is_no_manifest_is_refused(folder: Path, data: bytes) -> None:
    (folder / "manifest.toml").write_bytes(data)
    with pytest.raises(BundleRefused, match=r"bundle tiny: manifest\.toml"):
        Bundle.load(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"bundle nowhere: manifest\.toml: missing in"):
        Bundle.load(tmp_path / "nowhere")


def test_a_part_that_does_not_exist_is_named(folder: Path) -> None:
    with pytest.raises(BundleRefused, match="bundle tiny: sound: no part has this role"):
        Bundle.load(folder).part_bytes("sound")


class Payload:
    """Would create a file when unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path("unpickled"),)


def pickled() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([Payload()], dtype=object), allow_pickle=True)
    return stream.getvalue()


def header_of_much(data: bytes) -> bytes:
    """A valid `.npy` header that asks for 8 EB, over a few bytes of data."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (2**30, 2**30)})
    return stream.getvalue() + data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "1 bytes|bytes"),
        (b"text", "prior.npy"),
        (pickled(), "no objects"),
        (header_of_much(b"12345678"), r"do not fill \(1073741824, 1073741824\)"),
        (npy(np.eye(4, dtype=np.float32)), "float32"),
        (npy(np.eye(3)), r"got \(3, 3\)"),
        (npy(np.asfortranarray(np.eye(4) + np.triu(np.ones((4, 4))))), "rows first"),
        (npy(np.eye(4), version=(3, 0)), "version 1.0 or 2.0"),
        (npy(np.eye(4))[:-8], "do not fill"),
        (npy(np.eye(4)) + b"\0", "do not fill"),
        (npy(-np.eye(4)), "not positive definite"),
        (npy(np.eye(4) + np.eye(4, k=1)), "not symmetric"),
        (npy(np.full((4, 4), np.nan)), "finite"),
    ],
)
def test_a_prior_that_is_none_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(BundleRefused, match=reason):
        Bundle.load(packed(tmp_path / "tiny", prior_npy=data))

    assert not Path("unpickled").exists()


def repacked(names: list[str], data: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name in names:
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"text", "golden.npz"),
        (FILES["golden.npz"][:-30], "golden.npz"),
        (npz(z=Z), "want the arrays"),
        (npz(picture=PICTURES, z=Z, more=Z), "want the arrays"),
        (npz(picture=PICTURES[:1], z=Z), r"got \(1, 1, 3, 2, 3\)"),
        (npz(picture=PICTURES.astype(np.float64), z=Z), "float64"),
        (npz(picture=PICTURES, z=Z[:, :3]), r"got \(2, 3\)"),
        (repacked(["picture.npy", "z.npy"], pickled()), "no objects"),
        (repacked(["picture.npy", "z.npy"], header_of_much(b"")), r"do not fill \(1073741824"),
        (repacked(["picture.npy", "z.npy"], b"x", zipfile.ZIP_LZMA), "packed in another way"),
    ],
)
def test_golden_vectors_that_are_none_are_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    with pytest.raises(BundleRefused, match=reason):
        Bundle.load(packed(tmp_path / "tiny", golden_npz=data))


def test_a_golden_file_that_unpacks_to_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = repacked(["picture.npy", "z.npy"], b"\0" * 10_000_000)
    monkeypatch.setattr(bundle, "MAX_BUNDLE_BYTES", 1_000_000)
    with pytest.raises(BundleRefused, match="unpacks to 20000000 bytes"):
        Bundle.load(packed(tmp_path / "tiny", golden_npz=bomb))


@pytest.mark.parametrize("seed", range(60))
def test_a_scrambled_golden_file_never_escapes_as_another_error(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(FILES["golden.npz"])
    for at in rng.integers(0, len(data), size=rng.integers(1, 8)):
        data[at] = rng.integers(0, 256)
    try:
        loaded = Bundle.load(packed(tmp_path / "tiny", golden_npz=bytes(data)))
    except BundleRefused as error:
        assert error.part == "golden.npz"
    else:
        assert loaded.golden().z.shape == (2, 4)


@pytest.mark.parametrize("name", ["../bundles/generic", "", "no_such", "."])
def test_a_bundle_that_is_not_shipped_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(BundleRefused, match="not among the shipped bundles"):
        shipped_bundle(name)


class Trusting(Bundle):
    """A loader that believes names and sizes."""

    def _verified(self, file: bundle._Declared) -> bytes:
        return (self.folder / file.file).read_bytes()


def test_the_flip_test_has_teeth(folder: Path) -> None:
    (folder / "image.onnx").write_bytes(b"\1" + FILES["image.onnx"][1:])

    assert Trusting.load(folder).name == "tiny"
    with pytest.raises(BundleRefused):
        Bundle.load(folder)
