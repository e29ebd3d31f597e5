"""What good parts look and sound like in detail, and how far held-out ones lie from that: learned from kept details.

A pure function of the exemplars whose details are kept, in the order taught: what they look like is learned from the
first, and the newest held-out ones say how unlike that another good part is: held against the other lots, where there
are some (`lot`). Details are kept of all, so to forget one of the first is to let the next one in, and the bytes are
those of never having learned it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Final, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge_agent.errors import StateDamaged
from edge_agent.learning.example import encode_npy
from edge_agent.learning.exemplar import MAX_EXEMPLARS, Exemplar, Role
from edge_agent.learning.lot import FEWEST_LEFT, lots_of, signature_of
from edge_agent.records import Details
from edge_agent.runtime.steps import Steps, finished
from models import Bundle, bnk
from models.errors import KnowledgeDamaged
from models.joined import joined, parted
from models.normality import FEWEST, Heard, Seen, picture_score, window_score
from models.npy import decode_npy
from models.tokenbank import rounded

MAX_DETAILED: Final = 500
"""Good parts that are learned in detail, in some seconds: the first that were taught. After these what is known stays,
so that of a further lesson only what is held out is asked about."""

MAX_SCORED: Final = MAX_EXEMPLARS
"""Held-out good parts that are held against these, each in a millisecond or two: all that count."""

PART: Final = 16
"""Held-out parts that are held against the others before something else is let in."""

DETAILED: Final = (Role.FIT, Role.RING)
"""Good parts are learned from, or tell how far others lie from those."""

HINT: Final = "teach good parts again, or take the file from a backup"

Floats = NDArray[np.float64]
Score = float | None
Ids = Annotated[tuple[str, ...], Meta(max_length=MAX_EXEMPLARS)]


class _Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is stored before the knowledge of good parts."""

    learned: Ids
    anomalies: Annotated[dict[str, tuple[Score, Score]], Meta(max_length=MAX_EXEMPLARS)]
    lots: Annotated[str, Meta(max_length=16)] = ""


@dataclass(frozen=True, eq=False)
class GoodParts:
    """What is known of good parts in detail.

    Attributes:
        normality: what they look and sound like.
        learned: ids of the exemplars that say so, sorted, those whose details are lost among them.
        anomalies: how unlike them the picture and the window of each held-out exemplar are, by id; None for none.
        lots: names which lot each of `learned` belongs to, where lots make a difference; "" where they make none.
    """

    normality: bnk.Normality
    learned: tuple[str, ...]
    anomalies: dict[str, tuple[Score, Score]]
    lots: str = ""

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        good: Iterable[Exemplar],
        read: Callable[[str], Details | None],
        before: GoodParts | None = None,
    ) -> Self | None:
        """Learn good parts.

        Args:
            bundle: what the details are from.
            good: exemplars of good parts, fitted and held out, in the order taught; those without details say nothing.
            read: gives kept details by digest, None where they are lost.
            before: what was known of fewer or more of them, which spares looking twice at the same.

        Returns:
            What is known; None where fewer than two fitted ones have details.
        """
        return finished(cls.learning(bundle, good, read, before))

    @classmethod
    def learning(
        cls,
        bundle: Bundle,
        good: Iterable[Exemplar],
        read: Callable[[str], Details | None],
        before: GoodParts | None = None,
    ) -> Steps[Self | None]:
        """Do what `of` does in parts of a tenth of a second."""
        fitted, held_out = members(good)
        learned, lots = tuple(sorted(e.id for e in fitted)), lots_of(fitted)
        signature = signature_of(fitted, lots)
        anomalies: dict[str, tuple[Score, Score]] = {}
        same = before if before is not None and before.learned == learned else None
        if same is not None and same.lots == signature:
            anomalies = {e.id: same.anomaly(e) for e in held_out if e.id in same.anomalies}
        new = [e for e in held_out if e.id not in anomalies]
        if same is not None and not any(e.utc in lots for e in new):
            made = _Made(same.normality)
        elif (anew := (yield from _making(bundle, _with_lots(fitted, lots, read)))) is not None:
            made = anew
        else:
            return None
        for number, e in enumerate(new):
            if number % PART == 0:
                yield None
            one = read(e.details)
            anomalies[e.id] = (None, None) if one is None else made.scores(one, lots.get(e.utc, -1))
        return cls(made.normality, learned, dict(sorted(anomalies.items())), signature)

    def is_of(self, good: Iterable[Exemplar]) -> bool:
        """Say whether it was learned from just these exemplars of good parts."""
        fitted, held_out = members(good)
        ids = {e.id for e in fitted}, {e.id for e in held_out}
        return ids == (set(self.learned), set(self.anomalies)) and self.lots == signature_of(fitted, lots_of(fitted))

    def to_bytes(self) -> bytes:
        """Give the one form of this knowledge."""
        return joined(msgspec.json.encode(_Known(self.learned, self.anomalies, self.lots)), bnk.encode(self.normality))

    @classmethod
    def from_bytes(cls, data: bytes, bundle: Bundle) -> Self:
        """Read what `to_bytes` wrote, of `bundle`; raise `StateDamaged` where it is anything else."""
        head, bank = parted(data)
        try:
            known = msgspec.json.decode(head, type=_Known)
            normality = bnk.decode(bank)
        except (msgspec.DecodeError, UnicodeDecodeError, KnowledgeDamaged) as error:
            raise StateDamaged(f"what is known of good parts cannot be used: {error}", hint=HINT) from error
        if normality.bundle_digest != bundle.digest:
            raise StateDamaged("what is known of good parts is of another bundle", hint=HINT)
        return cls(normality, known.learned, known.anomalies, known.lots)

    def anomaly(self, exemplar: Exemplar) -> tuple[Score, Score]:
        """Give how unlike good parts a held-out exemplar is, picture and window; None for what nobody knows."""
        return self.anomalies.get(exemplar.id, (None, None))


def members(good: Iterable[Exemplar]) -> tuple[list[Exemplar], list[Exemplar]]:
    """Give the exemplars that count in detail: those that are learned from, and those that are held out."""
    detailed = [e for e in good if e.details]
    fitted, held_out = ([e for e in detailed if e.role is role] for role in DETAILED)
    return fitted[:MAX_DETAILED], held_out[-MAX_SCORED:]


def encode_details(details: Details) -> bytes:
    """Give details as they are kept: tokens rounded to int8, of all variants of an example or of one, and features."""
    tokens = b"" if details.tokens is None else encode_npy(rounded(details.tokens))
    features = b"" if details.features is None else encode_npy(details.features.astype(np.float32))
    return joined(tokens, features)


def decode_details(data: bytes) -> Details:
    """Read what `encode_details` wrote; raise `StateDamaged` where it is anything else."""
    first, rest = parted(data)
    try:
        tokens = decode_npy(first) if first else None
        features = decode_npy(rest) if rest else None
    except ValueError as error:
        raise StateDamaged(f"kept details cannot be read: {error}", hint=HINT) from error
    for array, dimensions, kind in ((tokens, (2, 3), np.int8), (features, (1,), np.float32)):
        if array is not None and (array.ndim not in dimensions or array.dtype != kind):
            raise StateDamaged(f"kept details are {array.shape} {array.dtype}", hint=HINT)
    return Details(tokens, features)


@dataclass(frozen=True, eq=False)
class _Made:
    """Good parts as they were learned, and by lot what those of the others say of a part of it."""

    normality: bnk.Normality
    seen_by_others: Mapping[int, Callable[[NDArray[np.int8]], Floats]] = field(default_factory=dict)
    heard_by_others: Mapping[int, Heard] = field(default_factory=dict)

    def scores(self, details: Details, lot: int) -> tuple[Score, Score]:
        """Say how unlike the others a part of a lot is, as `Normality.scores`."""
        tokens, features = details.tokens, details.features
        if tokens is None or lot not in self.seen_by_others:
            picture, _ = self.normality.scores(tokens, None)
        else:
            picture = picture_score(self.seen_by_others[lot](rounded(tokens)))
        if features is None or lot not in self.heard_by_others:
            _, window = self.normality.scores(None, features)
        else:
            window = window_score(self.heard_by_others[lot].anomaly(features))
        return picture, window


def _making(bundle: Bundle, details: Sequence[tuple[Details, int]]) -> Steps[_Made | None]:
    """Learn good parts, each with the number of its lot; None where they are too few."""
    tokens = [(rounded(one.tokens), lot) for one, lot in details if one.tokens is not None]
    features = [(one.features, lot) for one, lot in details if one.features is not None]
    seen = heard = None
    seen_by_others: dict[int, Callable[[NDArray[np.int8]], Floats]] = {}
    heard_by_others: dict[int, Heard] = {}
    if bundle.grid and len(tokens) >= FEWEST:
        lots = [lot for _, lot in tokens]
        made = yield from Seen.learning(np.stack([one for one, _ in tokens]), bundle.grid)
        seen, by_others = made.seen, made.by_others(lots)
        seen_by_others = {lot: partial(by_others, lot) for lot in _enough_without(lots)}
    if len(features) >= FEWEST:
        heard, lots = Heard.of(np.stack([one for one, _ in features])), [lot for _, lot in features]
        for lot in _enough_without(lots):
            heard_by_others[lot] = Heard.of(np.stack([one for one, of in features if of != lot]))
    if seen is None and heard is None:
        return None
    return _Made(bnk.Normality(bundle.digest, seen, heard), seen_by_others, heard_by_others)


def _with_lots(
    fitted: Iterable[Exemplar], lots: Mapping[float, int], read: Callable[[str], Details | None]
) -> list[tuple[Details, int]]:
    """Give the details that are not lost, each with the number of its lot, -1 where it is held against all."""
    return [(one, lots.get(e.utc, -1)) for e in fitted if (one := read(e.details)) is not None]


def _enough_without(lots: Sequence[int]) -> list[int]:
    """Give the lots without which enough of what is perceived one way is left."""
    return [lot for lot in sorted(set(lots) - {-1}) if len(lots) - lots.count(lot) >= FEWEST_LEFT]
