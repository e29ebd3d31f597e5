"""Whether training carries over to classes that took no part in it: two are left out, then taught by a few examples.

`python -m models.workshop.transfer X-SDD --bundle models/bundles/generic`

Every pair of neighbours in the list of classes is left out once, so each class twice. A model is trained on the others
and compared with bundles that saw none of them, on the same examples and questions, with the classifier of the station.
Examples of the classes that were trained on come from the side of validation, questions from the side of test; of those
left out, from different things. Models are float32, bundles as they ship; examples enter without variants. Beside them
stands what the frozen backbone sees untouched, in as many numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.bundle import Bundle
from models.embedding import quantise
from models.errors import BundleRefused
from models.head import Prior
from models.workshop.blocks import STRENGTH, blocks_of
from models.workshop.collect import collect
from models.workshop.corpus import Corpus
from models.workshop.data import IMAGE, FolderData, Sides, check_leak, split, survey
from models.workshop.embedder import Embedder
from models.workshop.errors import WorkshopError
from models.workshop.fit import Material, prior_of, within
from models.workshop.fusion import IMAGE_DIMS, VIBRATION, FusionModel
from models.workshop.learn import Choice, fit
from models.workshop.lesson import Seen, chances, seen_by
from models.workshop.progress import tracked
from models.workshop.untouched import Untouched

SHOTS: Final = 5
EPISODES: Final = 20
"""For each pair; each with other examples."""

BOOTSTRAP: Final = 1000

TRAINED: Final = "half trained"
UNTOUCHED: Final = "untouched"


@dataclass(frozen=True, eq=False)
class Questions:
    """One episode: rows of samples by class.

    Attributes:
        examples: are taught.
        asked: are asked about.
    """

    examples: Mapping[int, NDArray[np.intp]]
    asked: Mapping[int, NDArray[np.intp]]


def pairs(classes: Sequence[str]) -> list[tuple[int, int]]:
    """Give each class with its neighbour, as places in the list; the last one's neighbour is the first."""
    return [(i, (i + 1) % len(classes)) for i in range(len(classes))]


def questions(
    corpus: Corpus, sides: NDArray[np.str_], left_out: Sequence[int], rng: np.random.Generator, shots: int = SHOTS
) -> Questions:
    """Draw an episode over all classes.

    Args:
        corpus: of all samples.
        sides: the side of each, (n,): `train`, `val` or `test`.
        left_out: labels that took no part in training.
        rng: of the choice.
        shots: examples of each class.

    Returns:
        Rows; no thing is among the examples and the questions.

    Raises:
        WorkshopError: a class that was left out shows one thing only.
    """
    examples, asked = {}, {}
    for label, slug in enumerate(corpus.classes):
        rows = np.flatnonzero(corpus.labels == label)
        if label in left_out:
            things = rng.permutation(np.unique(corpus.things[rows]))
            if len(things) < 2:
                raise WorkshopError(f"all examples of {slug} show one thing", hint="add examples of other things")
            shown = np.isin(corpus.things[rows], things[: min(shots, len(things) // 2)])
        else:
            shown = sides[rows] == "val"
            rows, shown = rows[shown | (sides[rows] == "test")], shown[shown | (sides[rows] == "test")]
        examples[label] = rng.permutation(rows[shown])[:shots]
        asked[label] = rows[~shown]
    return Questions(examples, asked)


def recalls(seen: Seen, corpus: Corpus, episode: Questions) -> NDArray[np.float64]:
    """Teach and ask; give the share of right answers of each class, shape (classes,)."""
    examples = {corpus.classes[label]: rows for label, rows in episode.examples.items()}
    return np.array(
        [
            (chances(seen, examples, rows, [IMAGE]).argmax(axis=1) == label).mean()
            for label, rows in episode.asked.items()
        ]
    )


def trained(
    training: Corpus, everything: Corpus, sides: NDArray[np.str_], left_out: Sequence[int], choice: Choice
) -> Seen:
    """Train a model without some classes and let it see everything.

    Args:
        training: all samples as variants of themselves.
        everything: all samples as they are.
        sides: the side of each, (n,).
        left_out: labels that take no part.
        choice: which model, and how.

    Returns:
        What it sees.
    """
    taught = _known(training, sides, left_out, "train")
    validation = _known(everything, sides, left_out, "val")
    model = choice.model(taught.classes, VIBRATION)
    with tempfile.TemporaryDirectory() as scratch:
        fit(model, taught, validation, choice, Path(scratch) / "run")
    return seen_by(model, taught, everything)


def untouched(
    training: Corpus, everything: Corpus, sides: NDArray[np.str_], left_out: Sequence[int], model: FusionModel
) -> Seen:
    """Let a frozen backbone see everything, with as many numbers as a picture's block has; see `trained`."""
    taught = _known(training, sides, left_out, "train")
    projection = Untouched(sum(model.image_encoder.backbone.channels), IMAGE_DIMS)
    own, others = (corpus.pooled(model) for corpus in (taught, everything))
    projection.fit(own)
    unit, z = (F.normalize(projection.project(rows), dim=1).double().numpy() for rows in (own, others))
    prior = prior_of([within(unit, Material(unit, taught.lines, taught.labels))])
    return Seen(np.array([quantise(row) for row in z]), blocks_of(["image"]), Prior(prior, STRENGTH))


def _known(corpus: Corpus, sides: NDArray[np.str_], left_out: Sequence[int], side: str) -> Corpus:
    return corpus.only(np.flatnonzero(~np.isin(corpus.labels, left_out) & (sides == side)))


def shipped(bundle: Bundle, data: FolderData) -> Seen:
    """Let a bundle see the pictures of all samples."""
    embedder = Embedder(bundle)
    entries = tracked(data.entries, len(data.entries), f"pictures by {bundle.name}")
    q = np.array([embedder.q(data.load(entry).picture, None, 0.0) for entry in entries])
    return Seen(q, tuple(bundle.blocks), bundle.prior())


def interval(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Give the middle 95 % of the mean over bootstrap draws of pairs, and of episodes in each; (pairs, episodes)."""
    pairs_there, episodes = differences.shape
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, pairs_there, (BOOTSTRAP, pairs_there, 1))
    means = differences[drawn, rng.integers(0, episodes, (BOOTSTRAP, pairs_there, episodes))].mean(axis=(1, 2))
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def study(folder: Path, bundles: Sequence[Bundle], choice: Choice, seed: int) -> list[dict[str, object]]:
    """Measure.

    Args:
        folder: of class folders of pictures.
        bundles: what the trained models are compared with, the first one by an interval.
        choice: which model.
        seed: of sides, episodes and training.

    Returns:
        One line for each bundle, for what is untouched, and for the models.

    Raises:
        WorkshopError: the data cannot be learned from.
    """
    data = FolderData(folder)
    side_of = {entry.key: side for side, of_side in _sides(data, seed).items() for entry in of_side}
    sides = np.array([side_of[entry.key] for entry in data.entries])
    model = choice.model(data.classes, VIBRATION)
    training, everything = (
        collect(data, data.entries, model, shows={}, line_of=lambda entry: "", varied=varied)
        for varied in (True, False)
    )
    kinds: dict[str, list[NDArray[np.float64]]] = {}
    left_out = pairs(data.classes)
    fixed = {bundle.name: shipped(bundle, data) for bundle in bundles}
    for number, pair in enumerate(left_out):
        seen = fixed | {UNTOUCHED: untouched(training, everything, sides, pair, model)}
        sys.stderr.write(f"without {' and '.join(data.classes[i] for i in pair)}\n")
        seen[TRAINED] = trained(training, everything, sides, pair, replace(choice, seed=seed))
        drawn = [questions(everything, sides, pair, np.random.default_rng((seed, number, i))) for i in range(EPISODES)]
        for name, view in seen.items():
            kinds.setdefault(name, []).append(np.array([recalls(view, everything, episode) for episode in drawn]))
    new = {
        name: np.array([r[:, [*p]].mean(axis=1) for r, p in zip(k, left_out, strict=True)]) for name, k in kinds.items()
    }
    first = new[bundles[0].name]
    return [
        {
            "model": name,
            "left_out_recall": round(float(values.mean()), 4),
            "balanced_accuracy": round(float(np.mean([r.mean() for r in kinds[name]])), 4),
            f"left_out_minus_{bundles[0].name}": [
                round(value, 4) for value in (float((values - first).mean()), *interval(values - first))
            ],
            "by_pair": [round(float(value), 3) for value in values.mean(axis=1)],
        }
        for name, values in new.items()
    ]


def _sides(data: FolderData, seed: int) -> Sides:
    prints = survey(data, data.entries).prints
    sides = split(data.entries, seed=seed, prints=prints)
    check_leak(sides, prints)
    return sides


def main() -> int:
    """Measure and print one JSON line for each model; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of class folders of pictures")
    parser.add_argument("--bundle", type=Path, nargs="+", required=True, help="folders of what is compared with")
    parser.add_argument("--epochs", type=int, default=Choice.epochs, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        bundles = [Bundle.load(folder) for folder in arguments.bundle]
        lines = study(arguments.data, bundles, Choice(epochs=arguments.epochs), arguments.seed)
    except (WorkshopError, BundleRefused) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for line in lines:
        print(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
