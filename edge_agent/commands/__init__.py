"""The commands that a station obeys: `table` names them all, `arguments` are what goes in, `fit` makes them so."""

from edge_agent.commands.command import Command, Privilege, Resource
from edge_agent.commands.fit import checked, fitting
from edge_agent.commands.table import COMMANDS

__all__ = ["COMMANDS", "Command", "Privilege", "Resource", "checked", "fitting"]
