"""Running models: one small protocol, with onnxruntime and OpenVINO behind it."""

from edge_agent.engines.base import Array, Engine
from edge_agent.engines.pool import load_engines

__all__ = ["Array", "Engine", "load_engines"]
