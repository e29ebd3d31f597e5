"""The local API: what the command line and the page ask a running station through its Unix socket."""

from edge_agent.api.client import call, is_listening
from edge_agent.api.server import READ_TIMEOUT_S, ApiServer, Handler, Request

__all__ = ["READ_TIMEOUT_S", "ApiServer", "Handler", "Request", "call", "is_listening"]
