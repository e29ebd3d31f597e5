"""Which vibration encoder tells faults of a size it never heard: bearings of CWRU, one fault size held out at a time.

`python -m models.workshop.bearing_study CWRU_FOLDER` trains each encoder on bearings with faults of two sizes,
asks about those of the third, and prints a table beside the plainest thing that could work, a linear discriminant over
the features.

There is one bearing of each kind and size, and one healthy bearing altogether: what is held out of it are its last
stretches. Only recordings of its load take part; with others, the speed of the shaft would tell a damaged bearing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.castings import NORMAL
from models.features import vibration_features, vibration_frames
from models.workshop.courses import BEARINGS
from models.workshop.data import CwruData, check_leak, hold_out, survey
from models.workshop.data.steel import LOAD_HP
from models.workshop.encoders import VIBRATION_ENCODERS
from models.workshop.errors import WorkshopError
from models.workshop.fusion import VIBRATION_DIMS, Pool
from models.workshop.progress import tracked

SEEDS: Final = (1, 2, 3)
EPOCHS: Final = 15
BATCH: Final = 64
LEARNING_RATE: Final = 1e-3
STRETCHES_HELD: Final = 3
"""Last stretches of the healthy bearing, of ten, that are asked about whatever size is held out."""

BASELINE: Final = "features + LDA"

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Fold:
    """One fault size held out.

    Attributes:
        size_mil: which [thousandths of an inch].
        train: sources of the samples learned from, by name: `vibration` (n, F), `vibration_frames` (n, frames, bands).
        train_labels: (n,).
        test: sources of the samples asked about.
        test_labels: their classes.
    """

    size_mil: str
    train: Mapping[str, Rows]
    train_labels: Labels
    test: Mapping[str, Rows]
    test_labels: Labels


def folds(data: CwruData) -> Iterator[Fold]:
    """Give a fold for each fault size; raises `WorkshopError` where there is nothing to hold out, or a fold leaks."""
    entries = [entry for entry in data.entries if entry.traits["load_hp"] == LOAD_HP]
    prints = survey(data, entries).prints
    sources: dict[str, dict[str, Rows]] = {}
    for entry in tracked(entries, len(entries), "windows"):
        sample = data.load(entry)
        assert sample.samples is not None
        sources[entry.key] = {
            "vibration": vibration_features(sample.samples, sample.rate_hz, BEARINGS)[0],
            "vibration_frames": vibration_frames(sample.samples, sample.rate_hz, BEARINGS)[0],
        }
    healthy = sorted({entry.things[0] for entry in entries if entry.label == NORMAL})[-STRETCHES_HELD:]
    faulty = [entry for entry in entries if entry.label != NORMAL]
    for size in sorted({entry.traits["fault_size_mil"] for entry in faulty}, key=int):
        of_size = {entry.things[0] for entry in faulty if entry.traits["fault_size_mil"] == size}
        sides = hold_out(entries, things={*healthy, *of_size})
        check_leak(sides, prints)
        tensors = [
            {name: np.stack([sources[entry.key][name] for entry in side]) for name in ("vibration", "vibration_frames")}
            for side in sides.values()
        ]
        labels = [np.array([data.classes.index(entry.label) for entry in side]) for side in sides.values()]
        if {*labels[0].tolist()} != {*labels[1].tolist()}:
            raise WorkshopError(f"size {size}: not every kind of damage has it", hint="name the folder of CWRU")
        yield Fold(size, tensors[0], labels[0], tensors[1], labels[1])


def balanced_accuracy(said: Labels, truth: Labels) -> float:
    """Give the mean over the classes of the share that is right."""
    return float(np.mean([(said[truth == label] == label).mean() for label in np.unique(truth)]))


def discriminant(train: Rows, labels: Labels, asked: Rows) -> Labels:
    """Say the class of each row by linear discriminant analysis, with classes taken as equally frequent.

    The covariance inside the classes is drawn towards equal variance as far as its own noise asks for it (Ledoit and
    Wolf, 2004).

    Args:
        train: features, (n, F).
        labels: classes, (n,).
        asked: features, (m, F).

    Returns:
        Classes, (m,).
    """
    mean, scale = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64) + 1e-3
    x, y = (train - mean) / scale, (asked - mean) / scale
    classes = np.unique(labels)
    means = np.array([x[labels == label].mean(0) for label in classes])
    inside = x - means[np.searchsorted(classes, labels)]
    count, width = inside.shape
    scatter = inside.T @ inside / count
    level = np.trace(scatter) / width
    away = np.square(scatter - level * np.eye(width)).sum()
    noise = (np.square(np.square(inside).sum(1)).sum() / count - np.square(scatter).sum()) / count
    share = min(noise / away, 1.0)
    covariance = (1.0 - share) * scatter + share * level * np.eye(width)
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    distance = np.square((y[:, None, :] - means) @ whitening.T).sum(-1)
    said: Labels = classes[distance.argmin(1)]
    return said


def trained(name: str, fold: Fold, seed: int) -> Labels:
    """Train an encoder with attention and a linear classifier; say the classes of what is asked.

    Every class counts the same, however many windows it has; the last epoch is taken, as nothing of the test side may
    choose one.

    Args:
        name: of the encoder, see `encoders.VIBRATION_ENCODERS`.
        fold: what is learned from and asked.
        seed: of weights and order.

    Returns:
        Classes, one for each row of the test side.
    """
    torch.manual_seed(seed)
    encoder = VIBRATION_ENCODERS[name](BEARINGS)
    pool = Pool(VIBRATION_DIMS, weighs=True)
    counts = np.bincount(fold.train_labels)
    classifier = nn.Linear(VIBRATION_DIMS, len(counts))
    heard, labels = torch.from_numpy(fold.train[encoder.source]), torch.from_numpy(fold.train_labels)
    encoder.standard.fit(heard.flatten(0, -2))

    def logits(rows: torch.Tensor) -> torch.Tensor:
        tokens = encoder(rows)
        scores: torch.Tensor = classifier(pool(tokens, torch.ones(tokens.shape[:2]))[2])
        return scores

    weights = torch.tensor(len(labels) / (len(counts) * counts), dtype=torch.float32)
    parameters = [*encoder.parameters(), *pool.parameters(), *classifier.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(labels)).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(logits(heard[rows]), labels[rows], weight=weights).backward()
            optimiser.step()
    with torch.no_grad():
        said: Labels = logits(torch.from_numpy(fold.test[encoder.source])).argmax(1).numpy()
    return said


Scores = dict[str, dict[str, tuple[float, ...]]]
"""Balanced accuracy of each seed, by the encoder and the fault size that was held out."""


def study(data: CwruData) -> Scores:
    """Measure the baseline and every encoder on every fold; says how far it is."""
    scores: Scores = {name: {} for name in (BASELINE, *VIBRATION_ENCODERS)}
    for fold in folds(data):
        for name in scores:
            if name == BASELINE:
                said = [discriminant(fold.train["vibration"], fold.train_labels, fold.test["vibration"])]
            else:
                said = [trained(name, fold, seed) for seed in SEEDS]
            scores[name][fold.size_mil] = tuple(balanced_accuracy(one, fold.test_labels) for one in said)
            sys.stderr.write(f"{fold.size_mil} mil held out, {name}: {_cell(scores[name][fold.size_mil])}\n")
    return scores


def table(scores: Scores) -> str:
    """Give the table for people: mean over the seeds, and their range where there are several; the best one last."""
    sizes = [*next(iter(scores.values()))]
    means = {name: tuple(np.mean([*by_size.values()], axis=0).tolist()) for name, by_size in scores.items()}
    rows = [["encoder", *(f"{size} mil" for size in sizes), "mean"]]
    rows += [[name, *(_cell(scores[name][size]) for size in sizes), _cell(means[name])] for name in scores]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    best = max(means, key=lambda name: float(np.mean(means[name])))
    return "\n".join([*lines, f"best by the mean: {best}"])


def _cell(values: tuple[float, ...]) -> str:
    spread = f" ({min(values):.3f} - {max(values):.3f})" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def main() -> int:
    """Run the study and print the table; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, help="folder of CWRU")
    parser.add_argument("--json", type=Path, help="file to write the scores of each seed to")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        scores = study(CwruData(arguments.recordings))
    except WorkshopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(scores, indent=1) + "\n")
    print(table(scores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
