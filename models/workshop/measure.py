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
from typing import Any, Final

import numpy as np
import openvino
from numpy.typing import NDArray

from models.augment import AUGMENTATIONS, augment_picture, augment_vibration
from models.bundle import Bundle
from models.castings import CLASSES, NORMAL, Casting, CastingLine
from models.embedding import assemble, dequantise, quantise
from models.features import prepare_picture, vibration_features
from models.knowledge import Knowledge

DESIGN: Final = 0
TRAY_SEED: Final = 11
LINE_SEED: Final = 12
GOOD: Final = 100
"""Good parts that are taught, from the line itself."""

SHOTS: Final = 5
EPISODES: Final = 8
"""Each with other examples from the tray."""

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
    """

    modalities: tuple[str, ...]
    specificity: float
    recall: dict[str, float]
    detection: dict[str, float]
    named: float


class Encoder:
    """A bundle on OpenVINO, as the station runs it by default.

    Args:
        bundle: what to run.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        core = openvino.Core()
        settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": 2, "PERFORMANCE_HINT": "LATENCY"}
        self._requests = {
            part.role: core.compile_model(
                core.read_model(bundle.part_bytes(part.role)), "CPU", settings
            ).create_infer_request()
            for part in bundle.manifest.parts
        }

    def q(self, casting: Casting, k: int = 0) -> NDArray[np.int16]:
        """Embed variant `k` of a casting, with both modalities; shape (d,)."""
        manifest = self._bundle.manifest
        assert manifest.picture is not None and manifest.vibration is not None
        picture = prepare_picture(augment_picture(casting.image, k), manifest.picture)
        window = vibration_features(augment_vibration(casting.samples, k), casting.rate_hz, manifest.vibration)
        raw = {
            "image": self._requests["image"].infer([picture])[0],
            "vibration": self._requests["vibration"].infer([window])[0],
        }
        return quantise(assemble(self._bundle.blocks, {name: np.array(value) for name, value in raw.items()}))


def auroc(normal: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Give the chance that one of `other` scores higher than one of `normal`; ties count half."""
    ordered = np.sort(normal)
    below = np.searchsorted(ordered, other, "left") + np.searchsorted(ordered, other, "right")
    return float(below.mean() / 2 / len(normal))


def measure(bundle: Bundle, parts: int) -> list[Row]:
    """Measure on `parts` parts of the line and the tray's examples; says how far it is."""
    encoder = Encoder(bundle)
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
    return [_row(bundle, knows_good, rows, asked, modalities) for modalities in MODALITIES]


def _row(
    bundle: Bundle,
    knows_good: Knowledge,
    tray: dict[str, list[NDArray[np.int16]]],
    asked: Sequence[tuple[str, NDArray[np.int16]]],
    modalities: tuple[str, ...],
) -> Row:
    truths = np.array([truth for truth, _ in asked])
    z = dequantise(np.array([q for _, q in asked]))
    distance = knows_good.head(bundle.prior(), modalities).distances(z)[:, 0]
    faulty = [truth for truth in CLASSES if truth != NORMAL]
    found, named = [], []
    for episode in range(EPISODES):
        knowledge = knows_good
        for truth in faulty:
            for sample in tray[truth][SHOTS * episode : SHOTS * (episode + 1)]:
                knowledge = knowledge.learn(truth, sample)
        head = knowledge.head(bundle.prior(), modalities)
        said = np.array(head.classes)[head.logits(z).argmax(axis=1)]
        found.append([(said[truths == truth] != NORMAL).mean() for truth in CLASSES])
        named.append(np.mean([(said[truths == truth] == truth).mean() for truth in CLASSES]))
    alarms = dict(zip(CLASSES, np.mean(found, axis=0).tolist(), strict=True))
    return Row(
        modalities,
        specificity=1.0 - alarms.pop(NORMAL),
        recall=alarms,
        detection={t: auroc(distance[truths == NORMAL], distance[truths == t]) for t in faulty},
        named=float(np.mean(named)),
    )


def main() -> None:
    """Measure a bundle and print one JSON line for each set of modalities."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("--parts", type=int, default=1500, help="parts of the line (default: 1500)")
    arguments = parser.parse_args()
    for row in measure(Bundle.load(arguments.bundle), arguments.parts):
        numbers = {
            "modalities": row.modalities,
            "specificity": round(row.specificity, 3),
            "recall": {name: round(value, 3) for name, value in row.recall.items()},
            "auroc_good_only": {name: round(value, 3) for name, value in row.detection.items()},
            "balanced_accuracy": round(row.named, 3),
        }
        print(json.dumps(numbers))


if __name__ == "__main__":
    main()
