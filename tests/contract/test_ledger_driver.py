"""The ledger loads no pandas, and takes it from nobody."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

needs_pandas = pytest.mark.skipif(importlib.util.find_spec("pandas") is None, reason="pandas is not installed here")


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


@needs_pandas
def test_sqlite_utils_by_itself_would_load_it() -> None:
    assert run("import sqlite_utils, sys; print('pandas' in sys.modules)") == "True"


def test_the_ledger_does_not() -> None:
    assert run("import edge_agent.ledger, sys; print('pandas' in sys.modules)") == "False"


@needs_pandas
@pytest.mark.parametrize("order", ["pandas, edge_agent.ledger", "edge_agent.ledger, pandas"])
def test_a_program_may_have_both(order: str) -> None:
    assert run(f"import {order}; print(pandas.DataFrame({{'a': [1, 2]}}).a.sum())") == "3"
