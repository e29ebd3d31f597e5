"""A manifest says everything exactly once, or it is refused with the place and the reason."""

import pytest

from models.manifest import MANIFEST_VERSION, parse_manifest

TEXT = """
manifest = 1
name = "tiny"
version = "1.0"
licence = "Apache-2.0"
origin = "made in a test"
created_by = "test_manifest"
opset = 17
embedding = 6

[label_policy]
normal = "good"

[[block]]
modality = "image"
start = 0
stop = 4
weight = 0.75
output = "image_embedding"

[[block]]
modality = "vibration"
start = 4
stop = 6
weight = 0.25
output = "vibration_embedding"

[picture]
width = 8
height = 8
colour = "rgb"
mean = [127.0, 127.0, 127.0]
std = [128.0, 128.0, 128.0]
fit = "squash"

[[part]]
role = "image"
file = "image.onnx"
sha256 = "{hex}"
bytes = 100

[[part.input]]
name = "picture"
shape = [1, 3, 8, 8]
dtype = "float32"

[[part.output]]
name = "tokens"
shape = [1, 4, 3]
dtype = "float32"

[[part]]
role = "fusion"
file = "fusion.onnx"
sha256 = "{hex}"
bytes = 100

[[part.input]]
name = "tokens"
shape = [1, 4, 3]
dtype = "float32"

[[part.output]]
name = "image_embedding"
shape = [1, 4]
dtype = "float32"

[[part.output]]
name = "vibration_embedding"
shape = [1, 2]
dtype = "float32"

[prior]
file = "prior.npy"
strength = 50.0
sha256 = "{hex}"
bytes = 416

[golden]
file = "golden.npz"
vectors = 2
tolerance = 0.02
sha256 = "{hex}"
bytes = 4000

[[fitted_on]]
name = "textures"
classes = ["dots", "lines"]
licence = "Apache-2.0"
""".replace("{hex}", "ab" * 32)


def test_a_manifest_is_read() -> None:
    manifest = parse_manifest(TEXT)

    assert [part.role for part in manifest.parts] == ["image", "fusion"]
    assert manifest.parts[1].outputs[1].shape == (1, 2)
    assert list(manifest.sources) == ["picture"]
    assert manifest.vibration is None
    assert manifest.fitted_on[0].classes == ("dots", "lines")


@pytest.mark.parametrize(
    ("line", "overflows"), [("", True), ("largest_weight = 65", True), ("largest_weight = 64", False)]
)
def test_only_a_bundle_that_says_that_its_weights_are_small_is_taken_for_one_that_fits(
    line: str, overflows: bool
) -> None:
    manifest = parse_manifest(TEXT.replace("opset = 17", f"opset = 17\n{line}"))

    assert manifest.overflows is overflows


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("manifest = 1", f"manifest = {MANIFEST_VERSION + 1}\nfuture = 1", "newer than this program understands"),
        ("manifest = 1", "manifest = 0", "manifest"),
        ("manifest = 1", "manifest = true", "manifest"),
        ("manifest = 1", "", "missing required field `manifest`"),
        ("manifest = 1", "manifest = ", "not TOML"),
        ("manifest = 1", f"manifest = {'[' * 5000}", "not TOML"),
        ('name = "tiny"', 'name = "../tiny"', "name"),
        ('origin = "made in a test"', "", "missing required field `origin`"),
        ("opset = 17", "opset = 17\ncolour = 3", "unknown field `colour`"),
        ("opset = 17", "opset = 17\nlargest_weight = 129", "largest_weight"),
        ('normal = "good"', 'normal = "good"\nbad = "bad"', r"unknown field `bad` - at `\$.label_policy`"),
        ("[golden]", "[golden]\nextra = 1", r"unknown field `extra` - at `\$.golden`"),
        ("stop = 4", "stop = 3", "block vibration must begin at 3"),
        ("start = 4", "start = 6", "block vibration must begin at 4"),
        ("embedding = 6", "embedding = 7", "the blocks end at 6, the embedding has 7"),
        ("weight = 0.25", "weight = 0.3", "sum to 1"),
        ("weight = 0.25", "weight = nan", "weight"),
        ('modality = "vibration"', 'modality = "image"', "block named twice: image"),
        ('modality = "vibration"', 'modality = "smell"', "modality|smell"),
        ('output = "vibration_embedding"', 'output = "nose"', r"needs an output nose \(1, 2\) float32"),
        ('output = "vibration_embedding"', 'output = "tokens"', "needs an output tokens"),
        ('fit = "squash"', 'fit = "letterbox"', "fit"),
        ("std = [128.0, 128.0, 128.0]", "std = [128.0, 0.0, 128.0]", "std positive"),
        ("std = [128.0, 128.0, 128.0]", "std = [128.0, 128.0]", "std"),
        ("mean = [127.0, ", "mean = [inf, ", "mean must be finite"),
        ("shape = [1, 3, 8, 8]", "shape = [1, 3, -1, 8]", "shape"),
        ('dtype = "float32"', 'dtype = "object"', "dtype"),
        ('file = "image.onnx"', 'file = "../image.onnx"', "file"),
        ('file = "image.onnx"', 'file = "/etc/passwd"', "file"),
        ('file = "image.onnx"', 'file = ".."', "file"),
        ('file = "image.onnx"', 'file = "manifest.toml"', "file named twice: manifest.toml"),
        ('file = "image.onnx"', 'file = "fusion.onnx"', "file named twice: fusion.onnx"),
        ('role = "fusion"', 'role = "image"', "role named twice: image"),
        ('[[part.input]]\nname = "tokens"', '[[part.input]]\nname = "chips"', "input chips comes from nowhere"),
        ("shape = [1, 4, 3]", "shape = [1, 4, 2]", "is given as"),
        ('name = "image_embedding"', 'name = "tokens"', "output tokens is made twice"),
        ('name = "image_embedding"', 'name = "picture"', "output picture is made twice"),
        ('name = "picture"', 'name = "vibration"', r"table \[picture\]"),
        ("ab" * 32, "AB" * 32, "sha256"),
        ("strength = 50.0", "strength = 0.0", "strength"),
        ("strength = 50.0", "strength = inf", "strength must be a finite number"),
        ("tolerance = 0.02", "tolerance = nan", "tolerance"),
        ("bytes = 100", "bytes = 0", "bytes"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, reason: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=reason):
        parse_manifest(TEXT.replace(old, new, 1))


def test_a_vibration_input_needs_its_table() -> None:
    fed = TEXT.replace('[[part.input]]\nname = "tokens"', '[[part.input]]\nname = "vibration"')
    with pytest.raises(ValueError, match=r"table \[vibration\]"):
        parse_manifest(fed)
