"""What a bundle makes of castings of a design that took no part in fitting: few-shot recall and good-only detection.

`python -m models.workshop.measure models/bundles/generic` prints the table of docs/bundles.md. It teaches the way the
demonstration does: good parts as they are, a few examples of each other class with their variants.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.augment import AUGMENTATIONS, augment_picture, augment_vibration
from models.bundle import Bundle
from models.castings import CLASSES, NORMAL, Casting, CastingLine
from models.embedding import dequantise, quantise
from models.features import prepare_picture, prepare_vibration
from models.knowledge import Knowledge
from models.workshop.runner import RUNTIMES, Runner

DESIGN: Final = 0
TRAY_SEED: Final = 11
LINE_SEED: Final = 12
GOOD: Final = 100
"""Good parts that are taught, from the line itself."""

SHOTS: Final = 5
EPISODES: Final = 8
"""Each with other examples from the tray."""

BOOTSTRAP: Final = 300
"""Samples of the parts that an interval comes from."""

MODALITIES: Final = (("image", "vibration"), ("image",), ("vibration",))


@dataclass(frozen=True)
class Row:
    """What was measured with one set of modalities.

    Attributes:
        modalities: what the head looked at.
        specificity: share of good parts judged good, mean over episodes.
        recall: share of the parts of each faulty class judged anything but good, mean over episodes.
        detection: area under the ROC of the distance to good alone, for each faulty class.
        named: share of parts, balanced over classes, given their own class.
        separation: macro AUROC, each class by its probability against all others, mean over episodes.
    """

    modalities: tuple[str, ...]
    specificity: float
    recall: dict[str, float]
    detection: dict[str, float]
    named: float
    separation: float


class Encoder:
    """A bundle as the station runs it.

    Args:
        bundle: what to run.
        runtime: one of `runner.RUNTIMES`.
    """

    def __init__(self, bundle: Bundle, runtime: str = "openvino") -> None:
        self._bundle = bundle
        parts = {part.role: bundle.part_bytes(part.role) for part in bundle.manifest.parts}
        self._runner = Runner(bundle.manifest, parts, runtime)

    def q(self, casting: Casting, k: int = 0) -> NDArray[np.int16]:
        """Embed variant `k` of a casting, with both modalities; shape (d,)."""
        manifest = self._bundle.manifest
        assert manifest.picture is not None
        sources = prepare_vibration(augment_vibration(casting.samples, k), casting.rate_hz, manifest)
        sources["picture"] = prepare_picture(augment_picture(casting.image, k), manifest.picture)
        return quantise(self._runner.embed(sources))


def auroc(normal: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Give the chance that one of `other` scores higher than one of `normal`; ties count half."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, other, "left") + np.searchsorted(ordered, other, "right")
    return float(below.mean() / 2 / len(normal))


@dataclass(frozen=True)
class Gain:
    """What both modalities together are worth against the better one of them.

    Attributes:
        single: the better modality.
        difference: of the macro AUROC.
        low: of the middle 95 % over bootstrap samples of the parts that were asked about.
        high: the same.
    """

    single: str
    difference: float
    low: float
    high: float


def measure(bundle: Bundle, parts: int, runtime: str) -> tuple[list[Row], Gain]:
    """Measure on `parts` parts of the line and the tray's examples; says how far it is."""
    encoder = Encoder(bundle, runtime)
    line = CastingLine(LINE_SEED, defect_share=0.5, design=DESIGN)
    made = []
    for number in range(parts):
        casting = line.part(number)
        made.append((casting.truth, encoder.q(casting)))
        if number % 250 == 0:
            sys.stderr.write(f"parts: {number} of {parts}\n")
    tray = CastingLine(TRAY_SEED, design=DESIGN)
    rows = {
        truth: [
            np.array([encoder.q(tray.example(truth, i), k) for k in range(AUGMENTATIONS)])
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
        measured.append(_row(modalities, chances, truths, distance))
        said.append(chances)
    return measured, _gain(said, truths)


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


def _row(
    modalities: tuple[str, ...],
    chances: Sequence[NDArray[np.float64]],
    truths: NDArray[np.str_],
    distance: NDArray[np.float64],
) -> Row:
    found, named = [], []
    for chance in chances:
        said = np.array(CLASSES)[chance.argmax(axis=1)]
        found.append([(said[truths == truth] != NORMAL).mean() for truth in CLASSES])
        named.append(np.mean([(said[truths == truth] == truth).mean() for truth in CLASSES]))
    alarms = dict(zip(CLASSES, np.mean(found, axis=0).tolist(), strict=True))
    return Row(
        modalities,
        specificity=1.0 - alarms.pop(NORMAL),
        recall=alarms,
        detection={t: auroc(distance[truths == NORMAL], distance[truths == t]) for t in alarms},
        named=float(np.mean(named)),
        separation=float(np.mean([macro_auroc(chance, truths) for chance in chances])),
    )


def macro_auroc(chances: NDArray[np.float64], truths: NDArray[np.str_]) -> float:
    """Give the mean over the classes of the AUROC of their probability against all other parts."""
    each = [
        auroc(chances[truths != slug, i], chances[truths == slug, i])
        for i, slug in enumerate(CLASSES)
        if (truths == slug).any()
    ]
    return float(np.mean(each))


def _gain(said: Sequence[Sequence[NDArray[np.float64]]], truths: NDArray[np.str_]) -> Gain:
    """Compare both modalities with the better one, with the same examples; `said` is in the order of `MODALITIES`."""
    rng = np.random.default_rng(0)
    drawn = [np.arange(len(truths)), *rng.integers(0, len(truths), (BOOTSTRAP, len(truths)))]
    scores = np.array(
        [[np.mean([macro_auroc(c[rows], truths[rows]) for c in one[:2]]) for one in said] for rows in drawn]
    )
    best = 1 + int(scores[0, 1:].argmax())
    low, high = np.quantile(scores[1:, 0] - scores[1:, best], [0.025, 0.975])
    return Gain(MODALITIES[best][0], float(scores[0, 0] - scores[0, best]), float(low), float(high))


def main() -> None:
    """Measure a bundle and print one JSON line for each set of modalities."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--parts", type=int, default=1500, help="parts of the line (default: 1500)")
    parser.add_argument("--runtime", default=RUNTIMES[0], choices=RUNTIMES, help="that runs it (default: openvino)")
    arguments = parser.parse_args()
    rows, gain = measure(Bundle.load(arguments.bundle), arguments.parts, arguments.runtime)
    for row in rows:
        numbers = {
            "modalities": row.modalities,
            "specificity": round(row.specificity, 3),
            "recall": {name: round(value, 3) for name, value in row.recall.items()},
            "auroc_good_only": {name: round(value, 3) for name, value in row.detection.items()},
            "balanced_accuracy": round(row.named, 3),
            "macro_auroc": round(row.separation, 4),
        }
        print(json.dumps(numbers))
    print(
        json.dumps(
            {"fused_minus": gain.single, "macro_auroc": [round(v, 4) for v in (gain.difference, gain.low, gain.high)]}
        )
    )


if __name__ == "__main__":
    main()
