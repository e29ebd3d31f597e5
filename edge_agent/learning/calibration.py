"""Held-out good parts as slots of version 1 kept them: bare rows, without their examples; here they become exemplars.

Pure. Nothing writes this form any more.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import StateDamaged
from edge_agent.learning.exemplar import Chunk, Exemplar, Role
from models import Knowledge
from models.npy import decode_npy

SOURCE = "an older release"
"""Where they came from, for people."""


def chunk_from_rows(data: bytes, knowledge: Knowledge, normal: str) -> tuple[Chunk, ...]:
    """Give the held-out good parts in a `.npy` file.

    Args:
        data: the file.
        knowledge: what is about the same recipe and bundle.
        normal: slug of the class of good parts.

    Returns:
        One chunk, or none where none were held out.

    Raises:
        StateDamaged: it holds anything else.
    """
    rows = _rows_from(data, knowledge.d)
    exemplars = tuple(
        Exemplar(
            id=hashlib.sha256(b"%d " % i + row.tobytes()).hexdigest()[:16],
            label=normal,
            role=Role.RING,
            rows=row[np.newaxis],
            source=SOURCE,
            who="",
            utc=0.0,
        )
        for i, row in enumerate(rows)
    )
    return (Chunk(knowledge.recipe, knowledge.bundle_digest, exemplars),) if exemplars else ()


def _rows_from(data: bytes, d: int) -> NDArray[np.int16]:
    try:
        rows: NDArray[np.int16] = decode_npy(data)
    except ValueError as error:
        raise StateDamaged(f"calibration is damaged: {error}", hint="teach good parts again") from error
    if rows.ndim != 2 or rows.shape[1] != d or rows.dtype != np.int16:
        raise StateDamaged(
            f"calibration is damaged: {rows.shape} {rows.dtype}, not (n, {d}) int16", hint="teach good parts again"
        )
    return rows
