"""A state of what was learned together with the judge that goes by it, and the change from one to another.

Values only: which state is the active one is the recipe's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from edge_agent.config import RecipeConfig
from edge_agent.errors import ConfigError
from edge_agent.inspection.encode import load_bundle
from edge_agent.inspection.joint import HeldOut, Lot
from edge_agent.inspection.judge import Judge
from edge_agent.inspection.look import DIGITS
from edge_agent.learning.exemplar import Role
from edge_agent.learning.guiding import space_of
from edge_agent.learning.learned import MAX_CALIBRATION, Learned
from edge_agent.learning.outcome import ClassKnown, SampleKnown
from edge_agent.learning.slots import Change
from edge_agent.learning.state import State
from edge_agent.records import Embedding
from edge_agent.runtime.steps import Steps, finished
from models import Bundle


@dataclass(frozen=True, eq=False)
class Known:
    """A state of what was learned, ready to judge.

    Attributes:
        learned: what is known.
        judge: judges by it.
        change: what made it; None where that is not known.
        space: what its embeddings are of: the bundle, guided where it is.
    """

    learned: Learned
    judge: Judge
    change: Change | None
    space: Bundle

    @classmethod
    def of(cls, state: State, bundle: Bundle, config: RecipeConfig, drawn: Sequence[Embedding]) -> Self:
        """Make the judge of a state.

        Args:
            state: what was learned.
            bundle: what made its embeddings.
            config: how strict to be.
            drawn: parts that were drawn at random and that people called good.

        Returns:
            The state with its judge.
        """
        return finished(cls.making(state, bundle, config, drawn))

    @classmethod
    def making(cls, state: State, bundle: Bundle, config: RecipeConfig, drawn: Sequence[Embedding]) -> Steps[Self]:
        """Do what `of` does in parts of some 10 ms."""
        learned = state.learned
        good = learned.good if config.normality else None
        normality = None if good is None else good.normality
        space = space_of(bundle, learned.guiding)
        yield from learned.lots.adding()
        ranked = held_out(learned, drawn)
        yield None
        judge = Judge(space, learned.knowledge, ranked, config, normality)
        for _ in judge.preparing():
            yield None
        return cls(learned, judge, state.change, space)


@dataclass(frozen=True)
class Turn:
    """A change of what is judged by, for the audit.

    Attributes:
        change: what was done.
        before: digest of the knowledge before, "" where nothing was known.
        after: digest of the knowledge from then on.
    """

    change: Change
    before: str
    after: str


def bundle_for(config: RecipeConfig) -> Bundle:
    """Load the bundle of a recipe.

    Args:
        config: of the recipe.

    Returns:
        The bundle.

    Raises:
        ConfigError: it is refused, or lacks a modality.
    """
    bundle = load_bundle(config.bundle_dir)
    if missing := set(config.modalities) - {block.modality for block in bundle.blocks}:
        raise ConfigError(
            f"bundle {bundle.name} knows nothing of {' and '.join(sorted(missing))}",
            hint="leave it out of [recipe] modalities, or name another bundle in [recipe] bundle",
        )
    return bundle


def classes_of(learned: Learned, normal: str) -> list[ClassKnown]:
    """Give everything that is known, class by class, the `normal` one first.

    Args:
        learned: what is known.
        normal: slug of the class of good parts.

    Returns:
        The classes with their samples.
    """
    return [
        ClassKnown(
            slug=slug,
            name=learned.names.get(slug, slug),
            fitted=learned.knowledge.samples(slug),
            held_out=learned.count(slug, Role.RING),
            golden=learned.count(slug, Role.GOLDEN),
            samples=tuple(
                SampleKnown(e.id, e.source, str(e.role), e.who, e.utc) for e in learned.exemplars if e.label == slug
            ),
        )
        for slug in sorted(learned.classes, key=lambda slug: (slug != normal, slug))
    ]


def held_out(learned: Learned, drawn: Sequence[Embedding]) -> HeldOut:
    """Give the good parts that parts are ranked among: those that were taught, and those that were drawn.

    Args:
        learned: what is known.
        drawn: parts that were drawn at random and that people called good.

    Returns:
        The newest of them.
    """
    untaught = [one for one in learned.untaught(drawn) if len(one.q) == learned.knowledge.d]
    normality = "" if learned.good is None else learned.good.normality.digest[:DIGITS]
    anomaly = [
        (a.picture, a.window) if (a := one.anomaly) is not None and a.normality == normality else (None, None)
        for one in untaught
    ]
    rows = np.concatenate([learned.calibration, *(one.q[np.newaxis] for one in untaught)])
    known = np.concatenate([learned.anomaly, np.array(anomaly, np.float64).reshape(-1, 2)])
    rows, known = rows[-MAX_CALIBRATION:], known[-MAX_CALIBRATION:]
    return HeldOut(rows, known, _lots(learned, len(rows) - len(untaught), len(rows)))


def _lots(learned: Learned, taught: int, count: int) -> tuple[Lot, ...]:
    """Give the lots of good parts that can be held against each other.

    Args:
        learned: what is known.
        taught: how many of the held-out parts that count were taught; these come first.
        count: how many count.

    Returns:
        Those with held-out parts among them.
    """
    of = np.full(count, -1)
    if taught > 0:
        of[:taught] = learned.lots.of_held_out[-taught:]
    return tuple(Lot(of == number, learned.lots.others(number)) for number in sorted(set(of.tolist()) - {-1}))
