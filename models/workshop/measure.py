"""What a bundle makes of castings of a design that took no part in fitting: few-shot recall and good-only detection.

`python -m models.workshop.measure models/bundles/generic` prints the table of docs/bundles.md. It teaches the way the
demonstration does: good parts as they are, a few examples of each other class with their variants.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.augment import AUGMENTATIONS
from models.bundle import Bundle
from models.castings import CLASSES, NORMAL, Casting, CastingLine
from models.embedding import dequantise
from models.errors import BundleRefused
from models.knowledge import Knowledge
from models.workshop.card import table, write_section
from models.workshop.embedder import Embedder
from models.workshop.errors import WorkshopError
from models.workshop.runner import RUNTIMES
from models.workshop.separation import Answers, Gain, answers, auroc, gain, worth

DESIGN: Final = 0
TRAY_SEED: Final = 11
LINE_SEED: Final = 12
GOOD: Final = 100
"""Good parts that are taught, from the line itself."""

SHOTS: Final = 5
EPISODES: Final = 8
"""Each with other examples from the tray."""

COMPARED: Final = 2
"""Episodes that the worth of fusion is taken from."""

MODALITIES: Final = (("image", "vibration"), ("image",), ("vibration",))


@dataclass(frozen=True)
class Row:
    """What was measured with one set of modalities.

    Attributes:
        modalities: what the head looked at.
        answers: what it made of the parts.
        detection: area under the ROC of the distance to good alone, for each faulty class.
    """

    modalities: tuple[str, ...]
    answers: Answers
    detection: dict[str, float]


def measure(bundle: Bundle, parts: int, runtime: str) -> tuple[list[Row], Gain]:
    """Measure on `parts` parts of the line and the tray's examples; says how far it is."""
    embedder = Embedder(bundle, runtime)
    line = CastingLine(LINE_SEED, defect_share=0.5, design=DESIGN)
    made = []
    for number in range(parts):
        casting = line.part(number)
        made.append((casting.truth, _q(embedder, casting)))
        if number % 250 == 0:
            sys.stderr.write(f"parts: {number} of {parts}\n")
    tray = CastingLine(TRAY_SEED, design=DESIGN)
    rows = {
        truth: [
            np.array([_q(embedder, tray.example(truth, i), k) for k in range(AUGMENTATIONS)])
            for i in range(SHOTS * EPISODES)
        ]
        for truth in CLASSES
        if truth != NORMAL
    }
    good = [q for truth, q in made if truth == NORMAL][:GOOD]
    taught = {q.tobytes() for q in good}
    asked = [(truth, q) for truth, q in made if q.tobytes() not in taught]
    knows_good = Knowledge.empty("measure", bundle.digest, bundle.blocks)
    for q in good:
        knows_good = knows_good.learn(NORMAL, q[None])
    truths = np.array([truth for truth, _ in asked])
    z = dequantise(np.array([q for _, q in asked]))
    measured, said = [], []
    for modalities in MODALITIES:
        chances = [_chances(bundle, knows_good, rows, z, modalities, episode) for episode in range(EPISODES)]
        distance = knows_good.head(bundle.prior(), modalities).distances(z)[:, 0]
        told = {t: auroc(distance[truths == NORMAL], distance[truths == t]) for t in CLASSES if t != NORMAL}
        measured.append(Row(modalities, answers(chances, truths, CLASSES), told))
        said.append(chances[:COMPARED])
    return measured, gain(said[0], said[1:], truths, CLASSES, np.arange(len(truths)))


def _q(embedder: Embedder, casting: Casting, k: int = 0) -> NDArray[np.int16]:
    return embedder.q(casting.image, casting.samples, casting.rate_hz, k)


def _chances(
    bundle: Bundle,
    knows_good: Knowledge,
    tray: dict[str, list[NDArray[np.int16]]],
    z: NDArray[np.float64],
    modalities: tuple[str, ...],
    episode: int,
) -> NDArray[np.float64]:
    """Give the probability of each class of `CLASSES` for each part, (n, classes), after an episode's examples."""
    knowledge = knows_good
    for truth, samples in tray.items():
        for sample in samples[SHOTS * episode : SHOTS * (episode + 1)]:
            knowledge = knowledge.learn(truth, sample)
    head = knowledge.head(bundle.prior(), modalities)
    return head.probabilities(z)[:, [head.classes.index(slug) for slug in CLASSES]]


def section(rows: list[Row], gained: Gain, parts: int) -> str:
    """Give the text for the card: what is stopped of each class, by what the classifier looks at."""
    names = [" and ".join(row.modalities) for row in rows]
    lines = [[slug, *(f"{row.answers.found[slug]:.3f}" for row in rows)] for slug in rows[0].answers.found]
    lines += [
        ["good kept", *(f"{row.answers.specificity or 0.0:.3f}" for row in rows)],
        ["balanced accuracy", *(f"{row.answers.balanced:.3f}" for row in rows)],
        ["macro AUROC", *(f"{row.answers.separation:.4f}" for row in rows)],
    ]
    return (
        f"`python -m models.workshop.measure`: castings of design {DESIGN}, which took no part; {GOOD} good parts and "
        f"{SHOTS} examples of each other class are taught, {EPISODES} times; {parts} parts are asked about. Share of "
        f"each class that is stopped:\n\n{table(['', *names], lines)}\n\n"
        f"Both modalities minus the better one, macro AUROC: {gained.difference:+.3f} ({gained.low:.3f} – "
        f"{gained.high:.3f}, 95 % of bootstrap draws of the parts)."
    )


def main() -> int:
    """Measure a bundle and print one JSON line for each set of modalities; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--parts", type=int, default=1500, help="parts of the line (default: 1500)")
    parser.add_argument("--runtime", default=RUNTIMES[0], choices=RUNTIMES, help="that runs it (default: openvino)")
    parser.add_argument("--card", action="store_true", help="writes a table into the bundle's card")
    arguments = parser.parse_args()
    try:
        rows, gained = measure(Bundle.load(arguments.bundle), arguments.parts, arguments.runtime)
        if arguments.card:
            write_section(arguments.bundle, "On parts that took no part", section(rows, gained, arguments.parts))
    except (BundleRefused, WorkshopError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for row in rows:
        numbers = {
            "modalities": row.modalities,
            "specificity": round(row.answers.specificity or 0.0, 3),
            "recall": {name: round(value, 3) for name, value in row.answers.found.items()},
            "auroc_good_only": {name: round(value, 3) for name, value in row.detection.items()},
            "balanced_accuracy": round(row.answers.balanced, 3),
            "macro_auroc": round(row.answers.separation, 4),
        }
        print(json.dumps(numbers))
    print(json.dumps(worth(gained, MODALITIES)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
