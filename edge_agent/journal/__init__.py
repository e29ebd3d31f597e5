"""Commands, obeyed exactly once: each is stored before anything is done, and its answer with what it did.

`desk` takes what comes over the network, `counter` what comes through the socket; `journal` is the one way for both.
"""

from edge_agent.journal.counter import Counter
from edge_agent.journal.desk import Desk
from edge_agent.journal.journal import Journal
from edge_agent.journal.order import Order, Way
from edge_agent.journal.response import Code, Response

__all__ = ["Code", "Counter", "Desk", "Journal", "Order", "Response", "Way"]
