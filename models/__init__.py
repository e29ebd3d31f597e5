"""What runs on the station: bundles, pre-processing and additive knowledge. numpy, no torch, no station."""

from models.bundle import Bundle
from models.knowledge import Knowledge

__all__ = ["Bundle", "Knowledge"]
