"""What was typed, checked as the station checks it before it does anything."""

from __future__ import annotations

from edge_agent.commands import fit
from edge_agent.commands.arguments import Arguments
from edge_agent.errors import BadData
from edge_agent.terminal.exits import WrongUsage


def checked(name: str, /, **arguments: object) -> Arguments:
    """Check what was typed; see `commands.fit.checked`.

    Args:
        name: a command of the table.
        **arguments: its arguments, also as text; None values are left out.

    Returns:
        The arguments in typed form.

    Raises:
        WrongUsage: one is missing or wrong; the message names it.
    """
    try:
        return fit.checked(name, **arguments)
    except BadData as error:
        raise WrongUsage(error.message, hint=error.hint) from error
