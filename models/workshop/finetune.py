"""Teaches a trained fusion model new classes from a small share of their examples, and proves it on the rest.

The encoders stay as they are: a new class gets the direction of its mean embedding (Qi et al., 2018). So nothing that
was learned before can be forgotten, and it takes no longer than reading the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.workshop.collect import collect
from models.workshop.courses import opened
from models.workshop.data import describe, split, survey
from models.workshop.errors import BadSample, WorkshopError
from models.workshop.fusion import FusionModel
from models.workshop.weights import HOW, load_into

BOOTSTRAP: Final = 1000
"""Samples that an interval comes from."""


@dataclass(frozen=True)
class FineTuned:
    """What came of it.

    Attributes:
        classes: the new ones.
        accuracy: balanced over the new classes, on the things that nothing was learned from; with the classes known
            before as possible answers.
        low: of the middle 95 % over bootstrap samples of these.
        high: the same.
        recall: by class.
        table: how many samples and things were learned from, and how many are proof.
        unusable: samples that could not be read, and why.
    """

    classes: tuple[str, ...]
    accuracy: float
    low: float
    high: float
    recall: Mapping[str, float]
    table: str
    unusable: Mapping[str, BadSample]


class FineTune:
    """A fine-tuning that is ready, or says what it waits for.

    Args:
        model: gets the weights, and the new classes.
        weights: file of `weights.save_weights`.
        new_classes: how many classes are new, or their names.
        few_shot_ratio: share of each new class's things that is learned from.
        data: a folder of class folders or a manifest; None while there is none.

    Raises:
        WorkshopError: the ratio is not between 0 and 1, there is no new class, or the weights are of another model.
    """

    def __init__(
        self,
        model: FusionModel,
        weights: Path,
        new_classes: int | Sequence[str],
        few_shot_ratio: float,
        data: str | Path | None,
    ) -> None:
        self._count = new_classes if isinstance(new_classes, int) else len(new_classes)
        if not 0.0 < few_shot_ratio < 1.0:
            raise WorkshopError(
                f"few_shot_ratio must be above 0 and below 1, got {few_shot_ratio}",
                hint="0.2 learns from a fifth of the examples and proves it on the rest",
            )
        if self._count < 1:
            raise WorkshopError("new_classes must be 1 or more", hint="give a number, or the names of the classes")
        self._model, self._weights, self._ratio = model, weights, few_shot_ratio
        self._names = None if isinstance(new_classes, int) else tuple(new_classes)
        self._data = data
        self._loaded = False
        if weights.exists():
            load_into(model, weights)
            self._loaded = True

    @property
    def waits_for(self) -> tuple[str, ...]:
        """What is missing before `run` can begin, one sentence each; empty when nothing is."""
        missing = []
        if not self._loaded and not self._weights.exists():
            missing.append(f"weights: there are none at {self._weights}; {HOW}")
        if self._data is None:
            missing.append(f"data: examples of {self._count} new classes, a folder for each: run('FOLDER')")
        return tuple(missing)

    def run(self, data: str | Path | None = None, *, seed: int = 1) -> FineTuned:
        """Learn the new classes.

        Args:
            data: a folder of class folders or a manifest (.csv), where none was given before.
            seed: of the choice of what is learned from.

        Returns:
            What came of it; the model knows the new classes.

        Raises:
            WorkshopError: something is still missing, or the data are not those of the new classes.
        """
        self._data = data if data is not None else self._data
        if self._data is None or self.waits_for:
            raise WorkshopError(f"cannot begin: {'; '.join(self.waits_for)}")
        if not self._loaded:
            load_into(self._model, self._weights)
            self._loaded = True
        self._model.image_encoder.backbone.requires_grad_(False)
        dataset = opened(Path(self._data))
        names = self._checked(dataset.classes)
        found = survey(dataset, dataset.entries)
        sides = split(
            [entry for entry in found.usable if entry.label in names],
            {"learned": self._ratio, "proof": 1.0 - self._ratio},
            seed=seed,
            prints=found.prints,
        )
        learned, proof = (
            collect(dataset, entries, self._model, shows={}, line_of=lambda entry: "", varied=False)
            for entries in sides.values()
        )
        z = learned.embedded(self._model)
        labels = [learned.classes[i] for i in learned.labels]
        directions = torch.stack([z[[label == name for label in labels]].mean(0) for name in names])
        self._model.grow(names, directions)
        asked = [proof.classes[i] for i in proof.labels]
        said = self._model.classify(proof.embedded(self._model)).argmax(1).numpy()
        right = np.array([self._model.design.classes[i] == label for i, label in zip(said, asked, strict=True)])
        recall = {name: float(right[[label == name for label in asked]].mean()) for name in names}
        accuracy, low, high = _balanced(right, np.array(asked), names, seed)
        return FineTuned(names, accuracy, low, high, recall, describe(sides), found.unusable)

    def _checked(self, classes: Sequence[str]) -> tuple[str, ...]:
        known = set(self._model.design.classes)
        names = self._names or tuple(slug for slug in classes if slug not in known)
        if missing := [name for name in names if name not in classes]:
            raise WorkshopError(f"there are no examples of {', '.join(missing)}", hint=f"{self._data} has {classes}")
        if again := [name for name in names if name in known]:
            raise WorkshopError(f"{', '.join(again)} is known already", hint="a class is new once")
        if len(names) != self._count:
            raise WorkshopError(
                f"{self._data} has {len(names)} new classes ({', '.join(names) or 'none'}), not {self._count}",
                hint="name them: new_classes=['…', '…']",
            )
        return names


def _balanced(
    right: NDArray[np.bool_], asked: NDArray[np.str_], names: Sequence[str], seed: int
) -> tuple[float, float, float]:
    """Give the mean recall of the classes with the middle 95 % of bootstrap samples drawn inside each class."""
    rng = np.random.default_rng(seed)
    groups = [right[asked == name].astype(np.float64) for name in names]
    drawn = [np.mean([rng.choice(group, len(group)).mean() for group in groups]) for _ in range(BOOTSTRAP)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(np.mean([group.mean() for group in groups])), float(low), float(high)
