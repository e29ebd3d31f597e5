"""Which parts are drawn for a person's word, and whose words may then say how far good parts lie from good.

One part in every `one_in` triggers is drawn, by a hash of series and block, so that the draw knows nothing of the part.
Of the parts that were drawn, those that a person calls good join the held-out good parts.

**Why not any part that a person calls good, and never those that the station does.** Where the limit lies decides which
parts are judged OK. Held-out parts that are chosen by the verdict are cut off at the limit; the next limit is the
quantile of what was left, and lies nearer; and so on, until half of the good parts are stopped. Corrections are chosen
by the verdict as well, on the other side: people look at what was stopped. A ring of good parts that had been stopped
has its limit far out, and defects pass. In both cases the p-value is no longer one, because the part that is judged is
not exchangeable with those it is ranked among.

**Why in groups.** To answer only for the drawn parts that lie in the reject bin is the same choice once more. So words
count for `GROUP` consecutive draws together, and only where all of them have one.

**Where they are.** In the ledger, with the words: nothing is stored twice, and a word that is taken back counts no more
at once. A part counts only while the knowledge that judged it is one that the station still keeps: only then is it
certain that its embedding is of the bundle that is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.ledger import Reader
from edge_agent.records import Embedding, Part

GROUP: Final = 10
"""Draws whose words count together: few enough that one is complete every shift, many enough that none is left out."""

RECENT_GROUPS: Final = 10
"""Newest groups of a series in which parts are said to wait for a word."""

MAX_WORDS: Final = 10_000
"""Newest words that are looked at: as many as there can be held-out parts."""


@dataclass(frozen=True)
class Drawing:
    """The draw of one recipe.

    Attributes:
        recipe: its name.
        one_in: one part in so many is drawn.
    """

    recipe: str
    one_in: int

    def number(self, series: str, block: int) -> int:
        """Give the number that is drawn of a block of `one_in` triggers, the first of which is block 0."""
        digest = hashlib.sha256(f"{series} {self.one_in} {block}".encode()).digest()
        return block * self.one_in + int.from_bytes(digest[:8], "big") % self.one_in + 1

    def has(self, series: str, number: int) -> bool:
        """Say whether a trigger is drawn."""
        return number == self.number(series, (number - 1) // self.one_in)

    def group_of(self, number: int) -> int:
        """Say which group a trigger belongs to."""
        return (number - 1) // self.one_in // GROUP

    def group(self, series: str, group: int) -> list[int]:
        """Give the numbers that are drawn of a group."""
        return [self.number(series, block) for block in range(group * GROUP, (group + 1) * GROUP)]

    def counted(self, reader: Reader, knowledge: Collection[str]) -> list[Part]:
        """Give the drawn parts whose words count.

        Args:
            reader: of the ledger.
            knowledge: digests of the states of knowledge that are kept.

        Returns:
            Every part of each complete group, whatever was said of it.
        """
        groups: dict[str, set[int]] = {}
        for series, number in reader.labelled(MAX_WORDS):
            if self.has(series, number):
                groups.setdefault(series, set()).add(self.group_of(number))
        counted: list[Part] = []
        for series, numbers_of in groups.items():
            drawn = {group: self.group(series, group) for group in sorted(numbers_of)}
            parts = self._parts(reader, series, [n for numbers in drawn.values() for n in numbers], knowledge)
            last = reader.last_number(series)
            for numbers in drawn.values():
                of_group = [parts[n] for n in numbers if n in parts]
                if numbers[-1] <= last and all(part.operator_label is not None for part in of_group):
                    counted += of_group
        return counted

    def waiting(self, reader: Reader, knowledge: Collection[str]) -> list[Part]:
        """Give the drawn parts that wait for a word, oldest first.

        Args:
            reader: of the ledger.
            knowledge: digests of the states of knowledge that are kept.

        Returns:
            Those of the newest groups of the newest series; older ones are passed over.
        """
        series = reader.last_series()
        if series is None:
            return []
        newest = self.group_of(reader.last_number(series))
        groups = range(max(newest - RECENT_GROUPS + 1, 0), newest + 1)
        numbers = [number for group in groups for number in self.group(series, group)]
        parts = self._parts(reader, series, numbers, knowledge)
        return [part for part in parts.values() if part.operator_label is None]

    def _parts(
        self, reader: Reader, series: str, numbers: Sequence[int], knowledge: Collection[str]
    ) -> dict[int, Part]:
        """Give by number the parts that something can be said of: judged here, from what they showed."""
        return {
            part.trigger.number: part
            for part in reader.parts_of(series, numbers)
            if part.recipe == self.recipe and part.embedding is not None and part.knowledge in knowledge
        }


def good_among(parts: Iterable[Part], normal: str) -> list[Embedding]:
    """Give the embeddings of the good ones among parts whose words count; `normal` is the class of good parts."""
    return [p.embedding for p in parts if p.operator_label == normal and p.embedding is not None]
