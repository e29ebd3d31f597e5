"""What the workshop's tests share."""

from __future__ import annotations

import io
from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session", autouse=True)
def _fonts() -> None:
    """Draw once before any test: matplotlib keeps its fonts open from the first drawing on, which is no test's leak."""
    if find_spec("matplotlib") is not None:
        from matplotlib.figure import Figure  # noqa: PLC0415 (where there is one)

        figure = Figure()
        figure.suptitle("fonts")
        figure.savefig(io.BytesIO(), format="png")
