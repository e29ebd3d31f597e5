"""Measures what the agent adds to the bare runtime, and its memory, on this machine."""

from edge_agent.bench.measure import run_bench
from edge_agent.bench.report import Measurement

__all__ = ["Measurement", "run_bench"]
