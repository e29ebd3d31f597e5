"""sqlite-utils, loaded only to make or change tables, and without pandas.

It takes a tenth of a second to load, for which a station whose tables are there does not wait. Pandas it would load
where that is installed: 78 MB and a second that no ledger needs. Whoever wants pandas in the same program may import
it before or after.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    import sqlite_utils

    Schema = sqlite_utils.Database

UNWANTED: Final = "pandas"


def schema_of(conn: Any) -> Schema:
    """Give the tables of an open connection, for whoever makes or changes them."""
    return cast("Schema", _loaded().Database(conn, execute_plugins=False))


def _loaded() -> ModuleType:
    if UNWANTED in sys.modules:
        return importlib.import_module("sqlite_utils")
    sys.modules[UNWANTED] = cast(Any, None)  # importing it now raises ImportError, which sqlite-utils expects
    try:
        return importlib.import_module("sqlite_utils")
    finally:
        del sys.modules[UNWANTED]
