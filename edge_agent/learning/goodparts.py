"""What good parts look and sound like in detail, and how far held-out ones lie from that: learned from kept details.

A pure function of the exemplars whose details are kept, in the order taught: what they look like is learned from the
first, and the newest held-out ones say how unlike that another good part is. Details are kept of all, so to forget one
of the first is to let the next one in, and the bytes are those of never having learned it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Final, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge_agent.errors import StateDamaged
from edge_agent.learning.example import encode_npy
from edge_agent.learning.exemplar import MAX_EXEMPLARS, Exemplar, Role
from edge_agent.records import Details
from models import Bundle, bnk
from models.errors import KnowledgeDamaged
from models.joined import joined, parted
from models.normality import FEWEST, Heard, Seen
from models.npy import decode_npy
from models.tokenbank import rounded

MAX_DETAILED: Final = 500
"""Good parts that are learned in detail, in some seconds: the first that were taught. After these what is known stays,
so that of a further lesson only what is held out is asked about."""

MAX_SCORED: Final = MAX_EXEMPLARS
"""Held-out good parts that are held against these, each in a millisecond or two: all that count."""

DETAILED: Final = (Role.FIT, Role.RING)
"""Good parts are learned from, or tell how far others lie from those."""

HINT: Final = "teach good parts again, or take the file from a backup"

Floats = NDArray[np.float64]
Score = float | None
Ids = Annotated[tuple[str, ...], Meta(max_length=MAX_EXEMPLARS)]


class _Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is stored before the knowledge of good parts."""

    learned: Ids
    anomalies: Annotated[dict[str, tuple[Score, Score]], Meta(max_length=MAX_EXEMPLARS)]


@dataclass(frozen=True, eq=False)
class GoodParts:
    """What is known of good parts in detail.

    Attributes:
        normality: what they look and sound like.
        learned: ids of the exemplars that say so, sorted, those whose details are lost among them.
        anomalies: how unlike them the picture and the window of each held-out exemplar are, by id; None for none.
    """

    normality: bnk.Normality
    learned: tuple[str, ...]
    anomalies: dict[str, tuple[Score, Score]]

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
        fitted, held_out = members(good)
        learned = tuple(sorted(e.id for e in fitted))
        anomalies: dict[str, tuple[Score, Score]] = {}
        if before is not None and before.learned == learned:
            normality, anomalies = (
                before.normality,
                {e.id: before.anomaly(e) for e in held_out if e.id in before.anomalies},
            )
        elif (made := _normality(bundle, [one for e in fitted if (one := read(e.details)) is not None])) is not None:
            normality = made
        else:
            return None
        for e in held_out:
            if e.id not in anomalies:
                one = read(e.details)
                anomalies[e.id] = (None, None) if one is None else normality.scores(one.tokens, one.features)
        return cls(normality, learned, dict(sorted(anomalies.items())))

    def is_of(self, good: Iterable[Exemplar]) -> bool:
        """Say whether it was learned from just these exemplars of good parts."""
        fitted, held_out = members(good)
        ids = {e.id for e in fitted}, {e.id for e in held_out}
        return ids == (set(self.learned), set(self.anomalies))

    def to_bytes(self) -> bytes:
        """Give the one form of this knowledge."""
        return joined(msgspec.json.encode(_Known(self.learned, self.anomalies)), bnk.encode(self.normality))

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
        return cls(normality, known.learned, known.anomalies)

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


def _normality(bundle: Bundle, details: list[Details]) -> bnk.Normality | None:
    tokens = [rounded(one.tokens) for one in details if one.tokens is not None]
    features = [one.features for one in details if one.features is not None]
    seen = Seen.of(np.stack(tokens), bundle.grid) if bundle.grid and len(tokens) >= FEWEST else None
    heard = Heard.of(np.stack(features)) if len(features) >= FEWEST else None
    return None if seen is None and heard is None else bnk.Normality(bundle.digest, seen, heard)
