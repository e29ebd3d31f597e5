"""Writes down what is said about orders: responses, what the ledger keeps of them, rows of the audit."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge_agent.errors import EdgeAgentError
from edge_agent.journal.order import Order, Way
from edge_agent.journal.response import NO_RESULT, Code, Response, code_of, raw
from edge_agent.ledger import Accepted, Answered, Audited, StoredCommand
from edge_agent.ledger.spoken import Effects
from edge_agent.runtime.clock import Clock


class Clerk:
    """Writes for one station.

    Args:
        station: its name.
        clock: tells the time.
    """

    def __init__(self, station: str, clock: Clock) -> None:
        self._station = station
        self._clock = clock

    def response(
        self,
        order: Order,
        error: EdgeAgentError | None = None,
        code: Code | None = None,
        result: object = None,
        phase: Literal["accepted", "progress", "done"] = "done",
    ) -> Response:
        """Say what became of an order.

        Args:
            order: what was asked.
            error: why it was not done; None where it was.
            code: instead of the one that belongs to the error.
            result: what it answers; None for nothing.
            phase: how far it is.

        Returns:
            What whoever asked is told.
        """
        return Response(
            id=order.id,
            phase=phase,
            status="ok" if error is None else "error",
            code=code or (Code.OK if error is None else code_of(error)),
            message="" if error is None else error.message,
            hint="" if error is None else error.hint,
            result=NO_RESULT if result is None else raw(result),
            station=self._station,
            at=self._clock.utc(),
            took_ms=round(1e3 * max(0.0, min(self._clock.now() - order.arrived_s, 1e6)), 3),
        )

    def refusal(self, order_id: str, arrived_s: float, error: EdgeAgentError, code: Code) -> Response:
        """Say why something is no order.

        Args:
            order_id: the id that it would have, "" where that cannot be read.
            arrived_s: when it came [s, host monotonic].
            error: why.
            code: what that is.

        Returns:
            What whoever asked is told.
        """
        took_ms = round(1e3 * max(0.0, self._clock.now() - arrived_s), 3)
        said = error.message, error.hint
        return Response(order_id, "done", "error", code, *said, NO_RESULT, self._station, self._clock.utc(), took_ms)

    def accepted(self, order: Order, before: str, refusal: Response | None) -> Accepted:
        """Give what the ledger keeps of an order.

        Args:
            order: what is asked.
            before: fingerprint of what it may change.
            refusal: what is answered where nothing will be done; None where something will.

        Returns:
            The row, with that answer and its audit.
        """
        return Accepted(
            id=order.id,
            name=order.command.name,
            digest=order.digest,
            request=msgspec.json.encode(order.kept).decode(),
            before=before,
            utc=self._clock.utc(),
            ttl_s=order.ttl_s,
            key=order.key,
            issued_utc=order.issued_utc if refusal is None or refusal.code is not Code.E_EXPIRED else 0.0,
            answer="" if refusal is None else msgspec.json.encode(refusal).decode(),
            told=order.way is Way.LOCAL,
            audit=None if refusal is None else self.row(order, refusal),
        )

    def answered(self, order: Order, response: Response, effects: Effects = ()) -> Answered:
        """Give what the ledger keeps of an answer.

        Args:
            order: what was asked.
            response: what is answered.
            effects: what is recorded with it.

        Returns:
            The answer, with its audit.
        """
        return Answered(
            id=order.id,
            answer=msgspec.json.encode(response).decode(),
            utc=response.at,
            audit=self.row(order, response),
            told=order.way is Way.LOCAL,
            effects=effects,
        )

    def given_up(self, stored: StoredCommand, why: str) -> Answered:
        """Give the answer to a stored command that this release does not understand."""
        utc, said = self._clock.utc(), f"this release cannot go on with it: {why}"
        made = Response(stored.id, "done", "error", Code.E_INTERNAL, said, "", NO_RESULT, self._station, utc, 0.0)
        body = {"id": stored.id, "cmd": stored.name, "code": str(made.code), "message": said}
        row = Audited(utc, "command", msgspec.json.encode(body).decode())
        return Answered(stored.id, msgspec.json.encode(made).decode(), utc, row, told=True)

    def row(self, order: Order, response: Response) -> Audited:
        """Give the row of the audit about an order and its answer."""
        kept = order.kept
        body = {
            "id": order.id,
            "cmd": order.command.name,
            "args": kept.args,
            "body": kept.body,
            "who": kept.who,
            "way": str(kept.way),
            "caller": kept.caller,
            "issued_at": order.issued_utc,
            "code": str(response.code),
            "message": response.message,
        }
        return Audited(response.at, "command", msgspec.json.encode(body).decode())
