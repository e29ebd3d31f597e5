"""What a command is: what goes in, who may ask for it, what it may change, and what comes out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.commands.arguments import Arguments


class Privilege(StrEnum):
    """What somebody may ask for; each includes those before it."""

    READ = "read"  #: changes nothing
    OPERATE = "operate"  #: what the people at the line do
    ADMINISTER = "administer"  #: whom the station obeys, and whether it runs

    def covers(self, needed: Privilege) -> bool:
        """Say whether who has this may ask for what needs `needed`."""
        order = list(Privilege)
        return order.index(self) >= order.index(needed)


class Resource(StrEnum):
    """What a command may change; one command at a time changes it."""

    NONE = "none"
    KNOWLEDGE = "knowledge"
    RECIPE = "recipe"
    GATE = "gate"
    LEDGER = "ledger"
    CONFIGURATION = "configuration"
    TRUST = "trust"
    STATION = "station"


@dataclass(frozen=True)
class Command:
    """One row of the table.

    Attributes:
        name: the word in the URL, in the topic and on the command line.
        arguments: the type of what goes in.
        help: one sentence.
        max_body_bytes: the largest body accepted; 0 for commands without one.
        timeout_s: how long a caller waits for the answer [s].
        privilege: who may ask.
        resource: what it may change.
        answers: the type of what comes out.
        doing: what others hear while it is being done.
        waits: it is done between two parts only.
        interrupts: names of commands whose work it may end while they are under way.
    """

    name: str
    arguments: type[Arguments]
    help: str
    max_body_bytes: int = 0
    timeout_s: float = 5.0
    privilege: Privilege = Privilege.OPERATE
    resource: Resource = Resource.NONE
    answers: str = "object"
    doing: str = ""
    waits: bool = False
    interrupts: tuple[str, ...] = ()

    @property
    def signed(self) -> bool:
        """Over the network it needs a signature: it may change something."""
        return self.privilege is not Privilege.READ
