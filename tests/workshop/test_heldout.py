"""A bundle is asked about things that it was not taught, and the figures say what it could see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from models.bundle import SHIPPED, Bundle  # noqa: E402 (torch may be missing)
from models.workshop import heldout  # noqa: E402
from models.workshop.courses import Course, Side  # noqa: E402
from models.workshop.data import Entry, Sample, ordered_classes  # noqa: E402
from models.workshop.errors import WorkshopError  # noqa: E402

pytestmark = [pytest.mark.workshop, pytest.mark.timeout(600)]

SIDE_PX = 64
WINDOW, RATE_HZ = 2_133, 26_667.0
TONES_HZ = {"good": 1_000.0, "loose": 3_000.0}


class Spots:
    """`spot` is seen, `loose` is heard, both are neither `good`; two samples show one thing."""

    name = "spots"
    licence = "Apache-2.0"
    classes = ordered_classes(("good", "spot", "loose"))

    def __init__(self, modalities: tuple[str, ...] = ("image", "vibration"), each: int = 8) -> None:
        self.entries = tuple(
            Entry(f"{slug} {i}", slug, (f"{slug} {i // 2}",), modalities) for slug in self.classes for i in range(each)
        )

    def load(self, entry: Entry) -> Sample:
        shown = entry.key.split()[0]
        rng = np.random.default_rng([ord(letter) for letter in entry.key])
        picture = rng.integers(100, 120, (SIDE_PX, SIDE_PX, 3), np.uint8)
        if shown == "spot":
            cv2.circle(picture, (32, 32), 16, (10, 10, 10), -1)
        time_s = np.arange(WINDOW) / RATE_HZ
        wave = np.sin(2.0 * np.pi * TONES_HZ.get(shown, 1_000.0) * time_s)[:, None]
        samples = (wave + 0.1 * rng.standard_normal((WINDOW, 3))).astype(np.float32)
        return Sample(entry, picture, samples if "vibration" in entry.modalities else None, RATE_HZ)


def course(data: Spots, taught: int = 4) -> Course:
    """Teach the first samples of each class and ask about the rest."""
    train = tuple(entry for entry in data.entries if int(entry.key.split()[1]) < taught)
    test = Side(data, tuple(entry for entry in data.entries if entry not in train))
    return Course("spots", Side(data, train), test, test, "")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(SHIPPED / "generic")


def test_what_is_seen_and_what_is_heard_needs_both(bundle: Bundle) -> None:
    found = heldout.held_out(bundle, course(Spots()), shots=3, episodes=2)
    both, image, vibration = found.answers.values()

    assert [*found.answers] == [("image", "vibration"), ("image",), ("vibration",)]
    assert both.separation == 1.0
    assert image.named["spot"] == 1.0 and image.separation < 0.95
    assert vibration.named["loose"] == 1.0 and vibration.separation < 0.95
    assert (found.asked, found.things) == (12, 6)
    assert found.gain is not None and found.gain.difference > 0.0
    assert found == heldout.held_out(bundle, course(Spots()), shots=3, episodes=2)


def test_labels_that_say_nothing_come_out_as_chance(bundle: Bundle) -> None:
    honest = course(Spots())
    names = honest.test.dataset.classes * 4
    turned = [replace(entry, label=name) for entry, name in zip(honest.test.entries, names, strict=True)]
    asked = replace(honest, test=Side(honest.test.dataset, tuple(turned)))
    found = heldout.held_out(bundle, asked, shots=3, episodes=2)

    assert abs(found.answers["image", "vibration"].separation - 0.5) < 0.2
    assert abs(found.answers["image", "vibration"].balanced - 1 / 3) < 0.2


def test_a_modality_that_some_samples_lack_is_not_looked_at(bundle: Bundle) -> None:
    seen, mixed = Spots(("image",)), Spots()
    found = heldout.held_out(bundle, course(seen), shots=2, episodes=1)

    assert [*found.answers] == [("image",)] and found.gain is None
    assert heldout.views_of(bundle, [*mixed.entries, seen.entries[0]]) == [("image",)]
    with pytest.raises(WorkshopError, match="no modality"):
        heldout.views_of(bundle, [seen.entries[0], replace(seen.entries[1], modalities=("vibration",))])


def test_examples_are_drawn_once_and_anew_for_each_episode() -> None:
    data = Spots()
    drawn = heldout.draw(data.entries, data.classes, 5, (1, 0))

    assert len({entry.key for entry in drawn}) == 15
    assert [entry.label for entry in drawn] == ["good"] * 5 + ["loose"] * 5 + ["spot"] * 5
    assert drawn == heldout.draw(data.entries, data.classes, 5, (1, 0))
    assert drawn != heldout.draw(data.entries, data.classes, 5, (1, 1))


def test_each_episode_teaches_other_examples_of_the_side_of_training(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[list[Entry]] = []

    def noted(*given: Any) -> list[Entry]:
        drawn.append(draw(*given))
        return drawn[-1]

    draw, asked = heldout.draw, course(Spots(("image",)))
    monkeypatch.setattr(heldout, "draw", noted)
    heldout.held_out(bundle, asked, shots=2, episodes=2)

    assert drawn[0] != drawn[1]
    assert {entry.key for episode in drawn for entry in episode} <= {entry.key for entry in asked.training.entries}


def test_what_cannot_be_measured_is_said_before_anything_is_embedded(bundle: Bundle) -> None:
    with pytest.raises(WorkshopError, match="5 samples of each class are wanted .* good has 4, loose has 4"):
        heldout.held_out(bundle, course(Spots()), shots=5)
    one = course(Spots())
    good = tuple(entry for entry in one.test.entries if entry.label == "good")
    with pytest.raises(WorkshopError, match="has 1 of the classes good, loose, spot"):
        heldout.held_out(bundle, replace(one, test=Side(one.test.dataset, good)), shots=2)


def test_a_folder_is_measured_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Spots()
    for entry in data.entries:
        if entry.label == "loose":
            continue
        picture = tmp_path / "data" / entry.label / f"{10 * int(entry.key.split()[1])}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        image = data.load(entry).picture
        assert image is not None
        cv2.imwrite(str(picture), image)
    words = ["heldout", str(SHIPPED / "generic"), str(tmp_path / "data"), "--episodes", "2"]
    monkeypatch.setattr("sys.argv", [*words, "--shots", "3"])

    assert heldout.main() == 0
    line, last = (json.loads(text) for text in capsys.readouterr().out.splitlines())
    assert (line["modalities"], line["balanced_accuracy"], line["macro_auroc"]) == (["image"], 1.0, 1.0)
    assert last["samples"] == last["things"] > 2

    monkeypatch.setattr("sys.argv", words)
    assert heldout.main() == 1
    assert "fewer --shots" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["heldout", str(SHIPPED / "generic"), "steel"])
    assert heldout.main() == 1
    assert "--pictures" in capsys.readouterr().err
