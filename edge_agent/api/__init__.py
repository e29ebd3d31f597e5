"""The local API: what the command line and the page ask a running station through its Unix socket."""

from edge_agent.api.carrier import READ_TIMEOUT_S
from edge_agent.api.client import NoStation, call, is_listening
from edge_agent.api.peer import Access
from edge_agent.api.request import Caller, Request
from edge_agent.api.server import ApiServer, Handler

__all__ = ["READ_TIMEOUT_S", "Access", "ApiServer", "Caller", "Handler", "NoStation", "Request", "call", "is_listening"]
