"""Carries what was learned over to another bundle: every example of which something is kept is embedded again.

What comes out is, byte for byte, what teaching those examples with the other bundle from the beginning would have
given. Who reads the examples and who encodes them is the caller's business; what is kept of each is written at once, so
that memory does not hold all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from edge_agent.errors import BadData, StateDamaged
from edge_agent.learning.blobs import Blobs
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.goodparts import DETAILED, encode_details
from edge_agent.learning.guiding import space_of
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import variant_of
from edge_agent.learning.stateblobs import StateBlobs
from edge_agent.records import Details, Embedding
from models import Bundle
from models.augment import AUGMENTATIONS
from models.guide import GuidedBundle, can_be_guided
from models.tokenbank import rounded

Encode = Callable[[Example], Embedding | BadData]

SUMS: Final = "came as sums, without themselves"
UNKEPT: Final = "neither picture nor window is kept"
"""Why an example cannot be embedded again."""

SAID: Final = {Role.FIT: "learned", Role.RING: "held-out", Role.GOLDEN: "golden"}


@dataclass(frozen=True)
class Loss:
    """Examples of one class in one role that cannot be carried over, for one reason.

    Attributes:
        slug: their class.
        role: what they are for: `fit`, `ring` (held out) or `golden`.
        count: how many.
        of: how many there are in all of that class and role.
        reason: why not.
    """

    slug: str
    role: Role
    count: int
    of: int
    reason: str


@dataclass(frozen=True, eq=False)
class Carried:
    """What is known with the other bundle.

    Attributes:
        learned: all of it; pictures and windows are the ones that the station keeps, details are written.
        losses: what could not be carried over.
    """

    learned: Learned
    losses: tuple[Loss, ...]


def losses(learned: Learned, reasons: Mapping[str, str]) -> tuple[Loss, ...]:
    """Say what is lost where some examples cannot be carried over.

    Args:
        learned: what is known.
        reasons: by id of an exemplar, why it cannot be.

    Returns:
        The losses by class, role and reason; what came without its samples is among them.
    """
    there, lost = Counter[tuple[str, Role]](), Counter[tuple[str, Role, str]]()
    for slug in learned.base.classes:
        there[slug, Role.FIT] += learned.base.samples(slug)
        lost[slug, Role.FIT, SUMS] += learned.base.samples(slug)
    for exemplar in learned.exemplars:
        there[exemplar.label, exemplar.role] += 1
        if reason := reasons.get(exemplar.id):
            lost[exemplar.label, exemplar.role, reason] += 1
    return tuple(Loss(slug, role, n, there[slug, role], why) for (slug, role, why), n in sorted(lost.items()))


def check_nothing_ends(lost: Iterable[Loss], names: Mapping[str, str]) -> None:
    """Raise `BadData` where nothing would be left of a class in a role: of what was learned, held out, or golden."""
    counts, of = Counter[tuple[str, Role]](), dict[tuple[str, Role], Loss]()
    for loss in lost:
        counts[loss.slug, loss.role] += loss.count
        of[loss.slug, loss.role] = loss
    ended = [of[key] for key, count in counts.items() if count == of[key].of]
    if ended:
        said = " and ".join(
            f"all {n.of} {SAID[n.role]} examples of {names.get(n.slug, n.slug)} ({n.reason})" for n in ended
        )
        raise BadData(
            f"the station would lose {said}",
            hint="teach pictures or windows of these again with the bundle of today (`edge-agent teach CLASS PATH`), "
            "or forget the class (`edge-agent forget CLASS`)",
        )


def unkept(learned: Learned) -> dict[str, str]:
    """Give the exemplars of which nothing is kept that could be embedded again, by id with the reason."""
    return {e.id: UNKEPT for e in learned.exemplars if not e.picture and not e.window}


def carry(
    learned: Learned,
    bundle: Bundle,
    read: Callable[[Exemplar], Example | None],
    encode: Encode,
    blobs: Blobs,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    guided: bool = False,
) -> Carried:
    """Carry over what is known; some 10 ms for each encoding, eight of which make a defect.

    Args:
        learned: what is known.
        bundle: the other bundle.
        read: gives the example that an exemplar was made from, None where it is not kept.
        encode: embeds an example with the other bundle, or says why that cannot be.
        blobs: where what is kept of the examples beside the knowledge is written to.
        progress: hears how many encodings of how many are done.
        guided: pictures are looked at as good ones say, where the bundle can be guided.

    Returns:
        What is known then, and what is lost.

    Raises:
        BadData: of something nothing would be left; the message says of what.
        Unavailable: the disk is full or failing.
    """
    reasons = unkept(learned)
    check_nothing_ends(losses(learned, reasons), learned.names)
    states = StateBlobs(blobs, learned.knowledge.recipe, bundle, guided=guided)
    anew = _Anew(bundle, read, encode, blobs, progress, tokens=guided and can_be_guided(bundle))
    anew.total = sum(anew.variants(exemplar) for exemplar in learned.exemplars if exemplar.id not in reasons)
    known = states.nothing
    for lesson in learned.lessons:
        if guided and known.guiding is None and known.classes == (bundle.normal,):
            known = states.completed(known, [])
        space = space_of(bundle, known.guiding)
        kept: list[Exemplar] = []
        for exemplar in lesson.exemplars:
            if exemplar.id in reasons:
                continue
            try:
                kept.append(anew.made(exemplar, space))
            except (BadData, StateDamaged) as error:
                reasons[exemplar.id] = error.message
        if kept:
            label = kept[0].label
            known = known.with_exemplars(learned.names.get(label, label), kept)
    lost = losses(learned, reasons)
    check_nothing_ends(lost, learned.names)
    return Carried(states.completed(known, []), lost)


class _Anew:
    """Makes exemplars anew, one after the other, as a lesson makes them."""

    def __init__(
        self,
        bundle: Bundle,
        read: Callable[[Exemplar], Example | None],
        encode: Encode,
        blobs: Blobs,
        progress: Callable[[int, int], None],
        *,
        tokens: bool,
    ) -> None:
        self.total = 0
        self._tokens = tokens
        self._bundle = bundle
        self._read = read
        self._encode = encode
        self._blobs = blobs
        self._progress = progress
        self._done = 0

    def variants(self, exemplar: Exemplar) -> int:
        """Say in how many variants an exemplar is embedded: defects that are learned in all of them."""
        return AUGMENTATIONS if exemplar.role is Role.FIT and exemplar.label != self._bundle.normal else 1

    def made(self, exemplar: Exemplar, space: Bundle) -> Exemplar:
        """Embed one example in a space; raises `BadData` and `StateDamaged` where that cannot be."""
        until = self._done + self.variants(exemplar)
        try:
            example = self._read(exemplar)
            if example is None:
                raise BadData(UNKEPT)
            embeddings = [self._embedded(variant_of(example, k)) for k in range(self.variants(exemplar))]
        finally:
            self._done = until
            self._progress(until, self.total)
        seen = [embedding.details or Details() for embedding in embeddings]
        rows, plain = np.stack([embedding.q for embedding in embeddings]), None
        if isinstance(space, GuidedBundle):
            rows, plain = np.stack([space.extended(q, one.tokens) for q, one in zip(rows, seen, strict=True)]), rows
        pixels = example.pixels if example.samples is not None else ""
        made = replace(exemplar, rows=rows, plain=plain, details="", pixels=pixels)
        return replace(made, details=self._kept(made, seen))

    def _embedded(self, variant: Example) -> Embedding:
        self._done += 1
        self._progress(self._done, self.total)
        embedding = self._encode(variant)
        if isinstance(embedding, BadData):
            raise embedding
        if "bad_vibration" in embedding.degraded:
            raise BadData("its vibration window cannot be used")
        return embedding

    def _kept(self, exemplar: Exemplar, seen: Sequence[Details]) -> str:
        """Write the details that a lesson would keep; give their digest, "" for none."""
        if exemplar.label == self._bundle.normal and exemplar.role in DETAILED:
            details = seen[0]
        elif self._tokens:
            tokens = [rounded(one.tokens) for one in seen if one.tokens is not None]
            details = Details(np.stack(tokens) if tokens else None)
        else:
            return ""
        return self._blobs.write(encode_details(details))
