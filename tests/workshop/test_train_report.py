"""A person sees how far a run is, on a terminal and elsewhere, and how it went; figures follow from the history."""

from __future__ import annotations

import io
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from models.workshop.curves import curves
from models.workshop.errors import WorkshopError
from models.workshop.history import Epoch, History
from models.workshop.options import Options
from models.workshop.progress import Pace, Report, reporting

pytestmark = pytest.mark.workshop


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def report(period_s: float, clock: Clock, *, terminal: bool, silent: bool = False) -> tuple[Report, io.StringIO]:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, quiet=silent)
    with reporting(2, 100, silent=silent, console=console) as made:
        made._pace = Pace(period_s, clock)
        for epoch in (1, 2):
            for number in range(1, 101):
                clock.now_s += 1.0
                made.batch(epoch, number, 0.5)
            made.evaluating(epoch)
            made.say(f"epoch {epoch}/2: loss 0.5, accuracy [1]")
    return made, stream


def test_without_a_terminal_it_is_never_silent_for_longer_than_its_period_and_a_batch() -> None:
    _, stream = report(10.0, Clock(), terminal=False)
    lines = stream.getvalue().splitlines()

    assert len(lines) == 22
    assert lines[0] == "epoch 1/2: batch 10/100, loss 0.5"
    assert "epoch 2/2: loss 0.5, accuracy [1]" in lines
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_there_is_a_bar_and_a_line_for_each_epoch() -> None:
    _, stream = report(10.0, Clock(), terminal=True)
    shown = stream.getvalue()

    assert "200/200" in shown
    assert "accuracy [1]" in shown
    assert "batch 10/100" not in shown


def test_the_other_ranks_say_nothing() -> None:
    assert report(10.0, Clock(), terminal=True, silent=True)[1].getvalue() == ""


def history(*figures: float, higher_is_better: bool = True) -> History:
    epochs = [Epoch(n, 1.0 / n, 1e-3, 0.0, {"auroc": f, "recall": 0.5}) for n, f in enumerate(figures, 1)]
    return History("auroc", higher_is_better, tuple(epochs))


@pytest.fixture(scope="module")
def drawn() -> bytes:
    pytest.importorskip("matplotlib", reason="needs the extra [workshop]: matplotlib")
    return curves(history(0.5, 0.7, 0.6))


def test_the_curves_are_a_picture_with_a_panel_for_each_figure(drawn: bytes) -> None:
    width, height = struct.unpack(">II", drawn[16:24])

    assert drawn.startswith(b"\x89PNG")
    assert (width, height) == (1200, 300)  # three panels in a row
    assert drawn != curves(history(0.5, 0.7, 0.8))


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=12), st.booleans(), st.integers(1, 4))
def test_the_best_epoch_is_the_earliest_of_equals_and_patience_counts_from_it(
    figures: list[float], higher_is_better: bool, patience: int
) -> None:
    seen = history(*figures, higher_is_better=higher_is_better)
    best = max(figures) if higher_is_better else min(figures)
    since = len(figures) - 1 - figures.index(best)

    assert seen.best.number == figures.index(best) + 1
    assert seen.is_over(100, patience) == (since >= patience)
    assert seen.is_over(len(figures), None) and not seen.is_over(len(figures) + 1, None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_history_comes_back_with_the_same_bits(value: float) -> None:
    seen = history(value)

    assert History.decode(seen.encode()) == seen


@pytest.mark.parametrize(("warm_up_share", "final_rate_share"), [(0.0, 0.0), (0.1, 0.0), (0.25, 0.2), (0.05, 1.0)])
def test_the_rate_rises_to_its_peak_and_falls_along_a_cosine(warm_up_share: float, final_rate_share: float) -> None:
    options = Options(10, "auroc", learning_rate=2.0, warm_up_share=warm_up_share, final_rate_share=final_rate_share)
    rates = [options.rate(step, 400) for step in range(400)]
    peak = round(400 * warm_up_share)

    assert rates[peak] == max(rates) == 2.0
    assert rates[:peak] == sorted(rates[:peak]) and min(rates) > 0.0
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(2.0 * final_rate_share, abs=1e-3)
    middle = peak + (400 - peak) // 2
    assert rates[middle] == pytest.approx(1.0 + final_rate_share, abs=1e-2)


def test_everything_that_is_wrong_with_the_options_is_said_at_once() -> None:
    with pytest.raises(WorkshopError) as caught:
        Options(0, "auroc", learning_rate=math.nan, gradient_limit=0.0, patience=0, compression="zip")

    for name in ("epochs", "learning_rate", "gradient_limit", "patience", "compression must be one of none, bf16"):
        assert name in caught.value.message
    assert "seed" not in caught.value.message
