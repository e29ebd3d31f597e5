"""What a bundle makes of things that took no part in its training, taught with a few examples of each class.

`python -m models.workshop.heldout BUNDLE steel --pictures X-SDD --recordings CWRU`
`python -m models.workshop.heldout BUNDLE FOLDER_OF_CLASS_FOLDERS --seed 1`

Examples come from the side of training, questions from the side of test; the seed must be that of the training, or the
sides are others. Somebody's own data have no third side: there the best epoch was chosen by the things asked about.
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

from models.augment import AUGMENTATIONS
from models.bundle import Bundle
from models.embedding import dequantise
from models.errors import BundleRefused
from models.knowledge import Knowledge
from models.workshop.card import table, write_section
from models.workshop.courses import Course, Side, named
from models.workshop.data import IMAGE, VIBRATION, Entry, ordered_classes
from models.workshop.embedder import Embedder
from models.workshop.errors import WorkshopError
from models.workshop.progress import tracked
from models.workshop.runner import RUNTIMES
from models.workshop.separation import Answers, Chances, Gain, answers, gain, worth

SHOTS: Final = 20
EPISODES: Final = 10
"""Each with other examples of the side of training."""

View = tuple[str, ...]
"""Modalities that a head looks at."""


@dataclass(frozen=True)
class HeldOut:
    """What was measured.

    Attributes:
        answers: by what the head looked at: everything there is, then each modality alone.
        gain: what both modalities together are worth; None where there is one.
        asked: samples that were asked about.
        things: that those show; an interval is drawn by them.
    """

    answers: dict[View, Answers]
    gain: Gain | None
    asked: int
    things: int


def held_out(
    bundle: Bundle,
    course: Course,
    *,
    shots: int = SHOTS,
    episodes: int = EPISODES,
    seed: int = 1,
    runtime: str = RUNTIMES[0],
) -> HeldOut:
    """Teach things of the side of training and ask about all of the side of test.

    Args:
        bundle: what is judged.
        course: has the sides.
        shots: samples of each class that are taught, each with its variants.
        episodes: how often, with other samples each time.
        seed: of the choice of samples.
        runtime: one of `runner.RUNTIMES`.

    Returns:
        The figures.

    Raises:
        WorkshopError: a class has too few samples, or bundle and data do not fit.
    """
    classes = _classes(course, shots)
    views = views_of(bundle, (*course.training.entries, *course.test.entries))
    drawn = [draw(course.training.entries, classes, shots, (seed, episode)) for episode in range(episodes)]
    wanted = {entry.key: entry for episode in drawn for entry in episode}
    embedder = Embedder(bundle, runtime)
    lessons = _embedded(embedder, course.training, [*wanted.values()], views[0], AUGMENTATIONS)
    tested = course.test.entries
    asked = _embedded(embedder, course.test, tested, views[0], 1)
    z = dequantise(np.concatenate([asked[entry.key] for entry in tested]))
    said: list[list[Chances]] = [[] for _ in views]
    for examples in drawn:
        knowledge = Knowledge.empty("held out", bundle.digest, bundle.blocks)
        for entry in examples:
            knowledge = knowledge.learn(entry.label, lessons[entry.key])
        for chances, view in zip(said, views, strict=True):
            head = knowledge.head(bundle.prior(), view)
            chances.append(head.probabilities(z)[:, [head.classes.index(slug) for slug in classes]])
    truths = np.array([entry.label for entry in tested])
    things = np.array([entry.things[0] for entry in tested])
    return HeldOut(
        answers={view: answers(chances, truths, classes) for view, chances in zip(views, said, strict=True)},
        gain=gain(said[0], said[1:], truths, classes, things) if len(views) > 1 else None,
        asked=len(tested),
        things=len(np.unique(things)),
    )


def views_of(bundle: Bundle, entries: Sequence[Entry]) -> list[View]:
    """Give what a head can look at: every modality that bundle and all samples have, then each of several alone.

    Args:
        bundle: has a block for each modality that it embeds.
        entries: the samples.

    Returns:
        The views, all modalities first.

    Raises:
        WorkshopError: there is no such modality.
    """
    blocks = {block.modality for block in bundle.blocks}
    there = tuple(
        modality
        for modality in (IMAGE, VIBRATION)
        if modality in blocks and all(modality in entry.modalities for entry in entries)
    )
    if not there:
        raise WorkshopError(
            f"no modality that all samples have is one that {bundle.name} embeds ({', '.join(sorted(blocks))})",
            hint="take a bundle that was made for such data",
        )
    return [there, *((modality,) for modality in there if len(there) > 1)]


def draw(entries: Sequence[Entry], classes: Sequence[str], shots: int, seed: tuple[int, int]) -> list[Entry]:
    """Draw `shots` samples of each class, none twice."""
    rng = np.random.default_rng(seed)
    drawn: list[Entry] = []
    for slug in classes:
        of_class = [entry for entry in entries if entry.label == slug]
        drawn += [of_class[i] for i in rng.choice(len(of_class), shots, replace=False)]
    return drawn


def _classes(course: Course, shots: int) -> tuple[str, ...]:
    """Give the classes asked about; make sure that each can be taught."""
    labels = [entry.label for entry in course.training.entries]
    classes = ordered_classes(entry.label for entry in course.test.entries)
    if len(classes) < 2:
        raise WorkshopError(
            f"the side of test has {len(classes)} of the classes {', '.join(course.training.dataset.classes)}",
            hint="take another --seed, or add examples of other things",
        )
    if poor := [f"{slug} has {labels.count(slug)}" for slug in classes if labels.count(slug) < shots]:
        raise WorkshopError(
            f"{shots} samples of each class are wanted on the side of training, {', '.join(poor)}",
            hint="ask for fewer --shots, or add examples",
        )
    return classes


def _embedded(
    embedder: Embedder, side: Side, entries: Sequence[Entry], view: View, variants: int
) -> dict[str, NDArray[np.int16]]:
    """Give q of the first variants of samples, (variants, d), by key."""
    rows: dict[str, NDArray[np.int16]] = {}
    for entry in tracked(entries, len(entries), "samples embedded"):
        sample = side.dataset.load(entry)
        seen = sample.picture if IMAGE in view else None
        heard = sample.samples if VIBRATION in view else None
        try:
            rows[entry.key] = np.array([embedder.q(seen, heard, sample.rate_hz, k) for k in range(variants)])
        except ValueError as error:
            raise WorkshopError(f"{entry.key}: {error}", hint="take a bundle that was made for such data") from None
    return rows


def report(found: HeldOut) -> list[dict[str, object]]:
    """Give the lines that are printed."""
    lines: list[dict[str, object]] = [
        {
            "modalities": view,
            "specificity": None if figures.specificity is None else round(figures.specificity, 3),
            "recall": {name: round(value, 3) for name, value in figures.found.items()},
            "named": {name: round(value, 3) for name, value in figures.named.items()},
            "balanced_accuracy": round(figures.balanced, 3),
            "macro_auroc": round(figures.separation, 4),
        }
        for view, figures in found.answers.items()
    ]
    if found.gain is not None:
        lines.append(worth(found.gain, [*found.answers]))
    return [*lines, {"samples": found.asked, "things": found.things}]


def section(found: HeldOut, shots: int, episodes: int) -> str:
    """Give the text for the card: what gets its own name of each class, by what the classifier looks at."""
    figures = [*found.answers.values()]
    lines = [[slug, *(f"{answer.named[slug]:.3f}" for answer in figures)] for slug in figures[0].named]
    lines += [
        ["balanced accuracy", *(f"{answer.balanced:.3f}" for answer in figures)],
        ["macro AUROC", *(f"{answer.separation:.4f}" for answer in figures)],
    ]
    worth_of = ""
    if found.gain is not None:
        worth_of = (
            f"\n\nBoth modalities minus the better one, macro AUROC: {found.gain.difference:+.3f} "
            f"({found.gain.low:.3f} – {found.gain.high:.3f}, 95 % of bootstrap draws of the things)."
        )
    return (
        f"`python -m models.workshop.heldout`: {shots} samples of each class of the side of training are taught, "
        f"{episodes} times; {found.asked} samples of {found.things} things that took no part are asked about. Share of "
        f"each class that gets its name:\n\n{table(['', *map(' and '.join, found.answers)], lines)}{worth_of}"
    )


def main() -> int:
    """Measure a bundle and print one JSON line for each set of modalities; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder of the bundle")
    parser.add_argument("data", help="steel, a folder of class folders, or a manifest .csv of paired files")
    parser.add_argument("--pictures", type=Path, help="folder of X-SDD, for steel")
    parser.add_argument("--recordings", type=Path, help="folder of CWRU, for steel")
    parser.add_argument("--seed", type=int, default=1, help="of the sides, as in training, and of the examples")
    parser.add_argument("--shots", type=int, default=SHOTS, help="samples taught of each class (default: %(default)s)")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="with other samples (default: %(default)s)")
    parser.add_argument("--runtime", default=RUNTIMES[0], choices=RUNTIMES, help="default: %(default)s")
    parser.add_argument("--card", action="store_true", help="writes a table into the bundle's card")
    arguments = parser.parse_args()
    if min(arguments.shots, arguments.episodes) < 1:
        parser.error("--shots and --episodes must be at least 1")
    try:
        bundle = Bundle.load(arguments.bundle)
        course = named(arguments.data, arguments.pictures, arguments.recordings, arguments.seed)
        sys.stderr.write(f"{course.table}\n")
        found = held_out(
            bundle,
            course,
            shots=arguments.shots,
            episodes=arguments.episodes,
            seed=arguments.seed,
            runtime=arguments.runtime,
        )
        if arguments.card:
            text = section(found, arguments.shots, arguments.episodes)
            write_section(arguments.bundle, "On things that took no part", text)
    except (WorkshopError, BundleRefused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for line in report(found):
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
