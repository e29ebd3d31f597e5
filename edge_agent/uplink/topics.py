"""The topics of one station: what it says where, and where it listens. Pure; docs/uplink.md lists them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_REQUESTER: Final = "console"
"""Who is answered when a request does not say where (MQTT 3.1.1 cannot)."""


@dataclass(frozen=True)
class Topics:
    """The topics of one station.

    Attributes:
        root: what all stations share, as `insp/v1`.
        station: its name.
    """

    root: str
    station: str

    @property
    def base(self) -> str:
        """What all topics of the station begin with."""
        return f"{self.root}/{self.station}"

    def state(self, name: str) -> str:
        """Where a state is kept: `online`, `info`, `health`, `config`, `model`."""
        return f"{self.base}/state/{name}"

    def event(self, kind: str) -> str:
        """Where recorded facts are told: `part`, `alarm`, `audit`, `gap`."""
        return f"{self.base}/evt/{kind}"

    @property
    def ack(self) -> str:
        """Where the console says what it has stored."""
        return f"{self.base}/ack"

    @property
    def requests(self) -> str:
        """What all requests match."""
        return f"{self.base}/cmd/+/req"

    def request(self, command: str) -> str:
        """Where a command is asked for."""
        return f"{self.base}/cmd/{command}/req"

    def command_of(self, topic: str) -> str | None:
        """Name the command that a topic asks for; None where it asks for none."""
        before, after = f"{self.base}/cmd/", "/req"
        name = topic[len(before) : -len(after)]
        return name if topic == f"{before}{name}{after}" and name and "/" not in name else None

    @property
    def responses(self) -> str:
        """What all topics for responses begin with."""
        return f"{self.base}/rsp/"

    def response(self, requester: str = DEFAULT_REQUESTER) -> str:
        """Where a requester hears the response."""
        return f"{self.responses}{requester}"

    def desired(self, what: str) -> str:
        """Where the console says what it wants: `config`."""
        return f"{self.base}/desired/{what}"
