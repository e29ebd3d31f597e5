"""What each piece of the fusion model is worth: one thing is changed at a time, the rest stays as it is.

`python -m models.workshop.ablation castings --json ablation.json --card models/bundles/castings`

Every model is trained on the same samples, several times with other seeds, and asked about lines that took no part:
castings of other designs, taught with examples of their own; of data that are one line, the side of test, taught with
examples of the side of training. Models are float32, examples enter as they are. How much of the picture's block is
left untouched is what the data's own bundle has.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.castings import NORMAL
from models.workshop.blocks import DIMS
from models.workshop.card import table, write_section
from models.workshop.collect import collect
from models.workshop.corpus import Corpus
from models.workshop.courses import Course, Side, named
from models.workshop.errors import WorkshopError
from models.workshop.learn import Choice, fit
from models.workshop.lesson import Seen, chances, seen_by
from models.workshop.separation import answers

SEEDS: Final = 3
EPISODES: Final = 8
SHOTS: Final = 5
"""Of a line that was never seen."""

SHOTS_KNOWN: Final = 20
"""Of a line that was trained on."""

VARIANTS: Final[Mapping[str, Choice]] = {
    "as shipped": Choice(),
    "tokens averaged": Choice(method="concat"),
    "each modality by itself": Choice(method="late"),
    "loss `episode`": Choice(loss="episode"),
    "lstm": Choice(vibration_encoder="lstm"),
    "cnn1d": Choice(vibration_encoder="cnn1d"),
}
"""What is changed, by what people call it."""

VIEWS: Final = (("image", "vibration"), ("image",), ("vibration",))


@dataclass(frozen=True)
class Row:
    """What one variant came to.

    Attributes:
        variant: what was changed.
        seed: of its training.
        balanced: balanced accuracy, by what the classifier looked at, in the order of `VIEWS`.
        separation: macro AUROC, the same.
    """

    variant: str
    seed: int
    balanced: tuple[float, ...]
    separation: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Material:
    """Everything that models with one vibration encoder are trained on and asked about.

    Attributes:
        training: variants of the samples of the side of training.
        validation: what the best epoch is chosen by.
        test: what is asked about.
        one_line: the side of test is of the lines that were trained on.
    """

    training: Corpus
    validation: Corpus
    test: Corpus
    one_line: bool


def gathered(course: Course, choice: Choice) -> Material:
    """Read the samples once for all models of a vibration encoder."""
    model = choice.model(course.training.dataset.classes, course.vibration)

    def corpus(side: Side, *, varied: bool) -> Corpus:
        return collect(side.dataset, side.entries, model, shows=course.shows, line_of=course.line_of, varied=varied)

    lines = [{course.line_of(entry) for entry in side.entries} for side in (course.training, course.test)]
    return Material(
        corpus(course.training, varied=True),
        corpus(course.validation, varied=False),
        corpus(course.test, varied=False),
        not lines[0].isdisjoint(lines[1]),
    )


def asked_of(
    material: Material, rng: np.random.Generator
) -> Iterator[tuple[Mapping[str, NDArray[np.intp]], NDArray[np.intp]]]:
    """Draw one episode of each line.

    Args:
        material: has the samples.
        rng: of the choice.

    Yields:
        Rows that are taught, by class, and rows that are asked about; of the training's samples and of the test's
        where the data are one line, else both of the test's, and no thing on both sides.
    """
    taught = material.training if material.one_line else material.test
    for line in np.unique(material.test.lines):
        here = np.flatnonzero(material.test.lines == line)
        examples, asked = {}, []
        for label, slug in enumerate(material.test.classes):
            rows = here[material.test.labels[here] == label]
            if material.one_line:
                own = np.flatnonzero(taught.labels == taught.classes.index(slug))
                examples[slug] = rng.permutation(own)[:SHOTS_KNOWN]
                asked.append(rows)
                continue
            things = rng.permutation(np.unique(taught.things[rows]))
            shown = np.isin(taught.things[rows], things[:SHOTS])
            examples[slug] = rng.permutation(rows[shown])[:SHOTS]
            asked.append(rows[~shown])
        yield examples, np.concatenate(asked)


def measured(variant: str, material: Material, choice: Choice, course: Course) -> Row:
    """Train one model and ask it."""
    model = choice.model(material.training.classes, course.vibration)
    with tempfile.TemporaryDirectory() as scratch:
        fit(model, material.training, material.validation, choice, Path(scratch) / "run")
    test = seen_by(model, material.training, material.test)
    taught = seen_by(model, material.training, material.training) if material.one_line else test
    both = Seen(np.concatenate([test.q, taught.q]), test.blocks, test.prior)
    figures: list[list[tuple[float, float]]] = [[] for _ in VIEWS]
    for episode in range(EPISODES):
        for examples, asked in asked_of(material, np.random.default_rng(episode)):
            shown = {slug: rows + len(test.q) for slug, rows in examples.items()} if material.one_line else examples
            truths = np.array(material.test.classes)[material.test.labels[asked]]
            for view, found in zip(VIEWS, figures, strict=True):
                got = answers([chances(both, shown, asked, view, NORMAL)], truths, [*shown])
                found.append((got.balanced, got.separation))
    means = np.array([np.mean(found, axis=0) for found in figures])
    return Row(variant, choice.seed, tuple(means[:, 0].tolist()), tuple(means[:, 1].tolist()))


def study(course: Course, seeds: int, variants: Mapping[str, Choice] = VARIANTS) -> Iterator[Row]:
    """Train and ask every variant.

    Args:
        course: what on.
        seeds: trainings of each variant.
        variants: see `VARIANTS`.

    Yields:
        A row for each training.

    Raises:
        WorkshopError: the data cannot be learned from, or have one modality.
    """
    gathered_by: dict[str, Material] = {}
    for variant, choice in variants.items():
        if choice.vibration_encoder not in gathered_by:
            gathered_by.clear()
            gathered_by[choice.vibration_encoder] = gathered(course, choice)
        material = gathered_by[choice.vibration_encoder]
        if not all(material.training.modalities):
            raise WorkshopError(
                f"{course.title} has one modality", hint=f"samples with {' and '.join(DIMS)} are wanted"
            )
        for seed in range(1, seeds + 1):
            chosen = replace(choice, seed=seed, untouched_dims=course.untouched_dims)
            yield measured(variant, material, chosen, course)


def report(rows: Sequence[Row]) -> str:
    """Give the table for the card: the mean over trainings, and their range in brackets."""
    lines = []
    for variant in dict.fromkeys(row.variant for row in rows):
        own = [row for row in rows if row.variant == variant]
        cells = [
            _cell([getattr(row, figure)[i] for row in own])
            for i in range(len(VIEWS))
            for figure in ("balanced", "separation")
        ]
        lines.append([variant, *cells])
    names = ("both", "picture alone", "vibration alone")
    return table(["", *(f"{name}, {what}" for name in names for what in ("balanced", "AUROC"))], lines)


def _cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} – {max(values):.3f})"


def main() -> int:
    """Measure, print the table, and write it where it is wanted; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="castings, steel, a folder of class folders, or a manifest .csv of paired files")
    parser.add_argument("--pictures", type=Path, help="folder of X-SDD, for steel")
    parser.add_argument("--recordings", type=Path, help="folder of CWRU, for steel")
    parser.add_argument(
        "--variant", action="append", choices=VARIANTS, help="only this one; may be given several times (default: all)"
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="trainings of each variant (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="writes a line for each training")
    parser.add_argument("--card", type=Path, help="folder of a bundle: writes the table into its card")
    arguments = parser.parse_args()
    if arguments.variant and arguments.card:
        parser.error("--card wants all variants: leave out --variant")
    if arguments.seeds < 1:
        parser.error("--seeds must be at least 1")
    try:
        course = named(arguments.data, arguments.pictures, arguments.recordings, 1)
        rows = []
        variants = {name: choice for name, choice in VARIANTS.items() if name in (arguments.variant or VARIANTS)}
        for row in study(course, arguments.seeds, variants):
            rows.append(row)
            sys.stderr.write(f"{json.dumps(row.__dict__)}\n")
        text = report(rows)
        if arguments.json:
            arguments.json.write_text("".join(f"{json.dumps(row.__dict__)}\n" for row in rows))
        if arguments.card:
            write_section(arguments.card, "Ablations", f"{_said(arguments.seeds)}\n\n{text}")
    except WorkshopError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(text)
    return 0


def _said(seeds: int) -> str:
    return (
        f"`python -m models.workshop.ablation`: one thing changed at a time, {seeds} trainings of each, mean and "
        f"range; float32, {EPISODES} choices of examples, lines that took no part."
    )


if __name__ == "__main__":
    sys.exit(main())
