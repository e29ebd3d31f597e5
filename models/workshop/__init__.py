"""Makes bundles: needs PyTorch and runs on a desk, never on a station. Nothing imports it.

What needs torch is imported when it is asked for, so that `data` can be used without. onnxruntime, OpenVINO and nncf
would report their use to their makers; that is switched off here, before they are loaded.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from models.workshop.fusion import FusionModel

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.modules["openvino_telemetry"] = cast(Any, None)  # importing it now raises ImportError, which the two others expect

__all__ = ["FusionModel"]


def __getattr__(name: str) -> Any:
    if name == "FusionModel":
        return import_module("models.workshop.fusion").FusionModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
