"""A simulated line, judged live on a fresh machine: it begins knowing only good parts and is taught while it runs."""

from edge_agent.demo.show import DemoOptions, run_demo

__all__ = ["DemoOptions", "run_demo"]
