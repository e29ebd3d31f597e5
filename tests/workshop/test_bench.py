"""The bench is fair: what is compared, what a wrong answer is worth, and that every peer has a row. No torch needed."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench_fakes import SAMPLE_COUNT, turn
from rich.console import Console

from models.workshop.bench import report
from models.workshop.bench.child import PeerFailed
from models.workshop.bench.figures import Agreement, Measured, Row, Turn, compared, rows_of
from models.workshop.bench.measure import SERVICE, take_turns
from models.workshop.bench.peers import EAGER, PEERS, PRODUCT, chosen

ROOT = Path(__file__).parents[2]


def measured(cosine: float = 1.0) -> Measured:
    """Give what is known of a peer that loaded."""
    return Measured(Agreement(0.0, cosine), {"fake": "1.0"}, "")


def rows(turns: dict[str, list[Turn]], cosines: dict[str, float] | None = None) -> dict[str, Row]:
    """Give rows by peer; peers without turns have failed."""
    known = {name: measured((cosines or {}).get(name, 1.0)) for name in turns}
    failures = {p.name: "it is broken" for p in PEERS if p.name not in turns}
    sizes = {p.name: 7 for p in PEERS}
    return {row.peer: row for row in rows_of(PEERS, 1, known, turns, failures, sizes)}


# The table of peers


def test_what_is_pinned_is_what_the_workshop_itself_is_made_with() -> None:
    lines = (ROOT / "models" / "workshop" / "requirements.txt").read_text().splitlines()
    workshop = dict(line.split("==") for line in lines if "==" in line)
    pinned = dict(line.split("==") for p in PEERS for line in p.environment.requirements)

    assert {n: v for n, v in pinned.items() if n in workshop} == {n: workshop[n] for n in pinned if n in workshop}
    assert {"torch", "onnxruntime", "openvino", "numpy"} <= pinned.keys()


def test_every_peer_has_its_runner_and_its_name_alone() -> None:
    names = [p.name for p in PEERS]

    assert len(set(names)) == len(names)
    assert {EAGER, PRODUCT} <= set(names)
    assert all((SERVICE.parent / f"{p.runner}.py").exists() for p in PEERS)


def test_peers_come_in_the_tables_order_and_a_wrong_name_is_answered_with_the_right_ones() -> None:
    assert [p.name for p in chosen("openvino, pytorch,openvino")] == ["pytorch", "openvino"]
    with pytest.raises(ValueError, match="no such peer: openvine; there are executorch, .*openvino"):
        chosen("openvine")


# Agreement


def answers() -> dict[str, np.ndarray[Any, Any]]:
    """Give answers as an encoder gives them: samples differ little from their mean."""
    rng = np.random.default_rng(1)
    return {"z": 10.0 + rng.standard_normal((SAMPLE_COUNT, 1, 40)), "flag": np.ones((SAMPLE_COUNT, 1), bool)}


def test_the_same_answers_agree_and_slightly_rounded_ones_do() -> None:
    right = answers()
    rounded = {**right, "z": np.round(right["z"], 1)}

    assert compared(right, right) == Agreement(0.0, pytest.approx(1.0))
    assert compared(rounded, right).is_close
    assert 0.01 < compared(rounded, right).max_difference <= 0.05 + 1e-9


@pytest.mark.parametrize(
    "spoil",
    [
        lambda z: np.broadcast_to(z.mean(axis=0), z.shape),
        lambda z: np.roll(z, 1, axis=0),
        np.zeros_like,
        lambda z: np.where(np.arange(SAMPLE_COUNT)[:, None, None] == 3, np.nan, z),
    ],
    ids=["the same to everything", "the answer to another sample", "nothing", "one NaN"],
)
def test_a_wrong_answer_does_not_agree_however_much_it_looks_like_one(spoil: Callable[[Any], Any]) -> None:
    right = answers()
    wrong = {**right, "z": spoil(right["z"])}

    assert not compared(wrong, right).is_close


def test_the_plain_cosine_would_have_let_the_same_answer_to_everything_pass() -> None:
    z = answers()["z"][:, 0]
    mean = z.mean(axis=0)

    assert ((z @ mean) / np.linalg.norm(z, axis=1) / np.linalg.norm(mean)).min() > 0.98


def test_answers_of_another_shape_or_name_are_no_answers() -> None:
    right = answers()

    with pytest.raises(PeerFailed, match=re.escape("shapes {'z': (8, 1, 39), 'flag': (8, 1)}, torch's have")):
        compared({**right, "z": right["z"][..., :39]}, right)
    with pytest.raises(PeerFailed, match="shapes"):
        compared({"z": right["z"]}, right)


# Figures


def test_medians_and_ratios_are_those_of_the_rounds() -> None:
    got = rows({PRODUCT: [turn(4.0)] * 4, EAGER: [turn(20.0)] * 4, "litert": [turn(8.0)] * 4})
    figures = got["litert"].figures

    assert figures is not None
    assert (figures.median_ms, figures.p99_ms, figures.runs) == (8.0, 8.0, 20)
    assert (figures.times_product, figures.times_faster_than_eager) == (2.0, 2.5)
    assert figures.cores == 1.0


def test_a_machine_that_is_slow_in_every_other_round_changes_no_ratio() -> None:
    drift = [1.0, 3.0, 1.0, 3.0]
    product = [turn(4.0 * d) for d in drift]
    product[0].ns[0] *= 3  # now more than half of its inferences are slow ones
    got = rows({PRODUCT: product, EAGER: [turn(20.0 * d) for d in drift]})
    ours, theirs = got[PRODUCT].figures, got[EAGER].figures

    assert ours is not None and theirs is not None
    assert theirs.times_product == pytest.approx(5.0)
    assert theirs.median_ms / ours.median_ms == pytest.approx(40.0 / 12.0)  # what all rounds together would have said


def test_p99_sees_the_slow_ones_that_the_median_does_not() -> None:
    slow = Turn([1_000_000] * 95 + [50_000_000] * 5, 1, 1)
    figures = rows({PRODUCT: [slow]})[PRODUCT].figures

    assert figures is not None
    assert (figures.median_ms, figures.p99_ms) == (1.0, 50.0)


def test_a_peer_that_answers_wrongly_is_compared_with_nobody_and_nobody_with_it() -> None:
    turns = {PRODUCT: [turn(4.0)], EAGER: [turn(20.0)], "litert": [turn(0.1)]}
    wrong, right = rows(turns, {"litert": 0.1})["litert"].figures, rows(turns)["litert"].figures
    without_product = rows(turns, {PRODUCT: 0.1})["litert"].figures

    assert wrong is not None and right is not None and without_product is not None
    assert (wrong.times_product, wrong.times_faster_than_eager) == (None, None)
    assert right.times_faster_than_eager == pytest.approx(200.0)
    assert without_product.times_product is None


def test_every_peer_has_a_row_whatever_became_of_it() -> None:
    got = rows({PRODUCT: [turn(4.0)]})

    assert [*got] == [p.name for p in PEERS]
    assert {name: row.error for name, row in got.items() if name != PRODUCT} == {
        p.name: "it is broken" for p in PEERS if p.name != PRODUCT
    }


# Turns


class Recorded:
    """Stands for a child: notes when it is asked."""

    def __init__(self, name: str, log: list[str], fails_at: int = 1_000) -> None:
        self.name, self.log, self.fails_at = name, log, fails_at

    def ask(self, request: dict[str, Any], kind: type[Any], timeout_s: float) -> Turn:
        self.log.append(self.name)
        if self.log.count(self.name) == self.fails_at:
            raise PeerFailed("out of breath")
        return turn(1.0)


def test_each_round_every_peer_has_a_turn_and_another_one_begins() -> None:
    log: list[str] = []
    children: Any = {name: Recorded(name, log) for name in "abc"}
    turns = take_turns(children, {}, 3, lambda _number: None)

    assert ["".join(log[i : i + 3]) for i in (0, 3, 6)] == ["abc", "bca", "cab"]
    assert {name: len(done) for name, done in turns.items()} == {"a": 3, "b": 3, "c": 3}


def test_a_peer_that_fails_in_a_round_has_no_more_turns_and_the_others_all_of_theirs() -> None:
    log: list[str] = []
    failures: dict[str, str] = {}
    children: Any = {"a": Recorded("a", log), "b": Recorded("b", log, fails_at=2), "c": Recorded("c", log)}
    turns = take_turns(children, failures, 4, lambda _number: None)

    assert failures == {"b": "in round 2: out of breath"}
    assert {name: len(done) for name, done in turns.items()} == {"a": 4, "c": 4}
    assert log.count("b") == 2


# What is shown


def shown_report() -> report.Report:
    """Give a report with a good row, a wrong one and a failed one for each number of threads."""
    turns = {PRODUCT: [turn(4.0)] * 2, EAGER: [turn(20.0)] * 2, "litert": [turn(1.0)] * 2}
    got = [replace(row, threads=n) for n in (1, 2) for row in rows(turns, {"litert": 0.1}).values()]
    here = report.Machine("a processor", 2, ["avx2"], "a system", 0.1, 0.9)
    return report.Report("a model", here, 2, got, {"fake": ["numpy==2.0"]})


def printed(shown: report.Report, threads: int, width: int) -> str:
    """Give the table as it looks on a terminal of this width."""
    console = Console(width=width)
    with console.capture() as capture:
        console.print(report.table(shown, threads))
    return capture.get()


def test_the_table_fits_into_80_columns_and_says_why_a_row_has_no_figures() -> None:
    lines = printed(shown_report(), 2, 80).splitlines()

    assert [line for line in lines if "…" in line] == []
    assert any(re.match(r"OpenVINO int8 +4\.00 +4\.00 +1\.00 +5\.00 +1\.00 ", line) for line in lines)
    assert any(re.match(r"onnxruntime fp32 +failed", line) for line in lines)
    assert "onnxruntime fp32: it is broken" in [line.rstrip() for line in lines]
    assert any(line.startswith("LiteRT XNNPACK fp32: its answers are not torch's") for line in lines)


@pytest.mark.parametrize(("busy_share", "warned"), [(0.95, False), (0.7, True)])
def test_a_machine_that_was_not_quiet_is_called_so(busy_share: float, warned: bool) -> None:
    shared = Turn([4_000_000] * 5, round(busy_share * 20_000_000), 20_000_000)
    shown = replace(
        shown_report(), rows=list(rows({PRODUCT: [shared], EAGER: [Turn([4_000_000] * 5, 0, 20_000_000)]}).values())
    )

    assert ("No runtime had more than 0.70 processors for 1 thread" in printed(shown, 1, 200)) is warned


def test_the_document_is_whole_and_a_program_can_read_it() -> None:
    document = json.loads(json.dumps(shown_report().document()))

    assert [row["peer"] for row in document["rows"]] == [p.name for p in PEERS] * 2
    assert document["rows"][0]["figures"]["round_medians_ms"] == [20.0, 20.0]
    assert document["machine"]["load_before"] == 0.1
    assert document["environments"] == {"fake": ["numpy==2.0"]}


@pytest.fixture(scope="module")
def drawn() -> bytes:
    """Give a chart; matplotlib keeps its fonts open from the first one on."""
    pytest.importorskip("matplotlib", reason="needs the extra [workshop]: matplotlib")
    return report.chart(shown_report())


def test_the_chart_is_a_picture_even_where_rows_have_no_figures(drawn: bytes) -> None:
    width, height = struct.unpack(">II", drawn[16:24])

    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    assert width == 1350 and height > 900  # a panel for each number of threads, below each other


def test_this_machine_is_described() -> None:
    here = report.machine(load_before=0.5)

    assert here.processor and here.cpus >= 1
    assert "load 0.5 before" in str(here)
