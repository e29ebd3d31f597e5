"""Counts how verdicts compare with the truth, class by class, with intervals; pure, fed with parts."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Final

from edge_agent.records import Outcome, Part

Z_95: Final = 1.959964
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Share:
    """A proportion with its 95 % Wilson score interval (Wilson, JASA 22, 1927).

    Attributes:
        count: how many.
        of: of how many.
        mean: the proportion; NaN of none.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    count: int
    of: int
    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        if not self.of:
            return "–"
        return f"{self.mean:6.1%}  ({self.count} of {self.of}, 95 %: {self.low:.0%}–{self.high:.0%})"


def share(count: int, of: int) -> Share:
    """Give `count` of `of` as a proportion with its interval."""
    if not of:
        return Share(0, 0, math.nan, 0.0, 1.0)
    p, z2 = count / of, Z_95**2
    centre = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 * math.sqrt(p * (1 - p) / of + z2 / (4 * of**2)) / (1 + z2 / of)
    return Share(count, of, p, max(0.0, centre - half), min(1.0, centre + half))


class Tally:
    """Verdicts against truths.

    Args:
        normal: slug of the class of good parts.
    """

    def __init__(self, normal: str) -> None:
        self._normal = normal
        self._outcomes: Counter[tuple[str, Outcome]] = Counter()
        self._named: Counter[str] = Counter()

    def add(self, part: Part) -> None:
        """Count a part; one without a known truth does not count."""
        truth = part.trigger.truth
        if truth is None:
            return
        self._outcomes[truth, part.verdict.outcome] += 1
        self._named[truth] += part.verdict.outcome is Outcome.NG and part.verdict.label == truth

    @property
    def classes(self) -> list[str]:
        """Truths seen so far, good first."""
        return sorted({truth for truth, _ in self._outcomes}, key=lambda slug: (slug != self._normal, slug))

    @property
    def parts(self) -> int:
        """Parts counted."""
        return sum(self._outcomes.values())

    def specificity(self) -> Share:
        """Good parts that were called OK."""
        return self._share(self._normal, (Outcome.OK,))

    def recall(self, slug: str) -> Share:
        """Parts of a defect class that were called NG."""
        return self._share(slug, (Outcome.NG,))

    def stopped(self, slug: str) -> Share:
        """Parts of a class that were not let through: NG, UNSURE or missed."""
        return self._share(slug, (Outcome.NG, Outcome.UNSURE, Outcome.MISSED))

    def named(self, slug: str) -> Share:
        """Parts of a defect class that were called NG by the right name."""
        return share(self._named[slug], self._total(slug))

    def all_defects(self) -> Share:
        """Defective parts of every class that were called NG."""
        defects = [slug for slug in self.classes if slug != self._normal]
        return share(sum(self._outcomes[slug, Outcome.NG] for slug in defects), sum(map(self._total, defects)))

    def right(self) -> Share:
        """Parts whose verdict was right: good ones OK, defective ones NG."""
        good, bad = self.specificity(), self.all_defects()
        return share(good.count + bad.count, good.of + bad.of)

    def _share(self, slug: str, outcomes: tuple[Outcome, ...]) -> Share:
        return share(sum(self._outcomes[slug, outcome] for outcome in outcomes), self._total(slug))

    def _total(self, slug: str) -> int:
        return sum(count for (truth, _), count in self._outcomes.items() if truth == slug)
