"""Explains a verdict: runs a bundle on a part once more and shares out what the head makes of it.

For a part that a person asks about, never in the path of a verdict. What is not there any more, such as the window of a
part of which only the picture was kept, is taken from the stored embedding as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import EngineConfig
from edge_agent.errors import BadData
from edge_agent.inspection.explanation import Explanation, Neighbour
from edge_agent.inspection.featureshares import AXIS_NAMES, FeatureShares, feature_shares
from edge_agent.inspection.trace import Perceived, Trace, Tracer
from models import Bundle
from models.bundle import TOKENS
from models.embedding import dequantise
from models.features import frame_count
from models.guide import IMAGE, GuidedBundle
from models.head import Head
from models.manifest import Block
from models.shares import Floats, Margin, Shares, embedding_of, even_pieces, mean_pieces, pieces_of, shared_out
from models.source import FEATURES

NEIGHBOURS: Final = 3

KEEP: Final = "[ledger] keep_evidence says of which parts picture and window are kept"


@dataclass(frozen=True, eq=False)
class Reference:
    """What good parts look like, token by token.

    Attributes:
        pieces: mean of their pieces, by modality.
        features: mean of their vibration features, (1, F); None where there are none.
    """

    pieces: Mapping[str, Floats]
    features: Floats | None = None


class Explainer:
    """Explains parts with one bundle on one device. It belongs to the thread that uses it.

    Args:
        bundle: what embeddings are of, guided or not.
        tracer: runs it.
    """

    def __init__(self, bundle: Bundle, tracer: Tracer) -> None:
        self._bundle = bundle
        self._guided = bundle if isinstance(bundle, GuidedBundle) else None
        self._tracer = tracer

    @classmethod
    def load(cls, bundle: Bundle, config: EngineConfig) -> Self:
        """Load every part of `bundle` and prove it; raises what `Encoder.load` does."""
        return cls(bundle, Tracer.load(bundle, config))

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        self._tracer.close()

    def reference(self, parts: Iterable[Perceived]) -> Reference:
        """Look at good parts, so that every region is held against the same region of those; 30 are plenty."""
        pieces, features = [], []
        for part in parts:
            trace = self._tracer.trace(part)
            pieces.append(self._traced(trace))
            if FEATURES in trace.seen:
                features.append(trace.seen[FEATURES])
        return Reference(mean_pieces(pieces), np.mean(features, axis=0, dtype=np.float64) if features else None)

    def explain(
        self,
        part: Perceived,
        margin: Margin,
        *,
        reference: Reference | None = None,
        judged: NDArray[np.int16] | None = None,
        names: Sequence[str] = (),
        rows: NDArray[np.int16] | None = None,
    ) -> Explanation:
        """Explain a margin between two classes.

        Args:
            part: what there is of it.
            margin: in question.
            reference: what good parts look like; without it the head's mean of them is spread over the tokens.
            judged: the embedding that was judged, int16, (d,), where it is known.
            names: of kept examples, for people.
            rows: embeddings of those, int16, (examples, d).

        Returns:
            The explanation.

        Raises:
            BadData: nothing of what the head looks at is there, or good parts were never taught.
            DeviceFault: the device failed, or its numbers do not add up.
        """
        trace = self._tracer.trace(part) if part.image is not None or part.samples is not None else None
        q = judged if judged is not None or trace is None else self._looked(trace)
        if q is None:
            raise BadData("neither picture nor window nor embedding of this part is there", hint=KEEP)
        notes: list[str] = []
        try:
            pieces = self._pieces(trace, q, notes)
            origin = self._origin(margin.head, pieces, reference, notes)
            shares = shared_out(margin, self._bundle.blocks, pieces, origin)
        except ValueError as error:
            raise BadData(f"this part cannot be explained: {error}", hint=KEEP) from error
        z = embedding_of(self._bundle.blocks, pieces)
        self._compare(z, q, notes)
        features = None if trace is None or reference is None else self._features(trace, shares, reference, notes)
        return Explanation(
            margin.label,
            margin.against,
            shares.margin,
            margin.at(dequantise(q)),
            shares.constant,
            shares.residual,
            {modality: float(share.sum()) for modality, share in shares.tokens.items()},
            self._grid(shares),
            self._moments(shares),
            features,
            () if rows is None else nearest(margin.head, self._bundle.blocks, z, names, rows),
            tuple(notes),
        )

    def _pieces(self, trace: Trace | None, q: NDArray[np.int16], notes: list[str]) -> dict[str, Floats]:
        """Give the pieces of what was traced, and the other blocks of an embedding as one piece each."""
        pieces = {} if trace is None else self._traced(trace)
        notes += [
            f"{name}: this bundle has no tokens of it, so it is one share" for name in pieces if len(pieces[name]) == 1
        ]
        if self._guided is not None and len(pieces.get(IMAGE, ())) > 1:
            notes.append(f"{IMAGE}: what was seen of it as a whole is one share beside those of its regions")
        for block in self._bundle.blocks:
            own = q[block.start : block.stop]
            if block.modality not in pieces and own.any():
                pieces |= pieces_of([block], {block.modality: dequantise(own)[None]})
                notes.append(f"{block.modality}: from the stored embedding, so it is one share")
        return pieces

    def _traced(self, trace: Trace) -> dict[str, Floats]:
        """Give the pieces of what was traced."""
        pieces = pieces_of(self._bundle.manifest.blocks, trace.terms)
        if self._guided is not None and IMAGE in pieces:
            pieces[IMAGE] = self._guided.pieces(pieces[IMAGE], trace.seen[TOKENS][0])
        return pieces

    def _looked(self, trace: Trace) -> NDArray[np.int16]:
        """Give the embedding of what was traced."""
        tokens = trace.seen.get(TOKENS) if IMAGE in trace.terms else None
        return (
            trace.q if self._guided is None else self._guided.extended(trace.q, None if tokens is None else tokens[0])
        )

    def _origin(
        self, head: Head, pieces: Mapping[str, Floats], reference: Reference | None, notes: list[str]
    ) -> dict[str, Floats]:
        """Give the pieces of good parts; raises `ValueError` where they were never taught or have other tokens."""
        normal = self._bundle.normal
        if normal not in head.classes:
            raise ValueError(f"class {normal} was never taught")
        mean = np.zeros(self._bundle.d)
        mean[head.dims] = head.means[head.classes.index(normal)]
        origin = even_pieces(self._bundle.blocks, mean, {m: len(own) for m, own in pieces.items()})
        known = {} if reference is None else reference.pieces
        for modality, own in pieces.items():
            if modality in known:
                origin[modality] = known[modality].sum(axis=0, keepdims=True) if len(own) == 1 else known[modality]
            elif len(own) > 1:
                notes.append(f"{modality}: the mean of good parts is spread evenly over {len(own)} tokens")
        return origin

    def _compare(self, z: Floats, q: NDArray[np.int16], notes: list[str]) -> None:
        apart = float(np.linalg.norm(z - dequantise(q)))
        if apart > self._bundle.manifest.golden.tolerance:
            notes.append(f"this embedding is {apart:.3f} away from the one that was judged: another runtime?")

    def _grid(self, shares: Shares) -> Floats | None:
        """Lay the regions out as the picture is; None where there are none or they form no grid."""
        tokens, spec = shares.tokens.get(IMAGE), self._bundle.manifest.picture
        if self._guided is not None and tokens is not None and self._guided.grid is not None and len(tokens) > 1:
            return tokens[:-1].reshape(self._guided.grid)
        if tokens is None or spec is None or len(tokens) == 1:
            return None
        rows = max(round((len(tokens) * spec.height / spec.width) ** 0.5), 1)
        return tokens.reshape(rows, -1) if len(tokens) % rows == 0 else None

    def _moments(self, shares: Shares) -> dict[str, float]:
        """Name the tokens of the vibration: by axis, or by the time at which each begins."""
        tokens, spec = shares.tokens.get("vibration"), self._bundle.manifest.vibration
        if tokens is None or spec is None or len(tokens) == 1:
            return {}
        if self._by_axis(len(tokens)):
            names = list(AXIS_NAMES)
        else:
            step_ms = spec.hop_ms * round(frame_count(spec) / len(tokens))
            names = [f"{i * step_ms:g} ms" for i in range(len(tokens))]
        return dict(zip(names, tokens.tolist(), strict=True))

    def _by_axis(self, tokens: int) -> bool:
        return FEATURES in self._bundle.manifest.sources and tokens == len(AXIS_NAMES)

    def _features(self, trace: Trace, shares: Shares, reference: Reference, notes: list[str]) -> FeatureShares | None:
        """Share the axes out among their features, where there are axes and they are linear in those."""
        spec, terms = self._bundle.manifest.vibration, trace.terms.get("vibration")
        if spec is None or terms is None or reference.features is None or not self._by_axis(len(terms)):
            return None
        block = next(block for block in self._bundle.blocks if block.modality == "vibration")
        weigh = shares.slope[block.start : block.stop] * (block.weight**0.5 / np.linalg.norm(terms.sum(axis=0)))
        features = trace.seen[FEATURES]
        hear = partial(self._tracer.hear, trace)
        made = feature_shares(features, reference.features, hear, weigh, shares.tokens["vibration"], spec)
        if made is None:
            notes.append("vibration: not linear in its features, so those have no exact shares")
        return made


def nearest(
    head: Head, blocks: Sequence[Block], z: Floats, names: Sequence[str], rows: NDArray[np.int16]
) -> tuple[Neighbour, ...]:
    """Find the examples that look most alike to what a head sees.

    Args:
        head: gives the distance.
        blocks: who owns which dimensions.
        z: of the part, (d,).
        names: of the examples.
        rows: their embeddings, int16, (examples, d); those that lack a modality of the head are left out.

    Returns:
        At most three, nearest first.
    """
    has_all = np.ones(len(rows), dtype=bool)
    for block in blocks:
        if block.modality in head.modalities:
            has_all &= rows[:, block.start : block.stop].any(axis=1)
    there = np.flatnonzero(has_all)
    distances = np.square((dequantise(rows[there]) - z)[:, head.dims] @ head.whitening.T).sum(axis=1)
    order = np.argsort(distances, kind="stable")[:NEIGHBOURS]
    return tuple(Neighbour(names[there[i]], float(distances[i])) for i in order)
