"""What good parts look and sound like, learned from good parts alone: where is a part unlike them, and how much?

Pure numpy on what a bundle's parts give; it runs no model and decides nothing. A score is made a p-value by held-out
good parts, like any other score. All arithmetic that is stored is integer, so the same pictures in any order give the
same bytes on every machine.

**Pictures.** A token is held against tokens of good parts from the same place of the picture and the eight around it:
PatchCore (Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022) with places. It knows one
bank for the whole picture; PaDiM (Defard et al., ICPR 2021) knows places, but only a Gaussian for each. On aligned
parts the place tells most. Distances are between directions of tokens, so light and contrast count less; the mean of
the three nearest is steadier than the nearest.

**A small bank.** Of each place at most `KEPT` tokens are kept, chosen greedily, each time the one farthest from those
chosen (Gonzalez, Theoretical Computer Science 38, 1985): the farthest token left out is at most twice as far from a
kept one as with the best choice of as many. They are stored as int8, each with its largest number at 127; that moves
a distance by 0.001 on average, where good tokens lie 0.2 to 0.6 from each other.

**A fixed scale.** The distance of each good token is measured without the tokens of its own picture. Mean and spread
of these over the pictures, smoothed over the neighbouring places, turn a distance into spreads above what is usual at
that place. The score of a picture is the mean over the highest 2 % of its regions: one region alone is as noisy as it
is local.

**Stations.** Banks merge by union, then the same choice again, and their scales by adding sums. This is bit for bit
the same whichever is first. It is not quite what all pictures together would have given: tokens that no station kept
are gone, and distances were measured within each station, which is a little too large a scale. Merging a bank with
itself counts twice.

**Vibration.** Each feature of a window is Gaussian by itself, from exact sums that merge exactly; the score is the
mean over the 5 % of the features that are farthest out. With 20 good windows that is as good as with 300, and
covariances add nothing that was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.moments import Floats, Moments, standardised
from models.source import PictureSpec
from models.tokenbank import MAX_SIDE, MAX_WIDTH, Bank, Small, Tokens, chosen, placed, rounded, smoothed

HIGHEST_REGIONS: Final = 0.02
HIGHEST_FEATURES: Final = 0.05

FEWEST: Final = 2
"""Good parts that a spread needs."""

_IN_A_PART: Final = 8
"""Pictures whose distances are measured before others are let in."""

S = TypeVar("S", bound="Seen")
T = TypeVar("T")

MAX_PICTURES: Final = 1000
"""Pictures of one call: 50 MB of tokens on their way, some seconds."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Tokens of pictures of good parts.

    Attributes:
        tokens: shape (rows, columns, kept, width), int8; those of one place are sorted.
        scale: distances of the tokens of good pictures from those of the others, shape (rows, columns).
    """

    tokens: Small
    scale: Moments

    @classmethod
    def of(cls, pictures: Tokens, grid: tuple[int, int]) -> Self:
        """Learn good pictures; as `learned`, without their own anomalies."""
        return cls.learned(pictures, grid)[0]

    @classmethod
    def learned(cls, pictures: Tokens, grid: tuple[int, int]) -> tuple[Self, list[Floats]]:
        """Learn good pictures.

        Args:
            pictures: their tokens, shape (n, rows * columns, width), row by row; n is 2 to `MAX_PICTURES`.
            grid: rows and columns.

        Returns:
            What they look like, for which their order makes no difference; and the anomaly of each as the others see
            it, (rows, columns), which is what that of another good picture is like.

        Raises:
            ValueError: too few, too many, of another shape, or not finite.
        """
        return _at_once(cls.learning(pictures, grid)).as_the_others_see_it

    @classmethod
    def of_lots(
        cls, pictures: Tokens, grid: tuple[int, int], lots: Sequence[int]
    ) -> tuple[Self, Callable[[int, Tokens], Floats]]:
        """Learn good pictures of several lots.

        Args:
            pictures: as `learned` takes them.
            grid: rows and columns.
            lots: number of the lot that each picture is from.

        Returns:
            What they look like; and what gives the anomaly of a picture of a lot, (rows, columns), as the pictures of
            the other lots see it. Without a lot, three pictures or more must be left.
        """
        made = _at_once(cls.learning(pictures, grid))
        return made.seen, made.by_others(lots)

    @classmethod
    def learning(cls, pictures: Tokens, grid: tuple[int, int]) -> Generator[None, None, SeenInTurn[Self]]:
        """Do what `learned` does in parts of some 10 ms, so that others may come in between."""
        if not FEWEST <= len(pictures) <= MAX_PICTURES:
            raise ValueError(f"{len(pictures)} good pictures, from {FEWEST} to {MAX_PICTURES} can be learned together")
        by_place = np.stack([rounded(placed(tokens, grid)) for tokens in pictures])
        rows = []
        for row in range(grid[0]):
            rows.append(chosen(by_place[:, row : row + 1]))
            yield
        kept, owners = (np.concatenate(part) for part in zip(*rows, strict=True))
        bank, distances = Bank(kept, owners), []
        for number, tokens in enumerate(by_place):
            distances.append(bank.distances(tokens, number))
            if number % _IN_A_PART == 0:
                yield
        return SeenInTurn(cls(kept, Moments.of(distances)), owners, distances)

    def merged(self, other: Self) -> Self:
        """Give what both know, of at most `KEPT` tokens a place; raise `ValueError` where they do not fit together."""
        grid, width = self.tokens.shape[:2], self.tokens.shape[3]
        if (other.tokens.shape[:2], other.tokens.shape[3]) != (grid, width):
            raise ValueError(f"tokens {self.tokens.shape} and {other.tokens.shape} are of different bundles")
        union = np.concatenate([self.tokens, other.tokens], axis=2).transpose(2, 0, 1, 3)
        return type(self)(chosen(union)[0], self.scale.plus(other.scale))

    def anomaly(self, tokens: Tokens) -> Floats:
        """Say where a picture is unlike good ones.

        Args:
            tokens: shape (rows * columns, width), row by row.

        Returns:
            Spreads above the usual distance, shape (rows, columns); around 0 where it is like good ones.

        Raises:
            ValueError: tokens of another shape, or not finite.
        """
        mean, variance = self.usual
        rows, columns, _, width = self.tokens.shape
        if tokens.shape != (rows * columns, width):
            raise ValueError(f"want tokens {(rows * columns, width)}, got {tokens.shape}")
        return standardised(self._bank.distances(rounded(placed(tokens, (rows, columns)))), mean, variance)

    @cached_property
    def _bank(self) -> Bank:
        return Bank(self.tokens)

    @cached_property
    def usual(self) -> tuple[Floats, Floats]:
        """Mean and variance of the distance of a good token at each place, smoothed, (rows, columns)."""
        return smoothed(self.scale.mean), smoothed(self.scale.variance)


@dataclass(frozen=True, eq=False)
class SeenInTurn(Generic[S]):
    """Good pictures that were learned, and each of them as the others see it.

    Attributes:
        seen: what they look like.
        owners: number of the picture that each kept token is from, (rows, columns, kept); -1 where several have it.
        distances: of the tokens of each picture from those of the others, (rows, columns).
    """

    seen: S
    owners: NDArray[np.int64]
    distances: Sequence[Floats]

    @property
    def as_the_others_see_it(self) -> tuple[S, list[Floats]]:
        """What they look like, and the anomaly of each as the others see it, (rows, columns)."""
        return self.seen, [standardised(own, *self.seen.usual) for own in self.distances]

    def by_others(self, lots: Sequence[int]) -> Callable[[int, Tokens], Floats]:
        """Give what `Seen.of_lots` gives second, where these are the lots of the pictures."""
        numbers = np.asarray(lots, np.int64)
        bank = Bank(self.seen.tokens, np.where(self.owners < 0, self.owners, numbers[self.owners]))
        grid = self.seen.tokens.shape[0], self.seen.tokens.shape[1]

        def anomaly(lot: int, tokens: Tokens) -> Floats:
            return standardised(bank.distances(rounded(placed(tokens, grid)), lot), *self.seen.usual)

        return anomaly


def _at_once(parts: Generator[None, None, T]) -> T:
    while True:
        try:
            next(parts)
        except StopIteration as end:
            result: T = end.value
            return result


@dataclass(frozen=True, eq=False)
class Heard:
    """Features of vibration windows of good parts.

    Attributes:
        scale: the features, shape (features,).
    """

    scale: Moments

    @classmethod
    def of(cls, windows: ArrayLike) -> Self:
        """Learn good windows, shape (n, features), n 2 or more; raise `ValueError` where they are none."""
        scale = Moments.of(windows)
        if scale.count < FEWEST or scale.total.ndim != 1:
            raise ValueError(f"want {FEWEST} good windows or more, got {scale.count} of {scale.total.shape}")
        return cls(scale)

    def merged(self, other: Self) -> Self:
        """Give what both know, exactly; raise `ValueError` where they do not fit together."""
        return type(self)(self.scale.plus(other.scale))

    def anomaly(self, features: ArrayLike) -> Floats:
        """Say which features of a window (features,) are unlike good ones: spreads away from the mean, 0 or more."""
        values = np.asarray(features, dtype=np.float64)
        if values.shape != self.scale.total.shape or not np.isfinite(values).all():
            raise ValueError(f"want {self.scale.total.shape} finite features, got {values.shape}")
        return np.abs(standardised(values, self.scale.mean, self.scale.variance))


def highest(anomaly: Floats, share: float) -> float:
    """Give the mean of the highest `share` of an anomaly map of any shape, of one number at least."""
    count = max(1, round(share * anomaly.size))
    return float(np.sort(anomaly, axis=None)[-count:].mean())


def picture_score(anomaly: Floats) -> float:
    """Give how unlike good ones a picture is as a whole, from `Seen.anomaly`."""
    return highest(anomaly, HIGHEST_REGIONS)


def window_score(anomaly: Floats) -> float:
    """Give how unlike good ones a window is as a whole, from `Heard.anomaly`."""
    return highest(anomaly, HIGHEST_FEATURES)


def grid_of(tokens: Sequence[int], spec: PictureSpec) -> tuple[int, int]:
    """Give rows and columns of the regions of a picture.

    Args:
        tokens: shape of its tokens, (1, regions, width); the regions are equal and cover the picture.
        spec: how large the picture is.

    Returns:
        Rows and columns.

    Raises:
        ValueError: they form no grid, or one that is too large to be learned.
    """
    if len(tokens) != 3 or tokens[0] != 1 or tokens[2] > MAX_WIDTH:
        raise ValueError(f"want tokens (1, regions, up to {MAX_WIDTH}), got {tuple(tokens)}")
    regions = tokens[1]
    rows = max(round((regions * spec.height / spec.width) ** 0.5), 1)
    if regions % rows or max(rows, regions // rows) > MAX_SIDE:
        raise ValueError(f"{regions} regions form no grid on {spec.width} x {spec.height} pixels")
    return rows, regions // rows
