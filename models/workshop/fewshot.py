"""What the fusion model is trained for: telling classes apart by a few examples, on a line like none before.

An episode is one line: some things of each class are the examples, others are asked about, the answer is the nearest
mean. So training rehearses teaching (prototypical networks, Snell et al., 2017), with two differences: a mean of few
examples is drawn towards good parts as the station does it (`models.head`), and every episode is answered three times,
with both modalities and with each alone, where a class that cannot be told by one modality counts as good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from models.castings import NORMAL
from models.workshop.corpus import Corpus
from models.workshop.fusion import Fused, FusionModel

SHOTS: Final = 5
QUERIES: Final = 5
SHARPNESS: Final = 10.0
"""Scale of squared distances between blocks of length 1; of the whole embedding, which has two, twice that."""

TEMPERATURE: Final = 0.1
"""Of the supervised contrast (Khosla et al., 2020)."""

LOSSES: Final = {
    "episode": "nearest mean of a few examples, as in teaching",
    "contrast": "cross-entropy over the classes of training, with supervised contrast",
}
EPISODES: Final = 40
"""In an epoch, at least, as far as the lines allow it evenly."""

EVALUATIONS: Final = 32
"""Episodes that a model is judged by, of all lines together."""


@dataclass(frozen=True, eq=False)
class Episode:
    """Samples of one line.

    Attributes:
        rows: of the corpus: for each class the examples and then those asked about, (classes, shots + queries).
        classes: the classes that the line has, (classes,).
        has_good: the first of them is good parts.
    """

    rows: NDArray[np.intp]
    classes: NDArray[np.int64]
    has_good: bool


class FewShot:
    """The training task; see `train.Task`.

    Args:
        model: to be trained.
        training: what it learns from.
        validation: lines that take no part in learning.
        loss: see `LOSSES`.
        seed: of the episodes.
    """

    def __init__(
        self, model: FusionModel, training: Corpus, validation: Corpus, *, loss: str = "contrast", seed: int = 1
    ) -> None:
        self.model = model
        self._training, self._validation = training, validation
        self._loss, self._seed = loss, seed
        lines = np.unique(training.lines)
        self._lines = np.tile(lines, max(EPISODES // len(lines), 1))
        standardise(model, training)

    @property
    def batches_per_epoch(self) -> int:
        """One episode of each line, or several where there are few."""
        return len(self._lines)

    def parameters(self) -> Iterable[nn.Parameter]:
        """Everything that is not frozen."""
        return [p for name, p in self.model.named_parameters() if p.requires_grad and self._is_used(name)]

    def batches(self, epoch: int, rank: int, world: int) -> Iterator[Episode]:
        """Give this rank's episodes: of all lines, and others than the other ranks have."""
        rng = np.random.default_rng((self._seed, epoch, rank) if rank else (self._seed, epoch))
        for line in rng.permutation(self._lines):
            yield episode_of(self._training, line, rng)

    def loss(self, batch: Episode) -> Tensor:
        """Give the loss of an episode."""
        rows, corpus = batch.rows.reshape(-1), self._training
        fused = corpus.fused(self.model, rows)
        # What an episode has nothing of has no slope; it is said outright, because every process adds up all slopes.
        losses = [0.0 * (fused.image.raw.sum() + fused.vibration.raw.sum())]
        for z, sharpness, shown in views(fused, corpus, batch, late=self.model.design.fusion_method == "late"):
            if self._loss == "episode":
                losses.append(_answers(z, sharpness, shown, batch)[1])
            else:
                losses.append(_contrast(z, shown, batch))
        if self._loss == "contrast":
            labels = torch.from_numpy(corpus.labels[rows])
            losses.append(F.cross_entropy(SHARPNESS * self.model.classify(fused.z), labels))
        return torch.stack(losses).sum()

    def evaluate(self) -> dict[str, float]:
        """Give the share of right answers on the lines of validation: with both modalities and with each alone."""
        right: dict[str, list[float]] = {"accuracy": [], "accuracy_image": [], "accuracy_vibration": []}
        lines = np.unique(self._validation.lines)
        for line in lines:
            rng = np.random.default_rng((self._seed, 0, int(line)))
            for _ in range(max(EVALUATIONS // len(lines), 1)):
                episode = episode_of(self._validation, line, rng)
                rows, corpus = episode.rows.reshape(-1), self._validation
                fused = corpus.fused(self.model, rows)
                for name, view in zip(right, views(fused, corpus, episode, late=False), strict=False):
                    right[name].append(_answers(*view, episode)[0])
        return {name: float(np.mean(shares)) for name, shares in right.items() if shares}

    def describe(self) -> dict[str, Any]:
        """Say what is trained on what."""
        design = self.model.design
        return {
            "image_encoder": design.image_encoder,
            "vibration_encoder": design.vibration_encoder,
            "fusion_method": design.fusion_method,
            "classes": list(self._training.classes),
            "side_px": design.side_px,
            "vibration": msgspec.to_builtins(design.vibration),
            "loss": self._loss,
            "seed": self._seed,
            "training": _digest(self._training),
            "validation": _digest(self._validation),
        }

    def _is_used(self, name: str) -> bool:
        seen, heard = self._training.modalities
        unused = {"image_": not seen, "vibration_": not heard, "directions": self._loss == "episode"}
        return not any(skip and name.startswith(prefix) for prefix, skip in unused.items())


def standardise(model: FusionModel, corpus: Corpus) -> None:
    """Take mean and spread of what comes out of the backbone and of the vibration from a corpus."""
    rows = slice(None, None, max(len(corpus) // 1000, 1) if len(corpus.fine) else max(len(corpus) // 64, 1))
    heard = torch.from_numpy(corpus.vibration[rows])
    with torch.no_grad():
        maps = corpus.maps(model, rows)
        model.image_encoder.fine.standard.fit(maps.fine.movedim(1, -1).flatten(0, 2))
        model.image_encoder.coarse.standard.fit(maps.coarse.movedim(1, -1).flatten(0, 2))
        model.vibration_encoder.standard.fit(heard.flatten(0, -2))


def imprint(model: FusionModel, corpus: Corpus) -> None:
    """Make the mean embedding of each class its direction (Qi et al., 2018)."""
    sums = torch.zeros_like(model.directions).index_add(0, torch.from_numpy(corpus.labels), corpus.embedded(model))
    with torch.no_grad():
        model.directions.copy_(F.normalize(sums, dim=1))


def episode_of(corpus: Corpus, line: int, rng: np.random.Generator) -> Episode:
    """Draw an episode of a line: examples and questions of each class are different things."""
    rows, classes = [], []
    here = np.flatnonzero(corpus.lines == line)
    for label in np.unique(corpus.labels[here]):
        of_class = here[corpus.labels[here] == label]
        things = rng.permutation(np.unique(corpus.things[of_class]))
        if len(things) < 2:
            continue
        shots = min(SHOTS, len(things) // 2)
        pick = [rng.choice(of_class[corpus.things[of_class] == thing]) for thing in things]
        rows.append(
            np.resize(pick[:shots], SHOTS).tolist() + np.resize(pick[shots : shots + QUERIES], QUERIES).tolist()
        )
        classes.append(label)
    has_good = corpus.classes[0] == NORMAL and 0 in classes
    return Episode(np.array(rows, dtype=np.intp), np.array(classes, dtype=np.int64), has_good)


def views(
    fused: Fused, corpus: Corpus, episode: Episode, *, late: bool
) -> list[tuple[Tensor, float, NDArray[np.bool_]]]:
    """Give the embeddings of an episode as seen by both modalities and by each alone.

    Args:
        fused: the model's output on the episode's rows.
        corpus: that the rows are of.
        episode: the rows.
        late: leave out both together.

    Returns:
        Embedding (rows, dims), scale of its distances and which of the episode's classes it can tell, for each view.
    """
    shows = corpus.shows[episode.classes]
    there = np.logical_and.reduce(corpus.present[episode.rows.reshape(-1)], axis=0)
    alone = [
        (pooled.unit, SHARPNESS, shows[:, i]) for i, pooled in enumerate((fused.image, fused.vibration)) if there[i]
    ]
    if len(alone) < 2 or late:
        return alone
    return [(fused.z, 2.0 * SHARPNESS, shows[:, 0] | shows[:, 1]), *alone]


def _answers(z: Tensor, sharpness: float, shown: NDArray[np.bool_], episode: Episode) -> tuple[float, Tensor]:
    """Give the share of right answers and the loss of an episode in one view."""
    count = len(episode.classes)
    grouped = z.reshape(count, SHOTS + QUERIES, -1)
    means, asked = grouped[:, :SHOTS].mean(1), grouped[:, SHOTS:].reshape(count * QUERIES, -1)
    told = torch.from_numpy(shown | (np.arange(count) == 0) if episode.has_good else np.ones_like(shown))
    centre = means[:1] if episode.has_good else means.mean(0, keepdim=True)
    drawn = centre + (means - centre) * (SHOTS / (SHOTS + 1.0))
    means = torch.cat([means[:1], drawn[1:]]) if episode.has_good else drawn
    logits = -sharpness * torch.cdist(asked, means).square()
    logits = logits.masked_fill(~told, -torch.inf)
    truth = torch.arange(count).masked_fill(~told, 0).repeat_interleave(QUERIES)
    return float((logits.argmax(1) == truth).float().mean()), F.cross_entropy(logits, truth)


def _contrast(z: Tensor, shown: NDArray[np.bool_], episode: Episode) -> Tensor:
    """Give the supervised contrast; what a view cannot tell has the label of good parts, where the line has any."""
    told = shown if episode.has_good else np.ones_like(shown)
    labels = torch.from_numpy(np.where(told, episode.classes, 0)).repeat_interleave(episode.rows.shape[1])
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    similar = (z @ z.T / TEMPERATURE).masked_fill(itself, -torch.inf)
    same = (labels[:, None] == labels) & ~itself
    log_share = similar - torch.logsumexp(similar, 1, keepdim=True)
    return -(log_share.masked_fill(~same, 0.0).sum(1) / same.sum(1)).mean()


def _digest(corpus: Corpus) -> str:
    digest = hashlib.sha256()
    for array in (
        corpus.labels,
        corpus.lines,
        corpus.things,
        corpus.vibration,
        corpus.pictures[:: max(len(corpus) // 50, 1)],
    ):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
