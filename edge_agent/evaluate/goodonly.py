"""Good parts only: some good pictures are learned, and all others are asked how unlike them they are.

What is learned is one run of consecutive pictures; nothing that could show the same scene is asked about. Of the good
pictures that are left, one half sets the limits and the other says whether they keep what they promise; pictures of
defects do neither. A limit is the conformal p-value of the station where enough good pictures are held out for it,
and the station's model of what lies beyond them where not; which of the two it was is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from edge_agent.errors import BadData
from edge_agent.evaluate.begun import Begun
from edge_agent.evaluate.conditions import Conditions
from edge_agent.evaluate.figures import Floats, Interval, auroc, interval
from edge_agent.evaluate.goodscores import DISTANCE, FEWEST_HELD_OUT, REGIONS, SCORES, Known
from edge_agent.evaluate.goodtokens import FINER, Folder
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.unknown import halves
from edge_agent.inspection.joint import Joint
from edge_agent.inspection.ring import Ring
from edge_agent.proportion import Proportion, exact
from models.episodes import consecutive
from models.normality import FEWEST, MAX_PICTURES

RATES: Final = (0.01, 0.001)
"""Shares of the good pictures that may be called not normal."""

ENOUGH_GOOD: Final = 100
"""As many are learned where nobody says otherwise, or half of them where there are fewer than twice that."""


WAYS: Final = SCORES + 1
JOINT: Final = SCORES
"""Column of both scores together, after the two."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What came out of one episode.

    Attributes:
        calibration: scores of the good pictures that set the limits, (n, `WAYS`).
        good: scores of the good pictures that the limits are tried on, (n, `WAYS`).
        faulty: scores by class of defect, (n, `WAYS`).
        pixels: anomaly of marked and of other pixels by class of defect with masks.
        clean: anomaly of the pixels of good pictures; none without masks.
    """

    calibration: Floats
    good: Floats
    faulty: Mapping[str, Floats]
    pixels: Mapping[str, tuple[Floats, Floats]]
    clean: Floats


@dataclass(frozen=True)
class Detection:
    """How well defects of a class, or of all, are told from good parts.

    Attributes:
        image_auroc: probability that a picture of it scores higher by its regions than a held-out good picture.
        distance_auroc: the same of the distance of the embedding.
        joint_auroc: the same of both together.
        recall_at_fpr: by the share of good pictures that may be called not normal: its pictures that were, over all
            episodes.
        pixel_auroc: probability that a marked pixel is more anomalous than one that is not; None without masks.
    """

    image_auroc: Interval
    distance_auroc: Interval
    joint_auroc: Interval
    recall_at_fpr: dict[str, Proportion]
    pixel_auroc: Interval | None


@dataclass(frozen=True)
class Detections(Detection):
    """The figures of all defects together, of each class, and of good pictures.

    Attributes:
        by_class: of each class of defect.
        fpr: by the same shares: good pictures that were called not normal, over all episodes.
        modelled: by the same shares: too few good pictures are held out, so that a model of their scores set the limit.
        calibrated_on: good pictures that set the limits, in the episode with the fewest.
        train_good: good pictures that were learned.
    """

    by_class: dict[str, Detection]
    fpr: dict[str, Proportion]
    modelled: dict[str, bool]
    calibrated_on: int
    train_good: int


@dataclass(frozen=True)
class GoodOnlyEvaluation(Conditions, Detections):
    """The figures, and what they hold for."""


def evaluate_good_only(options: EvaluateOptions, progress: Progress) -> GoodOnlyEvaluation:
    """Evaluate on a folder how defects are found by a bundle that was shown good parts only.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        The figures.

    Raises:
        BadData: too few good pictures, or none of a defect.
        ConfigError: the bundle is refused, or gives no tokens of pictures.
    """
    begun = Begun.of(options, progress)
    folder, good = begun.folder, begun.good
    count = learned_of(len(good), options.train_good)
    if len(folder.pictures) < 2:
        raise BadData(f"{options.folder}: no usable picture of a defect", hint="add pictures")
    task = progress.add_task("episodes", total=options.episodes)
    episodes = []
    for number in range(options.episodes):
        rng = np.random.default_rng((options.seed, number))
        episodes.append(asked(folder, *split(good, count, rng)))
        progress.advance(task)
    tested = sum(len(one.calibration) + len(one.good) + sum(map(len, one.faulty.values())) for one in episodes)
    return GoodOnlyEvaluation(**vars(detections(episodes, count)), **vars(begun.conditions(count, tested)))


def learned_of(good: int, wanted: int | None) -> int:
    """Say how many of the good pictures are learned; raise `BadData` where that is none, or leaves none to ask."""
    count = min(ENOUGH_GOOD, good // 2) if wanted is None else wanted
    if not FEWEST <= count <= MAX_PICTURES or good < count + 2 * FEWEST_HELD_OUT:
        raise BadData(
            f"{good} usable good pictures, {count} to learn from: {FEWEST} to {MAX_PICTURES} can be learned, and "
            f"{2 * FEWEST_HELD_OUT} or more must be left to ask",
            hint="add pictures of good parts, or learn fewer: --train-good",
        )
    return count


def split(names: Sequence[str], count: int, rng: np.random.Generator) -> tuple[list[str], list[str], list[str]]:
    """Say which good pictures are learned, which set the limits and which those are tried on.

    Args:
        names: of the good pictures.
        count: how many are learned.
        rng: says where the run that is learned begins.

    Returns:
        The three; none has a neighbour in another.

    Raises:
        BadData: the neighbours of what is learned leave none to ask.
    """
    learned, others = consecutive(names, int(rng.integers(len(names))), count)
    calibration, good = halves(others, rng)
    if len(calibration) < FEWEST_HELD_OUT or not good:
        raise BadData(
            f"of {len(names)} good pictures {count} are learned, and too few others are no neighbour of these",
            hint="add pictures of good parts, or learn fewer: --train-good",
        )
    return learned, calibration, good


def asked(folder: Folder, learned: Sequence[str], calibration: Sequence[str], good: Sequence[str]) -> Asked:
    """Learn some good pictures and ask about all others.

    Args:
        folder: the pictures.
        learned: names of the good pictures that are.
        calibration: of those that set the limits.
        good: of those that the limits are tried on.

    Returns:
        What came out.
    """
    known, normal = Known(folder, learned), folder.pictures[folder.bundle.normal]
    masked = any(folder.masks.values())
    held_out: list[Floats] = []
    clean: list[Floats] = []
    for name in (*calibration, *good):
        anomaly = known.anomaly(normal[name])
        held_out.append(known.scores(normal[name], anomaly))
        clean += [_enlarged(anomaly).ravel()] if masked else []
    joint = Joint(np.array(held_out[: len(calibration)]))
    faulty: dict[str, Floats] = {}
    pixels: dict[str, tuple[Floats, Floats]] = {}
    for slug, pictures in folder.pictures.items():
        if slug != folder.bundle.normal:
            maps = {name: known.anomaly(picture) for name, picture in pictures.items()}
            faulty[slug] = _with_joint(joint, [known.scores(pictures[name], one) for name, one in maps.items()])
            if masks := folder.masks[slug]:
                marked = np.concatenate([_enlarged(maps[name])[mask] for name, mask in masks.items()])
                beside = np.concatenate([_enlarged(maps[name])[~mask] for name, mask in masks.items()])
                pixels[slug] = marked, beside
    return Asked(
        np.column_stack([joint.held_out, np.log(joint.own)]),
        _with_joint(joint, held_out[len(calibration) :]),
        faulty,
        pixels,
        np.concatenate(clean) if clean else np.empty(0),
    )


def detections(episodes: Sequence[Asked], count: int) -> Detections:
    """Give the figures of some episodes, each of which learned `count` good pictures."""
    fewest = min(len(one.calibration) for one in episodes)
    modelled = {str(rate): fewest < math.ceil(1 / rate - 1e-9) - 1 for rate in RATES}
    rings = [Ring(one.calibration[:, REGIONS]) for one in episodes]

    def beyond(scores: Sequence[Floats]) -> dict[str, Proportion]:
        return {
            str(rate): exact(
                sum(
                    int(
                        (
                            (ring.chance(one[:, REGIONS]) if modelled[str(rate)] else ring.p_value(one[:, REGIONS]))
                            <= rate
                        ).sum()
                    )
                    for ring, one in zip(rings, scores, strict=True)
                ),
                sum(map(len, scores)),
            )
            for rate in RATES
        }

    def detection(slugs: Sequence[str]) -> Detection:
        faulty = [np.concatenate([one.faulty[slug] for slug in slugs]) for one in episodes]
        held_out = [np.concatenate([one.calibration, one.good]) for one in episodes]
        told = np.array(
            [[auroc(low[:, i], high[:, i]) for i in range(WAYS)] for low, high in zip(held_out, faulty, strict=True)]
        )
        located = np.array(list(_located(episodes, slugs)))
        return Detection(
            image_auroc=interval(told[:, REGIONS]),
            distance_auroc=interval(told[:, DISTANCE]),
            joint_auroc=interval(told[:, JOINT]),
            recall_at_fpr=beyond(faulty),
            pixel_auroc=interval(located) if len(located) else None,
        )

    slugs = sorted(episodes[0].faulty)
    return Detections(
        **vars(detection(slugs)),
        by_class={slug: detection([slug]) for slug in slugs},
        fpr=beyond([one.good for one in episodes]),
        modelled=modelled,
        calibrated_on=fewest,
        train_good=count,
    )


def _located(episodes: Sequence[Asked], slugs: Sequence[str]) -> Iterator[float]:
    """Give the AUROC of the pixels of some classes in each episode; nothing where none has masks."""
    for one in episodes:
        parts = [one.pixels[slug] for slug in slugs if slug in one.pixels]
        if parts:
            marked, beside = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
            yield auroc(np.concatenate([beside, one.clean]), marked)


def _with_joint(joint: Joint, scores: Sequence[Floats]) -> Floats:
    """Give scores, (SCORES,) each, with what `joint` makes of both beside them, (n, WAYS)."""
    rows = np.array(scores)
    return np.column_stack([rows, np.log(joint.ratio(rows))])


def _enlarged(anomaly: Floats) -> NDArray[np.float64]:
    """Give an anomaly map (rows, columns) as finely as masks are kept, between regions by their distance."""
    size = anomaly.shape[1] * FINER, anomaly.shape[0] * FINER
    return cv2.resize(anomaly, size, interpolation=cv2.INTER_LINEAR).astype(np.float64, copy=False)
