"""Honest numbers on a folder of class folders: teach a few examples, test on the others, many times over.

Each episode chooses its examples at random, and what could show the same thing as one of them is not tested on. The
pictures are encoded by the bundle through the same runtime and pre-processing as on the station.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from edge_agent.agent import program_version
from edge_agent.config import EngineConfig, RecipeConfig
from edge_agent.errors import BadData
from edge_agent.inspection.encode import Encoder, load_bundle
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import variant_of
from edge_agent.printing import say, say_json, warn
from edge_agent.runtime.clock import SystemClock
from edge_agent.sources.files import list_class_folders, read_picture
from models import Bundle, Knowledge
from models.augment import AUGMENTATIONS
from models.embedding import dequantise
from models.episodes import Episode, draw_episodes

QUANTILES: Final = (0.025, 0.975)
"""Between these lie 95 % of the episodes."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What a person may choose.

    Attributes:
        folder: holds one folder of pictures for each class.
        shots: examples taught of each class.
        episodes: random choices of them.
        seed: of the choices.
        bundle: a shipped bundle, or its folder.
        json: print JSON.
    """

    folder: Path
    shots: int
    episodes: int
    seed: int
    bundle: str
    json: bool


@dataclass(frozen=True)
class Interval:
    """A figure over the episodes.

    Attributes:
        mean: over all episodes.
        low: 2.5 % of the episodes are below.
        high: 2.5 % of the episodes are above.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """The figures.

    Attributes:
        accuracy: share of the tested pictures that got their own class.
        balanced_accuracy: mean over the classes of `recall`.
        recall: by class.
        confusion: pictures by class and by the class they got, over all episodes.
        seconds: how long it took [s].
        pictures: usable pictures by class.
        left_out: what was not used, and why.
        tested: pictures tested, over all episodes.
        shots: examples taught of each class.
        episodes: random choices of them.
        seed: of the choices.
        seen: classes whose data took part in fitting the bundle's projection or prior.
        versions: of the program, the bundle and the runtime.
    """

    accuracy: Interval
    balanced_accuracy: Interval
    recall: dict[str, Interval]
    confusion: dict[str, dict[str, int]]
    seconds: float
    pictures: dict[str, int]
    left_out: tuple[str, ...]
    tested: int
    shots: int
    episodes: int
    seed: int
    seen: tuple[str, ...]
    versions: dict[str, str]


@dataclass
class Pictures:
    """The embeddings of a folder's pictures, made when they are first needed.

    Args:
        encoder: makes them.
        paths: of the pictures, by class and name; each is read again for each variant, so that none is held.
    """

    encoder: Encoder
    paths: Mapping[str, Mapping[str, Path]]
    _made: dict[tuple[str, str, int], NDArray[np.int16]] = field(default_factory=dict)

    def variant(self, slug: str, name: str, k: int) -> NDArray[np.int16]:
        """Give the embedding of a picture's variant `k`, shape (d,); variant 0 is the picture itself."""
        if (slug, name, k) not in self._made:
            image = variant_of(Example(name, read_picture(self.paths[slug][name])), k).image
            self._made[slug, name, k] = self.encoder.encode(image, None).q
        return self._made[slug, name, k]

    def rows(self, slug: str, names: Sequence[str]) -> NDArray[np.int16]:
        """Give the embeddings of pictures as they are, shape (n, d)."""
        return np.stack([self.variant(slug, name, 0) for name in names])

    def sample(self, slug: str, name: str) -> NDArray[np.int16]:
        """Give the embeddings of one picture's variants, shape (variants, d)."""
        return np.stack([self.variant(slug, name, k) for k in range(AUGMENTATIONS)])


def run_evaluate(options: EvaluateOptions) -> int:
    """Evaluate and print; give the exit code."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        evaluation = evaluate(options, progress)
    if options.json:
        say_json(evaluation)
    else:
        _print(evaluation)
    return 0


def evaluate(options: EvaluateOptions, progress: Progress) -> Evaluation:
    """Evaluate a bundle on a folder.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        The figures.

    Raises:
        BadData: fewer than two classes have enough usable pictures.
        ConfigError: the bundle is refused.
    """
    clock = SystemClock()
    started_s = clock.now()
    if not options.shots or not options.episodes:
        raise BadData("at least one shot and one episode are needed", hint="--shots 5 --episodes 20")
    bundle = load_bundle(RecipeConfig(bundle=options.bundle).bundle_dir)
    listed = {slug: {path.name: path for path in paths} for slug, paths in list_class_folders(options.folder).items()}
    encoder = Encoder.load(bundle, EngineConfig())
    try:
        pictures = Pictures(encoder, listed)
        names, left_out = _usable(pictures, options, progress)
        task = progress.add_task("episodes", total=options.episodes)
        confusions = []
        for episode in draw_episodes(names, options.shots, options.episodes, options.seed):
            confusions.append(_confusion(bundle, pictures, episode))
            progress.advance(task)
    finally:
        encoder.close()
    counts = np.stack(confusions)
    classes = sorted(names)
    tested = counts.sum(axis=2)
    if not tested.sum(axis=0).all():
        empty = ", ".join(slug for slug, count in zip(classes, tested.sum(axis=0), strict=True) if not count)
        raise BadData(f"no picture of {empty} is left to test on: all are neighbours of examples", hint="add pictures")
    recalls = np.where(tested, np.diagonal(counts, axis1=1, axis2=2) / np.maximum(tested, 1), np.nan)
    fitted = {slug for data in bundle.manifest.fitted_on for slug in data.classes}
    return Evaluation(
        accuracy=_interval(np.trace(counts, axis1=1, axis2=2) / tested.sum(axis=1)),
        balanced_accuracy=_interval(np.nanmean(recalls, axis=1)),
        recall={slug: _interval(recalls[:, i]) for i, slug in enumerate(classes)},
        confusion={
            slug: {other: int(counts[:, i, j].sum()) for j, other in enumerate(classes)}
            for i, slug in enumerate(classes)
        },
        seconds=clock.now() - started_s,
        pictures={slug: len(usable) for slug, usable in names.items()},
        left_out=tuple(left_out),
        tested=int(counts.sum()),
        shots=options.shots,
        episodes=options.episodes,
        seed=options.seed,
        seen=tuple(slug for slug in classes if slug in fitted),
        versions={
            "edge-agent": program_version(),
            "bundle": f"{bundle.name} {bundle.manifest.version}",
            "digest": bundle.digest,
            "runtime": EngineConfig().runtime,
        },
    )


def _usable(pictures: Pictures, options: EvaluateOptions, progress: Progress) -> tuple[dict[str, list[str]], list[str]]:
    """Encode every picture once; give the names of the usable ones by class, and a line for what is left out."""
    left_out: list[str] = []
    usable: dict[str, list[str]] = {}
    task = progress.add_task("encoding", total=sum(map(len, pictures.paths.values())))
    for slug, paths in pictures.paths.items():
        names = []
        for name in paths:
            try:
                pictures.variant(slug, name, 0)
                names.append(name)
            except BadData as error:
                left_out.append(error.message)
                warn(error)
            progress.advance(task)
        if len(names) > options.shots:
            usable[slug] = names
        else:
            few = BadData(f"class {slug} has {len(names)} usable pictures, more than {options.shots} are needed")
            left_out.append(few.message)
            warn(few)
    if len(usable) < 2:
        raise BadData(
            f"{options.folder}: fewer than two classes have more than {options.shots} usable pictures",
            hint="add pictures, or teach fewer: --shots",
        )
    return usable, left_out


def _confusion(bundle: Bundle, pictures: Pictures, episode: Episode) -> NDArray[np.int64]:
    """Teach and test once; shape (classes, classes), true class by given class."""
    classes = {slug: f"c{i:03d}" for i, slug in enumerate(episode.shots)}
    knowledge = Knowledge.empty("evaluate", bundle.digest, bundle.blocks)
    for slug, names in episode.shots.items():
        for name in names:
            knowledge = knowledge.learn(classes[slug], pictures.sample(slug, name))
    head = knowledge.head(bundle.prior(), ["image"], normal="")
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for row, (slug, names) in enumerate(episode.tests.items()):
        if names:
            given = np.argmax(head.logits(dequantise(pictures.rows(slug, names))), axis=1)
            counts[row] = np.bincount(given, minlength=len(classes))
    return counts


def _interval(values: NDArray[np.float64]) -> Interval:
    low, high = np.nanquantile(values, QUANTILES)
    return Interval(float(np.nanmean(values)), float(low), float(high))


def _print(evaluation: Evaluation) -> None:
    width = max(map(len, evaluation.recall))
    say(
        f"{evaluation.shots} shots, {evaluation.episodes} episodes, seed {evaluation.seed}, "
        f"{evaluation.tested} pictures tested, {evaluation.seconds:.0f} s"
    )
    say(f"{'balanced accuracy':<{width + 2}} {_text(evaluation.balanced_accuracy)}   (95 % of the episodes)")
    say(f"{'accuracy':<{width + 2}} {_text(evaluation.accuracy)}")
    for slug, interval in evaluation.recall.items():
        seen = "  seen: took part in fitting the bundle" if slug in evaluation.seen else ""
        say(f"  {slug:<{width}} {_text(interval)}   {evaluation.pictures[slug]} pictures{seen}")
    for slug, row in evaluation.confusion.items():
        mistaken = {other: count for other, count in row.items() if other != slug and count}
        if mistaken:
            worst = max(mistaken, key=lambda other: mistaken[other])
            say(f"  {slug} is mostly mistaken for {worst} ({mistaken[worst] / sum(row.values()):.1%})")


def _text(interval: Interval) -> str:
    return f"{interval.mean:6.3f}  {interval.low:.3f} – {interval.high:.3f}"
