"""Makes bundles: needs PyTorch and runs on a desk, never on a station. Nothing imports it.

What needs torch is imported when it is asked for, so that `data` can be used without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.workshop.fusion import FusionModel

__all__ = ["FusionModel"]


def __getattr__(name: str) -> Any:
    if name == "FusionModel":
        return import_module("models.workshop.fusion").FusionModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
