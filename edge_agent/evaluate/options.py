"""What a person may choose about an evaluation, what does not go together, and which classes the words mean.

Pure; it reads no folder.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.errors import BadData

ALL: Final = "all"
"""Instead of a class that is unknown: each in turn."""


FEWEST_LOTS: Final = 2
"""So that each has another one to be held against."""


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
        incremental: the classes come one after the other.
        unknown: classes that are never taught and asked all the same; `all` for each in turn.
        good_only: only good parts are learned, and defects must stand out.
        train_good: how many of them; None for what `goodonly` takes.
        lots: instead, so many lots are learned, and the good parts of the others must not stand out; None for no lots.
    """

    folder: Path
    shots: int
    episodes: int
    seed: int
    bundle: str
    json: bool
    incremental: bool = False
    unknown: tuple[str, ...] = ()
    good_only: bool = False
    train_good: int | None = None
    lots: int | None = None

    @property
    def known_at_least(self) -> int:
        """Classes that must be taught for the figures to mean anything."""
        if self.unknown:
            return 2 if self.each_in_turn else 1
        return 3 if self.incremental else 2

    @property
    def each_in_turn(self) -> bool:
        """Every class is the unknown one once."""
        return self.unknown == (ALL,)

    def check(self, classes: Collection[str]) -> None:
        """Raise `BadData` for what makes no sense with these classes."""
        if not self.shots or not self.episodes:
            raise BadData("at least one shot and one episode are needed", hint="--shots 5 --episodes 20")
        if self.train_good is not None and not self.good_only:
            raise BadData("--train-good says how much --good-only learns", hint="add --good-only, or leave it out")
        if self.lots is not None and (not self.good_only or self.train_good is not None):
            raise BadData(
                "--lots says of how many lots --good-only learns good parts",
                hint="--good-only --lots 8, without --train-good",
            )
        if self.lots is not None and self.lots < FEWEST_LOTS:
            raise BadData(
                f"{self.lots} lot{'s' * (self.lots != 1)} cannot be held against each other", hint="--lots 2, or more"
            )
        if self.incremental and self.unknown:
            raise BadData("--incremental and --unknown are two questions", hint="ask one after the other")
        if ALL in self.unknown and ALL in classes:
            raise BadData(f"a class is called {ALL}, which means each in turn", hint="rename its folder")
        if self.each_in_turn:
            return
        for name in self.unknown:
            if name not in classes:
                near = difflib.get_close_matches(name, classes, n=1)
                there = ", ".join(sorted(classes))
                raise BadData(
                    f"{self.folder}: no class {name} that could be unknown",
                    hint=f"did you mean {near[0]}?" if near else f"there are {there}",
                )

    def rounds(self, classes: Collection[str]) -> tuple[tuple[str, ...], ...]:
        """Give the classes that are unknown together, for each round of the open set."""
        if self.each_in_turn:
            return tuple((name,) for name in sorted(classes))
        return (tuple(sorted(set(self.unknown))),)
