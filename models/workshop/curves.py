"""Draws how a training run went: the loss and each metric by epoch, as PNG. It writes no file."""

from __future__ import annotations

import io
from typing import Final

from models.workshop.history import History

COLUMNS: Final = 3
PANEL_INCH: Final = (4.0, 3.0)


def curves(history: History) -> bytes:
    """Draw one panel for the training loss and one for each metric.

    Args:
        history: with at least one epoch.

    Returns:
        The PNG; the best epoch is a dotted line, the metric that decides says so.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (half a second that only drawing should cost)

    names = sorted(history.epochs[0].metrics, key=lambda name: (name != history.objective, name))
    series = {"training loss": [epoch.loss for epoch in history.epochs]}
    for name in names:
        series[name] = [epoch.metrics.get(name, float("nan")) for epoch in history.epochs]
    columns = min(COLUMNS, len(series))
    rows = -(-len(series) // columns)
    figure = Figure(figsize=(PANEL_INCH[0] * columns, PANEL_INCH[1] * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    numbers = [epoch.number for epoch in history.epochs]
    for panel, (name, values) in zip(panels, series.items(), strict=False):
        panel.plot(numbers, values, marker="." if len(numbers) < 30 else "")
        panel.axvline(history.best.number, linestyle=":", color="grey")
        panel.set_title(f"{name} (decides)" if name == history.objective else name)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
    for empty in list(figure.axes)[len(series) :]:
        empty.set_visible(False)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()
