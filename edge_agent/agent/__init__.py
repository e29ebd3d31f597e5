"""A running station: what it is joined of, what it answers and says of itself, and how it looks after itself.

`edge_agent.app` builds it; the process, the demo and the bench run it.
"""

from edge_agent.agent.agent import Agent

__all__ = ["Agent"]
