"""What turns come to: medians, ratios, agreement. Pure: numbers in, rows out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.workshop.bench.child import PeerFailed
from models.workshop.bench.peers import EAGER, PRODUCT, Peer

AGREES_COSINE: Final = 0.8
"""Below this, on the worst sample, a peer computes something else: its speed is compared with nobody's. INT8 of the
picture encoder gives 0.95, the answer to another sample less than 0."""


class Turn(msgspec.Struct):
    """Some inferences in a row.

    Attributes:
        ns: how long each took [ns].
        cpu_ns: processor time of the peer's whole process meanwhile [ns].
        wall_ns: how long all took together [ns].
    """

    ns: list[int]
    cpu_ns: int
    wall_ns: int


@dataclass(frozen=True)
class Agreement:
    """How far a peer's answers are from torch's, at worst.

    Attributes:
        max_difference: of any number of any output.
        cosine: of any output of any sample, after subtracting torch's mean over the samples. The plain cosine of two
            castings is 0.99, so that it would let a peer pass that answers the same to everything.
    """

    max_difference: float
    cosine: float

    @property
    def is_close(self) -> bool:
        """Say whether it is the same model; NaN is not."""
        return self.cosine >= AGREES_COSINE


@dataclass(frozen=True)
class Measured:
    """What is known of a peer before its first turn.

    Attributes:
        agreement: with torch.
        versions: of what runs it.
        note: what a reader must know; may be empty.
    """

    agreement: Agreement
    versions: dict[str, str]
    note: str


@dataclass(frozen=True)
class Figures:
    """What was measured of a peer.

    Attributes:
        median_ms: of one inference.
        p99_ms: of one inference.
        runs: so many inferences.
        cores: processors that it kept busy on average.
        times_product: median time as a multiple of the product's, median over rounds; None where one of them has none.
        times_faster_than_eager: the eager median as a multiple of its own, median over rounds; likewise.
        agreement: with torch.
        round_medians_ms: of each round.
    """

    median_ms: float
    p99_ms: float
    runs: int
    cores: float
    times_product: float | None
    times_faster_than_eager: float | None
    agreement: Agreement
    round_medians_ms: list[float]


@dataclass(frozen=True)
class Row:
    """One peer with one number of threads.

    Attributes:
        peer: its name in the table of peers.
        title: for people.
        precision: of its arithmetic.
        threads: that were allowed to compute.
        artefact_bytes: of the files that it loads; None where there are none.
        versions: of what runs it.
        note: what a reader must know; may be empty.
        error: why there are no figures; empty where there are.
        figures: None where there is an error.
    """

    peer: str
    title: str
    precision: str
    threads: int
    artefact_bytes: int | None
    versions: dict[str, str]
    note: str
    error: str
    figures: Figures | None


def compared(answers: Mapping[str, NDArray[Any]], reference: Mapping[str, NDArray[Any]]) -> Agreement:
    """Compare a peer's answers with torch's.

    Args:
        answers: (samples, …) by name.
        reference: likewise, from torch.

    Returns:
        How far they are apart at worst.

    Raises:
        PeerFailed: they have other shapes.
    """
    shapes = [{name: array.shape for name, array in arrays.items()} for arrays in (answers, reference)]
    if shapes[0] != shapes[1]:
        raise PeerFailed(f"its answers have shapes {shapes[0]}, torch's have {shapes[1]}")
    differences, cosines = [], []
    for name, theirs in reference.items():
        ours, right = (array.reshape(len(array), -1).astype(np.float64) for array in (answers[name], theirs))
        differences.append(np.abs(ours - right).max())
        mean = right.mean(axis=0)
        centre = mean if np.abs(right - mean).max() > 1e-6 * np.abs(right).max() else np.zeros_like(mean)
        cosines.append(_cosines(ours - centre, right - centre).min())
    return Agreement(float(np.max(differences)), float(np.min(cosines)))


def _cosines(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the cosine of each pair of rows: 1 where they are equal, even if both are zero; 0 where one is zero."""
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    equal = (left == right).all(axis=1)
    cosines: NDArray[np.float64] = np.where(equal, 1.0, (left * right).sum(axis=1) / np.where(lengths == 0, 1, lengths))
    return cosines


def rows_of(
    peers: Sequence[Peer],
    threads: int,
    measured: Mapping[str, Measured],
    turns: Mapping[str, Sequence[Turn]],
    failures: Mapping[str, str],
    sizes: Mapping[str, int | None],
) -> list[Row]:
    """Give one row for every peer, whatever became of it.

    Args:
        peers: in the order of the rows.
        threads: that were allowed to compute.
        measured: by peer, for those that loaded.
        turns: by peer, for those that came to the end; the same number for each.
        failures: by peer, for all others.
        sizes: of their files, by peer.

    Returns:
        The rows.
    """
    medians = {
        name: np.array([np.median(turn.ns) / 1e6 for turn in done])
        for name, done in turns.items()
        if measured[name].agreement.is_close
    }
    rows = []
    for peer in peers:
        about = measured.get(peer.name)
        figures = None
        if about is not None and peer.name in turns:
            figures = _figures(turns[peer.name], about.agreement, medians, peer.name)
        rows.append(
            Row(
                peer.name,
                peer.title,
                peer.precision,
                threads,
                sizes[peer.name],
                about.versions if about is not None else {},
                about.note if about is not None else "",
                "" if figures is not None else failures[peer.name],
                figures,
            )
        )
    return rows


def _figures(
    turns: Sequence[Turn], agreement: Agreement, medians: Mapping[str, NDArray[np.float64]], name: str
) -> Figures:
    spans_ms = np.concatenate([np.array(turn.ns) for turn in turns]) / 1e6
    return Figures(
        median_ms=float(np.median(spans_ms)),
        p99_ms=float(np.quantile(spans_ms, 0.99)),
        runs=len(spans_ms),
        cores=sum(turn.cpu_ns for turn in turns) / sum(turn.wall_ns for turn in turns),
        times_product=_ratio(medians, name, PRODUCT),
        times_faster_than_eager=_ratio(medians, EAGER, name),
        agreement=agreement,
        round_medians_ms=[float(np.median(turn.ns) / 1e6) for turn in turns],
    )


def _ratio(medians: Mapping[str, NDArray[np.float64]], above: str, below: str) -> float | None:
    """Give the median over rounds of the ratio within a round: what slows a whole round down cancels."""
    if above not in medians or below not in medians:
        return None
    return float(np.median(medians[above] / medians[below]))
