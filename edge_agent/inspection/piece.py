"""What there is of one part to be encoded, and the tensors that a bundle takes of it; what is unusable is left out."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData
from models.features import prepare_picture, prepare_vibration
from models.flow import Tensors
from models.manifest import Manifest


class Piece(NamedTuple):
    """What there is of one part.

    Attributes:
        image: BGR, (height, width, 3), or None.
        samples: acceleration [m/s^2], (n, 3), or None.
        rate_hz: of the samples [Hz].
        degraded: what is already known to be wrong with the inputs.
    """

    image: NDArray[np.uint8] | None
    samples: NDArray[np.float32] | None
    rate_hz: float = 0.0
    degraded: tuple[str, ...] = ()


NONE: Final[Tensors] = MappingProxyType({})

Prepared = tuple[Tensors, tuple[str, ...]]
"""The source tensors of a piece by name, and the words for what is wrong with it."""


def prepared_of(piece: Piece, manifest: Manifest, seen: Tensors = NONE) -> Prepared:
    """Give the source tensors of a piece, and what is wrong with it.

    Args:
        piece: what there is.
        manifest: of the bundle that encodes it.
        seen: source tensors of its picture, where they were prepared before.

    Returns:
        The tensors by name, and the words for what is wrong.

    Raises:
        BadData: nothing usable is left.
    """
    wrong = piece.degraded
    tensors: dict[str, NDArray[Any]] = dict(seen)
    if not seen and piece.image is not None and manifest.picture is not None:
        try:
            tensors["picture"] = prepare_picture(piece.image, manifest.picture)
        except ValueError as error:
            raise BadData(f"picture: {error}", hint="give pictures as BGR, (height, width, 3), uint8") from error
    if piece.samples is not None and manifest.vibration is not None:
        try:
            tensors |= prepare_vibration(piece.samples, piece.rate_hz, manifest)
        except (ValueError, OverflowError) as error:
            if not tensors:
                raise BadData(f"vibration: {error}", hint="record at least the whole ring-down") from error
            wrong = (*wrong, "bad_vibration")
    if not tensors:
        raise BadData(
            "neither a picture nor a vibration window that this bundle can use",
            hint="see what the source delivers: edge-agent status",
        )
    return tensors, wrong
