"""What the inspector needs to know of a product, and how a part of it is perceived."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.config import RecipeConfig
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.judge import Judge
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


def perceive(encoder: Encoder, pair: Pair, only: Modality | None = None) -> Embedding:
    """Encode what is fit to be encoded, or one modality of it alone; on the device's thread."""
    frame, window = pair.frame, pair.window
    image = None if frame is None or frame.faults else frame.image
    samples, rate_hz = (None, 0.0) if window is None or window.faults else (window.samples, window.rate_hz)
    if only is Modality.IMAGE and samples is not None:
        return encoder.encode(image, None, 0.0, (*pair.degraded, "hurried"))
    if only is Modality.VIBRATION and image is not None:
        return encoder.encode(None, samples, rate_hz, (*pair.degraded, "hurried"))
    return encoder.encode(image, samples, rate_hz, pair.degraded)
