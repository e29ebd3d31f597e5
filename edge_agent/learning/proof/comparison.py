"""Puts a proof sheet together: what a change of knowledge would do, before anybody agrees to it.

Pure: two states of knowledge, past parts and a judge of each go in. It changes nothing, and it asks no knowledge about
a sample that it contains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.lot import lots_of
from edge_agent.learning.proof.rule import refusals, remarks
from edge_agent.learning.proof.sheet import Count, Occasion, ProofSheet, Recall, Shown, Suspect
from edge_agent.learning.proof.shift import Judging, rejudge
from edge_agent.learning.proof.witness import Witness
from edge_agent.proportion import Proportion, wilson
from edge_agent.records import Part
from edge_agent.runtime.steps import Steps
from models.head import Prior

MAX_ASKED: Final = 200
"""Samples of a class that are asked about; a recall of 95 % is then known to 3 percentage points."""

SEED: Final = 4
"""Names the draw where a class has more, so that the same states give the same sheet."""

MAX_SHOWN: Final = 24
"""New examples that a sheet lists: a page of pictures."""

MAX_LOST: Final = 10
"""Lost samples that a sheet lists; how many there are in all, each class says."""

MAX_SUSPECTS: Final = 10
"""Doubtful examples whose harm to their class is measured; more of them make a lesson that is looked at anyway."""

MAX_OTHERS: Final = 40
"""Other samples of its class that the harm of a doubtful example is measured on."""


@dataclass(frozen=True, eq=False)
class State:
    """A state of knowledge, and what it is judged by.

    Attributes:
        learned: what is known.
        prior: the bundle's.
        judge: gives the verdict on a part.
        normality: which knowledge of good parts in detail it goes by, "" for none.
    """

    learned: Learned
    prior: Prior
    judge: Judging
    normality: str = ""


def prove(
    before: State,
    after: State,
    *,
    normal: str,
    protected: Collection[str],
    parts: Sequence[Part],
    occasion: Occasion,
    clock: Callable[[], float],
    older: int = 0,
) -> Steps[ProofSheet]:
    """Prove a change, in parts of some 10 ms which say how many samples of how many have been asked about.

    Args:
        before: what is known.
        after: what would be known.
        normal: slug of the class of good parts.
        protected: slugs of further classes that must not suffer.
        parts: past parts, oldest first, with embeddings that both can judge: none where the bundle changes.
        occasion: what the sheet is about.
        clock: tells monotonic time [s].
        older: past parts of the shift that came before `parts` and are not given.

    Returns:
        The sheet, with the decision.

    Raises:
        StateDamaged: a state says that it contains a sample, and does not.
    """
    started_s = clock()
    old = Witness(before.learned, before.prior, normal, after.learned.knowledge.bundle_digest)
    new = Witness(after.learned, after.prior, normal, before.learned.knowledge.bundle_digest)
    samples = after.learned.exemplars
    kept = [sample for sample in samples if sample.role is not Role.GOLDEN]
    golden = [sample for sample in samples if sample.role is Role.GOLDEN]
    still = {sample.id for sample in samples}
    taken = [sample for sample in old.fitted.values() if sample.id not in still]
    fresh = [sample for sample in new.fitted.values() if _is_fresh(sample, old)]
    slugs = _sorted({*old.knowledge.classes, *new.knowledge.classes}, normal)
    asked = {slug: _chosen(_of(slug, kept)) for slug in slugs}
    examined = [sample for slug in slugs for sample in _drawn(_of(slug, fresh), MAX_ASKED)]
    proofs = [*golden, *(sample for slug in slugs for sample in asked[slug])]
    answered = yield from _asking([*proofs, *examined, *taken], old, new)
    guarded = (normal, *sorted(set(protected) - {normal}))
    shown = [answered[sample.id] for sample in examined]
    suspects = yield from _suspects(examined, asked, old, new)
    lost = [example for sample in proofs if _is_lost(example := answered[sample.id])]
    taught = [*before.learned.exemplars, *samples]
    shift = yield from rejudge(parts, before.judge, after.judge, taught, normal, older)
    sheet = ProofSheet(
        occasion=occasion,
        bundle_before=old.knowledge.bundle_digest,
        bundle_after=new.knowledge.bundle_digest,
        digest_before=old.knowledge.digest,
        digest_after=new.knowledge.digest,
        normal=normal,
        protected=guarded,
        names={**before.learned.names, **after.learned.names},
        counts=tuple(_count(slug, old, new, samples) for slug in slugs),
        recalls=tuple(_recall(slug, asked[slug], len(_of(slug, kept)), old, new) for slug in slugs),
        golden=tuple(_recalls(golden, normal, old, new)),
        taken=tuple(_recalls(taken, normal, old, new)),
        shown=tuple(shown[:MAX_SHOWN]),
        shown_more=len(fresh) - len(shown[:MAX_SHOWN]),
        examined=len(examined),
        suspects=tuple(suspects[:MAX_SHOWN]),
        suspects_more=len(suspects[MAX_SHOWN:]),
        lost=tuple(sorted(lost, key=lambda example: example.label not in guarded)[:MAX_LOST]),
        shift=shift,
        refused=(),
        remarks=(),
        took_s=0.0,
        lots=len(set(lots_of(_of(normal, new.fitted.values())).values())),
    )
    return replace(sheet, refused=refusals(sheet), remarks=remarks(sheet), took_s=clock() - started_s)


def _asking(samples: Sequence[Exemplar], old: Witness, new: Witness) -> Steps[dict[str, Shown]]:
    """Have both witnesses answer, who remember what they said; give the answers by the ids of the samples."""
    answered = {}
    for done, sample in enumerate(samples, start=1):
        answered[sample.id] = _shown(sample, old, new)
        yield done, len(samples)
    return answered


def _is_fresh(sample: Exemplar, old: Witness) -> bool:
    known = old.fitted.get(sample.id)
    return known is None or known.label != sample.label


def _sorted(slugs: Iterable[str], normal: str) -> list[str]:
    """Put good parts first."""
    return sorted(slugs, key=lambda slug: (slug != normal, slug))


def _of(slug: str, samples: Iterable[Exemplar]) -> list[Exemplar]:
    return [sample for sample in samples if sample.label == slug]


def _chosen(samples: Sequence[Exemplar]) -> list[Exemplar]:
    """Choose the samples of a class that are asked about: held-out ones first, which need no solving anew."""
    held_out = _drawn([sample for sample in samples if sample.role is Role.RING], MAX_ASKED)
    fitted = [sample for sample in samples if sample.role is Role.FIT]
    return held_out + _drawn(fitted, MAX_ASKED - len(held_out))


def _drawn(samples: Sequence[Exemplar], most: int) -> list[Exemplar]:
    """Draw at most so many, in the order that they have; what is drawn does not depend on that order."""
    if len(samples) <= most:
        return list(samples)
    ids = sorted(sample.id for sample in samples)
    kept = {ids[i] for i in np.random.default_rng(SEED).choice(len(ids), most, replace=False)}
    return [sample for sample in samples if sample.id in kept]


def _count(slug: str, old: Witness, new: Witness, samples: Iterable[Exemplar]) -> Count:
    roles = Counter(sample.role for sample in samples if sample.label == slug)
    known = new.knowledge.samples(slug)
    return Count(
        slug, old.knowledge.samples(slug), known, roles[Role.RING], roles[Role.GOLDEN], known - roles[Role.FIT]
    )


def _recalls(samples: Sequence[Exemplar], normal: str, old: Witness, new: Witness) -> Iterable[Recall]:
    for slug in _sorted({sample.label for sample in samples}, normal):
        of_class = _of(slug, samples)
        yield _recall(slug, of_class, len(of_class), old, new)


def _recall(slug: str, samples: Sequence[Exemplar], there: int, old: Witness, new: Witness) -> Recall:
    calls = [(old.call(sample), new.call(sample)) for sample in samples]
    first = [call.label for call, _ in calls if call is not None]
    then = [call.label for _, call in calls if call is not None]
    paired = [(a.label == slug, b.label == slug) for a, b in calls if a is not None and b is not None]
    return Recall(
        slug=slug,
        asked=len(samples),
        there=there,
        before=_share(first.count(slug), len(first)) if slug in old.knowledge.classes else None,
        after=_share(then.count(slug), len(then)) if slug in new.knowledge.classes else None,
        lost=paired.count((True, False)),
        gained=paired.count((False, True)),
        paired=len(paired),
        called_before=dict(Counter(first).most_common()),
        called_after=dict(Counter(then).most_common()),
    )


def _shown(sample: Exemplar, old: Witness, new: Witness) -> Shown:
    return Shown(
        sample.id,
        sample.label,
        sample.source,
        sample.picture,
        old.call(sample),
        new.call(sample),
        sample.role is Role.GOLDEN,
    )


def _is_lost(example: Shown) -> bool:
    before, after = example.before, example.after
    return before is not None and after is not None and before.label == example.label != after.label


def _suspects(
    examined: Sequence[Exemplar], asked: Mapping[str, Sequence[Exemplar]], old: Witness, new: Witness
) -> Steps[list[Suspect]]:
    """Give the new examples that are called something else; those that harm their class come first."""
    doubtful = [
        (call.probability, sample)
        for sample in examined
        if (call := new.call(sample)) is not None and call.label != sample.label
    ]
    doubtful.sort(key=lambda one: -one[0])
    suspects = []
    for _, sample in doubtful[:MAX_SUSPECTS]:
        suspects.append((yield from _suspect(sample, asked[sample.label], old, new)))
    suspects.sort(key=lambda suspect: suspect.right_with - suspect.right_without)
    return suspects + [Suspect(_shown(sample, old, new)) for _, sample in doubtful[MAX_SUSPECTS:]]


def _suspect(sample: Exemplar, of_class: Sequence[Exemplar], old: Witness, new: Witness) -> Steps[Suspect]:
    others = _drawn([other for other in of_class if other.id != sample.id], MAX_OTHERS)
    answers = []
    for other in others:
        answers.append((new.call(other), new.call(other, without=sample)))
        yield None
    right = [(a.label == sample.label, b.label == sample.label) for a, b in answers if a is not None and b is not None]
    return Suspect(_shown(sample, old, new), len(right), sum(a for a, _ in right), sum(b for _, b in right))


def _share(count: int, of: int) -> Proportion | None:
    return wilson(count, of) if of else None
