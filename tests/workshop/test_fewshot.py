"""Training rehearses teaching: episodes never ask about what they showed, and answers get better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra [workshop]: torch")

from models.workshop.corpus import Corpus  # noqa: E402 (torch may be missing)
from models.workshop.fewshot import QUERIES, SHOTS, FewShot, episode_of, imprint, standardise  # noqa: E402
from models.workshop.fusion import FusionModel  # noqa: E402

pytestmark = pytest.mark.workshop

CLASSES = ("good", "scratch", "crack")
SHOWS = np.array([(False, False), (True, False), (False, True)])
EACH = 12


def corpus(lines: tuple[int, ...] = (0, 1), seed: int = 0, *, modalities: tuple[bool, bool] = (True, True)) -> Corpus:
    """Two variants of each thing; a scratch is in one place of the maps, a crack in some bands."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.repeat(np.arange(3), EACH), len(lines))
    n = len(labels)
    fine = rng.normal(size=(n, 256, 4, 4)).astype(np.float16)
    for i in np.flatnonzero(labels == 1):
        fine[i, :20, rng.integers(4), rng.integers(4)] += 4.0
    heard = rng.normal(size=(n, 441)).astype(np.float32)
    heard[labels == 2, 40:60] += 3.0
    return Corpus(
        classes=CLASSES,
        shows=SHOWS,
        pictures=np.zeros((n, 64, 64, 3), np.uint8),
        fine=fine,
        coarse=rng.normal(size=(n, 512, 2, 2)).astype(np.float16),
        vibration=heard,
        present=np.tile(np.array(modalities), (n, 1)),
        labels=labels,
        lines=np.repeat(lines, 3 * EACH),
        things=np.arange(n) // 2,
    )


def model() -> FusionModel:
    torch.manual_seed(8)
    made = FusionModel("resnet18", "filterbank", "attention", classes=CLASSES)
    made.image_encoder.backbone.requires_grad_(False)
    return made


def test_what_is_asked_about_was_not_shown() -> None:
    data = corpus()
    for number in range(20):
        episode = episode_of(data, 1, np.random.default_rng(number))
        shown, asked = data.things[episode.rows[:, :SHOTS]], data.things[episode.rows[:, SHOTS:]]

        assert episode.rows.shape == (3, SHOTS + QUERIES)
        assert not np.intersect1d(shown, asked).size
        assert (data.lines[episode.rows] == 1).all()
        assert (data.labels[episode.rows] == episode.classes[:, None]).all()


def test_every_rank_has_as_many_episodes_of_its_own_and_all_epochs_differ() -> None:
    task = FewShot(model(), corpus(), corpus((2,)))
    drawn = {
        (epoch, rank, world): [e.rows.tolist() for e in task.batches(epoch, rank, world)]
        for epoch, rank, world in ((1, 0, 1), (1, 0, 2), (1, 1, 2), (2, 0, 1))
    }

    assert {len(episodes) for episodes in drawn.values()} == {task.batches_per_epoch}
    assert task.batches_per_epoch >= 40
    assert drawn[1, 0, 1] == drawn[1, 0, 2] == [e.rows.tolist() for e in task.batches(1, 0, 1)]
    assert drawn[1, 1, 2] != drawn[1, 0, 2]
    assert drawn[1, 0, 1] != drawn[2, 0, 1]


def test_without_good_parts_no_class_takes_their_place() -> None:
    data = replace(corpus(), classes=("alpha", "beta", "gamma"), shows=np.ones((3, 2), np.bool_))
    some = episode_of(data, 0, np.random.default_rng(0))
    without = episode_of(replace(corpus(), lines=np.where(corpus().labels == 0, 9, 0)), 0, np.random.default_rng(0))

    assert not some.has_good
    assert not without.has_good
    assert episode_of(corpus(), 0, np.random.default_rng(0)).has_good
    task = FewShot(model(), data, data)
    assert task.loss(some).isfinite()
    assert FewShot(model(), data, data, loss="contrast").loss(some).isfinite()


@pytest.mark.parametrize("loss", ["episode", "contrast"])
def test_a_few_steps_make_the_answers_better(loss: str) -> None:
    made = model()
    task = FewShot(made, corpus(), corpus((2,), seed=1), loss=loss)
    before = made.eval() and task.evaluate()
    optimizer = torch.optim.AdamW(task.parameters(), 3e-3)
    for episode in list(task.batches(1, 0, 1))[:40]:
        optimizer.zero_grad()
        task.loss(episode).backward()
        optimizer.step()
    made.eval()
    after = task.evaluate()

    assert set(after) == {"accuracy", "accuracy_image", "accuracy_vibration"}
    assert after["accuracy"] > before["accuracy"] + 0.2


def test_every_parameter_that_is_trained_has_a_gradient() -> None:
    for modalities, missing in (((True, True), ()), ((True, False), "vibration_"), ((False, True), "image_")):
        made = model()
        task = FewShot(made, corpus(modalities=modalities), corpus((2,), modalities=modalities))
        task.loss(next(iter(task.batches(1, 0, 1)))).backward()
        trained = {id(parameter) for parameter in task.parameters()}
        names = [name for name, parameter in made.named_parameters() if id(parameter) in trained]

        assert names
        assert not any(name.startswith(missing) for name in names) or not missing
        assert all(parameter.grad is not None for parameter in task.parameters())


def test_a_class_that_cannot_be_seen_counts_as_good_for_the_picture() -> None:
    made = model()
    data = corpus()
    standardise(made, data)
    task = FewShot(made.eval(), data, data)
    told = task.evaluate()["accuracy_image"]
    blind = FewShot(made, replace(data, shows=SHOWS | True), replace(data, shows=SHOWS | True)).evaluate()

    assert told > blind["accuracy_image"]


def test_the_classifier_is_given_the_means() -> None:
    made, data = model(), corpus()
    standardise(made, data)
    imprint(made, data)
    z = data.embedded(made)
    means = torch.stack([z[data.labels == label].mean(0) for label in range(3)])

    torch.testing.assert_close(made.directions.detach(), torch.nn.functional.normalize(means, dim=1))
