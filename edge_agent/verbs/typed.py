"""What was typed, checked as the station checks it before it does anything."""

from __future__ import annotations

from edge_agent.commands import fit
from edge_agent.commands.arguments import Arguments
from edge_agent.errors import BadData
from edge_agent.terminal.exits import WrongUsage


def checked(name: str, /, **arguments: object) -> Arguments:
    """Do what `commands.fit.checked` does; what it refuses is `WrongUsage`."""
    try:
        return fit.checked(name, **arguments)
    except BadData as error:
        raise WrongUsage(error.message, hint=error.hint) from error
