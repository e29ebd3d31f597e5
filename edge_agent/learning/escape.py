"""This one got past: which of the parts that were passed look like one that should have been stopped. Pure.

**Score.** The escape is taken as one more sample of its class, and the head is solved anew; a part's score is by how
much likelier the class then makes it than good parts do. The distance to the escape is told beside it and ranks
nothing: parts that got past look mostly good, and what lies nearest to such a part are the most ordinary ones.

**Where the list ends.** One sample says little of a class, so that the class alone may win every fifth good part. So a
part is listed where its class wins and, of the held-out good parts, at most `LISTED_SHARE` look as much like it (the
conformal p-value, which no choice of bundle or head can make wrong; with n held-out parts it is never below
1 / (n + 1)). At least `MIN_LISTED` parts are listed, for a person to see what the next ones look like, and at most
`MAX_LISTED`; how many the class would win in all is counted.

**What is compared.** Whatever was passed: not what was stopped, and not what a person has said is defective; those
are known already. Parts are compared by what they and the escape were both seen by.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.likeness import Likeness
from edge_agent.records import Action, Embedding, Modality, Outcome, Part
from models import Knowledge
from models.head import Prior

Seen = frozenset[Modality]

LISTED_SHARE: Final = 0.05
"""Measured on two simulated lines of 2,000 parts. Scratches were among the good parts that were taught, and so four in
ten passed: naming one of them listed three in four of the others, and nearly half of what was listed were scratches.
With 0.1 hardly more of them were listed and twice the good parts, with 0.01 next to none."""

MIN_LISTED: Final = 5

MAX_LISTED: Final = 200
"""More than a person fetches one by one: then it is the lot that has to be contained."""

MAX_DOUBTFUL: Final = 10
"""Taught good parts that are named."""

BATCH: Final = 500
"""Parts scored at once: 4 MB for each class."""


@dataclass(frozen=True, eq=False)
class LookAlike:
    """A part that was passed and looks like the escape.

    Attributes:
        part: as it is recorded.
        score: logit of the class minus logit of good, with the escape known.
        chance: share of the held-out good parts that look as much like the class; None where none is held out.
        distance: squared Mahalanobis distance to the escape.
        is_listed: the rule lists it; otherwise it is there because too few others are.
    """

    part: Part
    score: float
    chance: float | None
    distance: float
    is_listed: bool


@dataclass(frozen=True, eq=False)
class LookAlikes:
    """What came of a search.

    Attributes:
        listed: the parts to contain, most alike first.
        compared: parts that were passed and could be compared.
        won: how many of these the class would win.
        unseen: parts that were passed, or missed, of which nothing is stored.
        apart: parts that were passed and seen by nothing that the escape was seen by, or by another bundle.
        uncertain: compared parts that were judged by knowledge that is not kept any more.
        held_out: good parts that say what chance does.
        as_alike: how many of these look as much like the class as the last part listed.
        by_chance: how many of the compared parts would be listed at most, were all of them good; None without a list
            or held-out parts.
        taught_as: classes that the escape was taught as before; their lessons with it are left aside.
        doubtful: held-out good parts that were taught and look as much like the class, the most alike first.
    """

    listed: tuple[LookAlike, ...]
    compared: int
    won: int
    unseen: int
    apart: int
    uncertain: int
    held_out: int
    as_alike: int
    by_chance: float | None
    taught_as: tuple[str, ...]
    doubtful: tuple[Exemplar, ...]


def was_passed(part: Part, normal: str) -> bool:
    """Say whether a part went on along the line: by a person's word, else by the gate, else by the answer."""
    if part.operator_label is not None:
        return part.operator_label == normal
    return part.verdict.outcome is Outcome.OK if part.action is None else part.action is Action.PASS


def look_alikes(
    escape: Part,
    slug: str,
    parts: Iterable[Part],
    learned: Learned,
    prior: Prior,
    held_out: NDArray[np.int16],
    *,
    normal: str,
    kept: Collection[str] = (),
) -> LookAlikes:
    """Find the parts that were passed and look like one that should not have been.

    Args:
        escape: the part that got past.
        slug: what it is.
        parts: past parts in any order, each once; the escape may be among them.
        learned: what is known, by the bundle that saw them.
        prior: the bundle's.
        held_out: embeddings of good parts that took no part in fitting, int16, (n, d).
        normal: slug of the class of good parts.
        kept: digests of the states of knowledge that are kept.

    Returns:
        The parts, most alike first, and how far they can be trusted.

    Raises:
        BadData: nothing of the escape is stored, or it is no defect.
    """
    seen = _seen(escape, learned, slug, normal)
    before = [e for e in learned.exemplars if e.role is Role.FIT and _is_of(e, escape.id, seen.q)]
    knowledge = _with_escape(learned.knowledge, slug, seen.q, before)
    ring = held_out[np.any(held_out != seen.q, axis=1)]
    views: dict[Seen, Likeness | None] = {}
    found = _Found()
    others = (part for part in parts if part.id != escape.id and part.recipe == escape.recipe)
    for present, batch in _batches(found.stored(others, normal)):
        common = present & seen.present
        if common not in views:
            views[common] = Likeness.of(knowledge, prior, ring, seen.q, common, slug, normal)
        found.add(batch, common, views[common], kept)
    ranked = {common: view for common, view in views.items() if view is not None}
    taught = [e for e in learned.exemplars if e.role is Role.RING and not _is_of(e, escape.id, seen.q)]
    return found.result(ranked, tuple(sorted({e.label for e in before})), taught, seen.present)


def _seen(escape: Part, learned: Learned, slug: str, normal: str) -> Embedding:
    """Give what was seen of the escape, where others can be compared with it; raise `BadData` otherwise."""
    seen = escape.embedding
    hint = "name another part like it: `edge-agent export` lists them, those with a score were judged"
    if slug == normal:
        why, hint = f"{normal} is no defect", "name the class of the defect: --class"
    elif seen is None:
        why = "nothing of it is stored"
    elif len(seen.q) != learned.knowledge.d:
        why = f"its embedding has {len(seen.q)} dimensions: made by another bundle than today, or looked at otherwise"
    else:
        return seen
    raise BadData(f"part {escape.id} cannot be compared with others: {why}", hint=hint)


def _is_of(exemplar: Exemplar, part: int, q: NDArray[np.int16]) -> bool:
    """Say whether an exemplar was taught from a part; embedded again, it may differ in the last bit."""
    return exemplar.rows[0].tobytes() == q.tobytes() or exemplar.source == f"part {part}"


def _with_escape(knowledge: Knowledge, slug: str, q: NDArray[np.int16], before: Iterable[Exemplar]) -> Knowledge:
    """Give what is known with the escape as a sample of its class, once, and of no other."""
    for exemplar in before:
        knowledge = knowledge.forget(exemplar.label, exemplar.rows)
    return knowledge.learn(slug, q[np.newaxis])


class _Found:
    """Keeps the parts that are most alike, and counts the rest."""

    def __init__(self) -> None:
        self._best: list[LookAlike] = []
        self._compared = Counter[Seen]()
        self._won = self._unseen = self._apart = self._uncertain = 0

    def stored(self, parts: Iterable[Part], normal: str) -> Iterator[Part]:
        """Give those that were passed and have an embedding; what was missed may have been passed as well."""
        for part in parts:
            if part.embedding is None:
                self._unseen += part.verdict.outcome is Outcome.MISSED or was_passed(part, normal)
            elif was_passed(part, normal):
                yield part

    def add(self, parts: list[Part], seen: Seen, view: Likeness | None, kept: Collection[str]) -> None:
        """Score parts that are seen by the same modalities."""
        d = 0 if view is None else len(view.sample)
        fit = [(p, p.embedding.q) for p in parts if p.embedding is not None and len(p.embedding.q) == d]
        self._apart += len(parts) - len(fit)
        if view is None or not fit:
            return
        said = view.scores(np.stack([q for _, q in fit]))
        limit = max(LISTED_SHARE, float(view.chance(np.inf)))
        listed = said.wins if said.chance is None else said.wins & (said.chance <= limit)
        self._won += int(said.wins.sum())
        self._compared[seen] += len(fit)
        self._uncertain += sum(part.knowledge not in kept for part, _ in fit)
        chances: Iterable[float | None] = [None] * len(fit) if said.chance is None else said.chance.tolist()
        rows = zip(said.score.tolist(), chances, said.distance.tolist(), listed.tolist(), strict=True)
        new = (LookAlike(part, *row) for (part, _), row in zip(fit, rows, strict=True))
        self._best = heapq.nlargest(MAX_LISTED, [*self._best, *new], key=_rank)

    def result(
        self, views: Mapping[Seen, Likeness], taught_as: tuple[str, ...], taught: Sequence[Exemplar], seen: Seen
    ) -> LookAlikes:
        """Say what came of it; `taught` are held-out good parts, `seen` is what the escape was seen by."""
        listed = tuple(self._best[: max(sum(one.is_listed for one in self._best), MIN_LISTED)])
        least = min((one.score for one in listed), default=np.inf)
        chances = [self._compared[by] * float(view.chance(least)) for by, view in views.items() if len(view.ring)]
        return LookAlikes(
            listed=listed,
            compared=self._compared.total(),
            won=self._won,
            unseen=self._unseen,
            apart=self._apart,
            uncertain=self._uncertain,
            held_out=max((len(view.ring) for view in views.values()), default=0),
            as_alike=max((int(view.as_alike(least)) for view in views.values()), default=0),
            by_chance=sum(chances) if listed and len(chances) == len(views) else None,
            taught_as=taught_as,
            doubtful=_doubtful(views[seen], taught, least) if seen in views else (),
        )


def _doubtful(view: Likeness, taught: Sequence[Exemplar], least: float) -> tuple[Exemplar, ...]:
    """Give the held-out good parts that the class would win with at least this score."""
    if not taught:
        return ()
    rows = np.stack([exemplar.rows[0] for exemplar in taught])
    said = view.scores(rows)
    alike = np.flatnonzero(view.sees(rows) & said.wins & (said.score >= least))
    return tuple(taught[i] for i in alike[np.argsort(-said.score[alike], kind="stable")][:MAX_DOUBTFUL])


def _rank(one: LookAlike) -> tuple[bool, float, int]:
    return one.is_listed, one.score, -one.part.id


def _batches(parts: Iterable[Part]) -> Iterator[tuple[Seen, list[Part]]]:
    """Give parts some at a time, those together that were seen by the same."""
    waiting = iter(parts)
    while batch := list(islice(waiting, BATCH)):
        seen: dict[Seen, list[Part]] = {}
        for part in batch:
            seen.setdefault(frozenset() if part.embedding is None else part.embedding.present, []).append(part)
        yield from seen.items()
