"""sqlite-utils without pandas, which it would load where that is installed: 78 MB and a second that no ledger needs.

Whoever wants pandas in the same program may import it before or after.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

UNWANTED: Final = "pandas"


def _loaded() -> ModuleType:
    if UNWANTED in sys.modules:
        return importlib.import_module("sqlite_utils")
    sys.modules[UNWANTED] = cast(Any, None)  # importing it now raises ImportError, which sqlite-utils expects
    try:
        return importlib.import_module("sqlite_utils")
    finally:
        del sys.modules[UNWANTED]


if TYPE_CHECKING:
    from sqlite_utils import Database as Schema
else:
    Schema = _loaded().Database

__all__ = ["Schema"]
