"""The ledger loads no pandas, and takes it from nobody."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.ledger.database import open_writer
from edge_agent.ledger.tables import FILE_NAME, MIGRATIONS

needs_pandas = pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed here")


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@needs_pandas
def test_sqlite_utils_by_itself_would_load_it() -> None:
    assert run("import sqlite_utils, sys; print('pandas' in sys.modules)") == "True"


MADE = "import sqlite3; from edge_agent.ledger.driver import schema_of; schema_of(sqlite3.connect(':memory:'))"


def test_the_ledger_does_not() -> None:
    assert run(f"{MADE}; import sys; print('pandas' in sys.modules, 'sqlite_utils' in sys.modules)") == "False True"


def test_a_ledger_whose_tables_are_there_loads_neither(tmp_path: Path) -> None:
    open_writer(tmp_path / FILE_NAME, MIGRATIONS).close()
    used = (
        "import sys; from pathlib import Path; from edge_agent.ledger.database import open_writer; "
        "from edge_agent.ledger.tables import FILE_NAME, MIGRATIONS; "
        f"database = open_writer(Path({str(tmp_path)!r}) / FILE_NAME, MIGRATIONS); "
        "print(*database.query('SELECT count(*) AS n FROM parts'), 'sqlite_utils' in sys.modules)"
    )

    assert run(used) == "{'n': 0} False"


@needs_pandas
@pytest.mark.parametrize("order", ["import pandas; {made}", "{made}; import pandas"])
def test_a_program_may_have_both(order: str) -> None:
    assert run(f"{order.format(made=MADE)}; print(pandas.DataFrame({{'a': [1, 2]}}).a.sum())") == "3"
