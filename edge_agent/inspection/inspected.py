"""What the inspector needs to know of a product, and how a part of it is perceived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.config import RecipeConfig
from edge_agent.inspection.early import Early
from edge_agent.inspection.encoders import Encoders
from edge_agent.inspection.judge import Judge
from edge_agent.inspection.piece import Piece
from edge_agent.records import Embedding, Modality, Pair
from models import Bundle


@dataclass(frozen=True, eq=False)
class Inspected:
    """What the inspector knows of a product.

    Attributes:
        config: the recipe: its name, deadlines and actions.
        bundle: makes its embeddings.
        judge: gives the verdicts.
    """

    config: RecipeConfig
    bundle: Bundle
    judge: Judge


@dataclass(frozen=True, eq=False)
class Perceiving:
    """What a lane does with a part; on the device's thread.

    Attributes:
        judge: looks at the details.
        bundle: encodes it.
        pair: what there is of it.
        only: the one modality that is encoded; None for all that are there.
        early: its picture, which was encoded before; None where it was not.
    """

    judge: Judge
    bundle: Bundle
    pair: Pair
    only: Modality | None = None
    early: Early | None = None

    def __call__(self, encoders: Encoders) -> Embedding:
        """Encode what is fit to be encoded, and look at it."""
        begun, sight = (None, None) if self.early is None else (self.early.begun, self.early.sight)
        piece, encoder = _piece_of(self.pair, self.only), encoders.of(self.bundle)
        if begun is None or begun.encoder is not encoder:
            return self.judge.look(encoder.encode(*piece))
        return self.judge.look(encoder.encode(*piece, begun=begun), sight)


def perceive_together(encoders: Encoders, runs: Sequence[Callable[[Encoders], Embedding]]) -> list[Embedding]:
    """Do what each of several parts of one bundle is to have done, at a time.

    Args:
        encoders: of the lane.
        runs: each a `Perceiving` of the same bundle.

    Returns:
        What each would give.
    """
    parts = [run for run in runs if isinstance(run, Perceiving)]
    encoder = encoders.of(parts[0].bundle)
    made = encoder.encode_together([_piece_of(part.pair, part.only) for part in parts])
    return [part.judge.look(each) for part, each in zip(parts, made, strict=True)]


def _piece_of(pair: Pair, only: Modality | None) -> Piece:
    frame, window = pair.frame, pair.window
    image = None if frame is None or frame.faults else frame.image
    samples, rate_hz = (None, 0.0) if window is None or window.faults else (window.samples, window.rate_hz)
    if only is Modality.IMAGE and samples is not None:
        return Piece(image, None, 0.0, (*pair.degraded, "hurried"))
    if only is Modality.VIBRATION and image is not None:
        return Piece(None, samples, rate_hz, (*pair.degraded, "hurried"))
    return Piece(image, samples, rate_hz, pair.degraded)
