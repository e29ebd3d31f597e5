"""A fault size is held out with all of its bearings, and the baseline is a discriminant that can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_folders import write_bearings

pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from models.workshop import bearing_study  # noqa: E402 (torch may be missing)
from models.workshop.data import CwruData  # noqa: E402
from models.workshop.encoders import VIBRATION_ENCODERS  # noqa: E402
from models.workshop.errors import WorkshopError  # noqa: E402

pytestmark = [pytest.mark.workshop, pytest.mark.timeout(600)]

TONES_HZ = {"normal": 500.0, "B": 1_000.0, "IR": 2_000.0, "OR@6": 4_000.0}


@pytest.fixture
def bearings(tmp_path: Path) -> Path:
    """Bearings whose kind of damage is a tone, whatever its size."""
    write_bearings(tmp_path)
    for path in tmp_path.glob("*.npz"):
        with np.load(path) as stored:
            arrays = dict(stored)
        tone = 3.0 * np.sin(2.0 * np.pi * TONES_HZ[path.stem.split("_")[0]] * np.arange(len(arrays["DE"])) / 12_000)
        np.savez(path, **{**arrays, "DE": (arrays["DE"] + tone).astype(np.float32)})
    return tmp_path


def test_each_fold_asks_about_one_size_and_the_last_of_the_healthy_bearing(bearings: Path) -> None:
    data = CwruData(bearings)
    found = [*bearing_study.folds(data)]
    healthy = [entry for entry in data.entries if entry.label == "good"]
    held = [entry for entry in healthy if entry.things[0][-1] in "789"]

    assert [fold.size_mil for fold in found] == ["7", "14", "21"]
    for fold in found:
        assert np.bincount(fold.train_labels).tolist() == [len(healthy) - len(held), 64, 64, 64]
        assert np.bincount(fold.test_labels).tolist() == [len(held), 32, 32, 32]
        assert fold.test["vibration"].shape[0] == fold.test["vibration_frames"].shape[0] == len(fold.test_labels)
        both = np.concatenate([fold.train["vibration"], fold.test["vibration"]])
        assert len(np.unique(both, axis=0)) == len(both), "no window is on both sides"


def test_every_way_hears_a_tone_of_an_unheard_size(bearings: Path) -> None:
    fold = next(bearing_study.folds(CwruData(bearings)))
    said = bearing_study.discriminant(fold.train["vibration"], fold.train_labels, fold.test["vibration"])

    assert bearing_study.balanced_accuracy(said, fold.test_labels) > 0.95
    for name in VIBRATION_ENCODERS:
        answers = bearing_study.trained(name, fold, 1)
        assert bearing_study.balanced_accuracy(answers, fold.test_labels) > 0.95, name
        if name == "filterbank":
            assert np.array_equal(answers, bearing_study.trained(name, fold, 1))


def test_labels_that_say_nothing_are_not_learned() -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.standard_normal((400, 60)).astype(np.float32), rng.integers(0, 4, 400)
    said = bearing_study.discriminant(rows[:200], labels[:200], rows[200:])

    assert 0.1 < bearing_study.balanced_accuracy(said, labels[200:]) < 0.4


def test_the_discriminant_looks_across_the_spread_and_needs_no_more_samples_than_features() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([3, 5], 100)
    common = 2.0 * rng.standard_normal((200, 1))
    pair = np.hstack([common + (labels == 5)[:, None], common]) + 0.1 * rng.standard_normal((200, 2))
    rows = np.hstack([pair, np.ones((200, 100))]).astype(np.float32)
    said = bearing_study.discriminant(rows[::2], labels[::2], rows[1::2])
    centres = np.array([rows[::2][labels[::2] == label].mean(0) for label in (3, 5)])
    nearest = np.array([3, 5])[np.square(rows[1::2, None] - centres).sum(-1).argmin(1)]

    assert bearing_study.balanced_accuracy(nearest, labels[1::2]) < 0.75
    assert bearing_study.balanced_accuracy(said, labels[1::2]) > 0.95


def test_balanced_accuracy_counts_a_rare_class_as_much_as_a_frequent_one() -> None:
    truth = np.array([0] * 9 + [1])

    assert bearing_study.balanced_accuracy(np.zeros(10, np.int64), truth) == 0.5


def test_the_table_names_the_best_by_the_mean() -> None:
    text = bearing_study.table({"plain": {"7": (0.5,), "14": (0.8,)}, "deep": {"7": (0.9, 0.3), "14": (0.4, 0.6)}})

    assert text.splitlines() == [
        "encoder  7 mil                  14 mil                 mean",
        "plain    0.500                  0.800                  0.650",
        "deep     0.600 (0.300 - 0.900)  0.500 (0.400 - 0.600)  0.550 (0.450 - 0.650)",
        "best by the mean: plain",
    ]


def test_a_size_that_a_kind_of_damage_lacks_is_refused(bearings: Path) -> None:
    for path in bearings.glob("B_007_*"):
        path.unlink()
    with pytest.raises(WorkshopError, match="size 7: not every kind of damage has it"):
        next(bearing_study.folds(CwruData(bearings)))
