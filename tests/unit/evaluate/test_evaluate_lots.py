"""Lots never shown: the limit of the station keeps what lots can promise, that of neighbouring parts does not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.evaluate.goodlots import LotsEvaluation, episode, lots_by_name, promised_of, unshown
from edge_agent.evaluate.goodtokens import Folder, Looked
from edge_agent.evaluate.printing import print_lots
from models import Bundle
from models.embedding import assemble, quantise
from models.head import Prior
from models.manifest import Block
from models.tokenbank import rounded

BLOCKS = (Block("image", 0, 6, 1.0, "a"),)


def test_a_lot_is_what_a_name_has_before_its_last_underscore() -> None:
    names = [f"m_{lot}_{i}.png" for lot in (1, 2) for i in range(4)] + ["m_3_0.png", "plain.png"]

    assert lots_by_name(names[::-1]) == {"m_1": names[:4], "m_2": names[4:8]}


def looked(tokens: NDArray[np.float64]) -> Looked:
    return Looked(rounded(tokens), quantise(assemble(BLOCKS, {"image": tokens.mean(axis=0)})))


def folder(lots: int, of_lot: int = 10) -> Folder:
    """Good pictures whose lots differ by more than the pictures of one do, and a defect that is far from all."""
    rng = np.random.default_rng(4)
    places = 2.0 * rng.normal(size=(9, 6))
    good = {}
    for lot in range(lots):
        shifted = places + 0.5 * rng.normal(size=(9, 6))
        good |= {f"{lot:02d}_{i}.png": looked(shifted + 0.1 * rng.normal(size=(9, 6))) for i in range(of_lot)}
    pictures = {"good": good, "pit": {"0.png": looked(-places)}}
    bundle = SimpleNamespace(normal="good", digest="0" * 64, blocks=BLOCKS, prior=lambda: Prior(np.eye(6) * 0.01, 5.0))
    return Folder(cast(Bundle, bundle), (3, 3), pictures, {"good": {}, "pit": {}}, ())


def test_good_parts_of_other_lots_stand_out_by_the_own_lot_and_not_by_the_others() -> None:
    there = folder(12)
    lots = lots_by_name(list(there.pictures["good"]))
    made = [episode(there, {lot: lots[lot] for lot in list(lots)[at : at + 6]}, lots) for at in (0, 3, 6)]
    others, own = unshown(made, [one.others for one in made]), unshown(made, [one.own for one in made])

    assert set(made[0].good) == set(list(lots)[6:]) and all(len(scores) == 10 for scores in made[0].good.values())
    assert len(made[0].own) == 30 and len(made[0].others) == 25, "one lot of six is set aside"
    assert made[0].others.min(axis=0).min() > made[0].own.min(), "what lay beside a part is not asked"
    assert made[0].sizes.count(5) == 5 and made[0].sizes.count(0) == 1
    assert others.fpr["0.05"].mean <= promised_of(made[0], 0.05) < 0.6 < own.fpr["0.05"].mean
    assert others.recall_at_fpr["0.05"].mean == 1.0


def test_what_is_printed_names_both_limits_and_the_promise(capsys: pytest.CaptureFixture[str]) -> None:
    there = folder(4)
    lots = lots_by_name(list(there.pictures["good"]))
    made = [episode(there, {lot: lots[lot] for lot in ("00", "01")}, lots)]
    others, own = unshown(made, [made[0].others]), unshown(made, [made[0].own])
    facts = {"seconds": 1.0, "pictures": {"good": 40, "pit": 1}, "left_out": (), "tested": 21, "shots": 0}
    more = {"episodes": 1, "seed": 1, "seen": (), "versions": {}}
    print_lots(
        LotsEvaluation(
            **facts, **more, lots=4, known_lots=2, calibrated_on=10, promised={"0.01": 0.4}, others=others, own=own
        )
    )
    text = capsys.readouterr().out

    assert "2 of 4 lots known" in text and "limit from 10 held-out parts" in text
    assert "against the other lots: AUROC" in text and "against their own lot too: AUROC" in text
    assert "the next one: 40.0% where 1% is asked for" in text
