"""Counts how verdicts compare with the truth, class by class, with intervals; pure, fed with parts."""

from __future__ import annotations

from collections import Counter

from edge_agent.proportion import Proportion, wilson
from edge_agent.records import Outcome, Part


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

    def specificity(self) -> Proportion:
        """Good parts that were called OK."""
        return self._share(self._normal, (Outcome.OK,))

    def recall(self, slug: str) -> Proportion:
        """Parts of a defect class that were called NG."""
        return self._share(slug, (Outcome.NG,))

    def stopped(self, slug: str) -> Proportion:
        """Parts of a class that were not let through: NG, UNSURE or missed."""
        return self._share(slug, (Outcome.NG, Outcome.UNSURE, Outcome.MISSED))

    def named(self, slug: str) -> Proportion:
        """Parts of a defect class that were called NG by the right name."""
        return wilson(self._named[slug], self._total(slug))

    def all_defects(self) -> Proportion:
        """Defective parts of every class that were called NG."""
        defects = [slug for slug in self.classes if slug != self._normal]
        return wilson(sum(self._outcomes[slug, Outcome.NG] for slug in defects), sum(map(self._total, defects)))

    def right(self) -> Proportion:
        """Parts whose verdict was right: good ones OK, defective ones NG."""
        good, bad = self.specificity(), self.all_defects()
        return wilson(good.count + bad.count, good.of + bad.of)

    def _share(self, slug: str, outcomes: tuple[Outcome, ...]) -> Proportion:
        return wilson(sum(self._outcomes[slug, outcome] for outcome in outcomes), self._total(slug))

    def _total(self, slug: str) -> int:
        return sum(count for (truth, _), count in self._outcomes.items() if truth == slug)
