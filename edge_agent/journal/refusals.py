"""Rows of the audit about who was refused: bounded, so that nobody can fill the disk by being refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from edge_agent.ledger import Audited
from edge_agent.runtime.allowance import Allowance
from edge_agent.runtime.clock import Clock

ROWS: Final = 20
PERIOD_S: Final = 600.0
"""So many rows within so long [s]; the next one says how many were left out."""


class Refusals:
    """Records who was refused.

    Args:
        record: has the ledger write a row; False when it cannot.
        clock: tells the time.
    """

    def __init__(self, record: Callable[[Audited], bool], clock: Clock) -> None:
        self._record = record
        self._clock = clock
        self._allowance = Allowance(ROWS, PERIOD_S)

    def record(self, command: str, asked_id: str, key: str, why: str) -> None:
        """Record a refusal, or count it where there were too many.

        Args:
            command: what was asked for.
            asked_id: id of the request, "" where it could not be read.
            key: id of the key that it names, "" without one.
            why: one sentence.
        """
        now, allowance = self._clock.now(), self._allowance
        if not allowance.has_room(now):
            return
        body = {
            "cmd": command[:40],
            "id": asked_id,
            "key": key[:40],
            "message": why,
            "left_out_before": allowance.left_out,
        }
        if self._record(Audited(self._clock.utc(), "refused", msgspec.json.encode(body).decode())):
            allowance.use(now)
        else:
            allowance.left_out += 1
