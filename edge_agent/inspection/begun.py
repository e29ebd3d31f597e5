"""A picture that was encoded before the rest of its part was there: what an encoder goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.bundle import TOKENS
from models.flow import Tensors

if TYPE_CHECKING:
    from edge_agent.inspection.encode import Encoder


@dataclass(frozen=True, eq=False)
class Begun:
    """A picture that was encoded before the rest of its part was there.

    Attributes:
        encoder: that did it.
        image: the picture.
        tensors: what was prepared of it, by name.
        made: what parts of the bundle gave, by role.
    """

    encoder: Encoder
    image: NDArray[np.uint8]
    tensors: Tensors
    made: Mapping[str, Tensors]

    @property
    def tokens(self) -> NDArray[np.float32] | None:
        """Of the picture, (regions, width); None where the bundle gives none."""
        return next((each[TOKENS][0] for each in self.made.values() if TOKENS in each), None)
