"""A bad network, to try: a TCP proxy that delays, throttles, drips, stalls, swallows and resets as a script says.

For each connection the script begins anew. A step holds for both directions or for one, until its time is over or so
many bytes have passed; the last one holds for ever.
"""

from edge_agent.testing.chaos.proxy import ChaosProxy
from edge_agent.testing.chaos.script import CLEAR, Step

__all__ = ["CLEAR", "ChaosProxy", "Step"]
