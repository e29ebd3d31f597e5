"""Running models: one small protocol, with onnxruntime and OpenVINO behind it.

Both runtimes would report their use to their makers when they are loaded. A station speaks to nobody it was not told
to, so that is switched off here, before either can be.
"""

import os
import sys
from typing import Any, cast

from edge_agent.engines.base import Array, Engine
from edge_agent.engines.pool import LoadEngines, find_devices, load_engines
from edge_agent.engines.spot import DeviceName, Spot

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.modules["openvino_telemetry"] = cast(Any, None)  # importing it now raises ImportError, which OpenVINO expects

__all__ = ["Array", "DeviceName", "Engine", "LoadEngines", "Spot", "find_devices", "load_engines"]
