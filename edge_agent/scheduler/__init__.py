"""What runs where and in which order: placement by measured latency, deadlines, breakers."""

from edge_agent.scheduler.allocator import ResourceAllocator
from edge_agent.scheduler.placement import Placement

__all__ = ["Placement", "ResourceAllocator"]
