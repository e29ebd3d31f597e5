"""Where the journal meets the socket: a local request that may change something becomes an order."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Final

from edge_agent.api import Handler, Request
from edge_agent.commands import COMMANDS
from edge_agent.errors import EdgeAgentError
from edge_agent.journal.askers import Asker
from edge_agent.journal.journal import Journal
from edge_agent.journal.order import Order, Way
from edge_agent.journal.response import Response, error_of
from edge_agent.runtime.clock import Clock

LOCAL: Final = "local:"
"""What the ids of local requests begin with in the ledger, so that nobody here can take the id of a signed one."""


class Counter:
    """Serves the socket.

    Args:
        journal: sees orders through.
        clock: tells the time.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def handlers(self, plain: Mapping[str, Handler]) -> dict[str, Handler]:
        """Give what the socket calls: `plain` for what only reads, the journal for what may change something."""
        return {name: self.take if COMMANDS[name].signed else handler for name, handler in plain.items()}

    def take(self, request: Request, now: float) -> None:
        """Have a request seen through by the journal, and answered."""
        order = Order(
            id=LOCAL + (request.id or uuid.uuid4().hex),
            command=request.command,
            arguments=request.arguments,
            who=str(getattr(request.arguments, "who", "")),
            way=Way.LOCAL,
            caller=f"uid {request.caller.uid} {request.caller.name}".strip(),
            arrived_s=now,
            issued_utc=self._clock.utc(),
            ttl_s=request.command.timeout_s,
            body=request.body,
        )

        def tell(response: Response, made: object) -> None:
            error = made if isinstance(made, EdgeAgentError) else error_of(response)
            if response.phase != "done":
                return
            if error is not None:
                request.failed(error)
            else:
                request.done(response.result if made is None else made)

        self._journal.take(order, Asker(object(), tell))
