"""A part is explained by what it shows: where, on which axis, by which feature; and what is not there is said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from small_bundle import part, small_explainer

from edge_agent.errors import BadData, DeviceFault
from edge_agent.inspection.explain import Explainer, Reference, nearest
from edge_agent.inspection.trace import Perceived
from models import Knowledge
from models.head import Head, Prior
from models.shares import Margin

PRIOR = Prior(np.diag([4e-6, 3e-6, 4e-6, 3e-6, 4e-6, 3e-6]), 5.0)
GOOD, FAULTY = range(12), range(100, 104)
FAULTS = {"spot": {"corner": 60.0}, "rattle": {"axis": 0.4}}
NOTHING = Perceived()


@dataclass(frozen=True, eq=False)
class Taught:
    explainer: Explainer
    knowledge: Knowledge
    reference: Reference
    names: list[str]
    rows: np.ndarray

    def head(self, *modalities: str) -> Head:
        return self.knowledge.head(PRIOR, modalities or ("image", "vibration"))

    def margin(self, label: str | None, *modalities: str) -> Margin:
        return Margin(self.head(*modalities), label, "good")

    def q(self, made: Perceived) -> np.ndarray:
        return self.explainer._tracer.trace(made).q


def taught(**kind: object) -> Taught:
    explainer = small_explainer(**kind)
    samples = {f"good {i}": part(i) for i in GOOD}
    samples |= {f"{slug} {i}": part(i, **fault) for slug, fault in FAULTS.items() for i in FAULTY}
    rows = np.array([explainer._tracer.trace(made).q for made in samples.values()])
    knowledge = Knowledge.empty("small", "0" * 64, explainer._bundle.blocks)
    for name, row in zip(samples, rows, strict=True):
        knowledge = knowledge.learn(name.split()[0], row[None])
    return Taught(explainer, knowledge, explainer.reference(part(i) for i in GOOD), list(samples), rows)


@pytest.fixture(scope="module")
def station() -> Taught:
    return taught()


def test_the_region_that_is_not_as_in_good_parts_is_the_hottest(station: Taught) -> None:
    told = station.explainer.explain(part(200, corner=60.0), station.margin("spot"), reference=station.reference)

    assert told.grid is not None
    assert np.unravel_index(told.grid.argmax(), (2, 2)) == (0, 1)
    assert told.margin > 0.0
    assert told.modalities["image"] > 5.0 * abs(told.modalities["vibration"])


def test_everything_adds_up(station: Taught) -> None:
    told = station.explainer.explain(part(201, axis=0.4), station.margin("rattle"), reference=station.reference)

    assert told.grid is not None
    assert told.features is not None
    assert told.constant + sum(told.modalities.values()) == pytest.approx(told.margin, rel=1e-12)
    assert told.grid.sum() == pytest.approx(told.modalities["image"])
    assert sum(told.vibration.values()) == pytest.approx(told.modalities["vibration"])
    per_axis = told.features.bands.sum(axis=1) + told.features.decays.sum(axis=1) + told.features.rest
    per_axis += told.features.envelope.sum(axis=1) + told.features.statistics.sum(axis=1)
    np.testing.assert_allclose(per_axis, list(told.vibration.values()))
    assert abs(told.judged - told.margin) < 0.05 * abs(told.margin)


def test_the_axis_that_rings_on_is_the_strongest(station: Taught) -> None:
    told = station.explainer.explain(part(202, axis=0.4), station.margin("rattle"), reference=station.reference)

    assert max(told.vibration, key=told.vibration.__getitem__) == "y"


def test_features_are_not_told_where_the_encoder_is_not_linear_in_them() -> None:
    bent = taught(bend=0.3)
    told = bent.explainer.explain(part(203, axis=0.4), bent.margin("rattle"), reference=bent.reference)

    assert told.features is None
    assert any("not linear" in note for note in told.notes)
    assert told.constant + sum(told.modalities.values()) == pytest.approx(told.margin)


def test_moments_are_named_by_their_time() -> None:
    timed = taught(frames=True)
    told = timed.explainer.explain(part(204, axis=0.4), timed.margin("rattle"), reference=timed.reference)

    assert list(told.vibration)[:3] == ["0 ms", "2 ms", "4 ms"]
    assert list(told.vibration)[-1] == "70 ms"
    assert told.features is None


def test_without_good_parts_at_hand_their_mean_is_spread_evenly_and_that_is_said(station: Taught) -> None:
    told = station.explainer.explain(part(205, corner=60.0), station.margin("spot"))
    exact = station.explainer.explain(part(205, corner=60.0), station.margin("spot"), reference=station.reference)

    assert told.margin == exact.margin
    assert told.constant + sum(told.modalities.values()) == pytest.approx(told.margin)
    assert sum("spread evenly" in note for note in told.notes) == 2
    assert not any("spread evenly" in note for note in exact.notes)
    assert told.features is None


def test_of_a_part_whose_window_is_gone_the_stored_embedding_tells_the_vibrations_share(station: Taught) -> None:
    whole = part(206, corner=60.0, axis=0.4)
    q = station.q(whole)
    full = station.explainer.explain(whole, station.margin("spot"), reference=station.reference, judged=q)
    told = station.explainer.explain(
        whole._replace(samples=None), station.margin("spot"), reference=station.reference, judged=q
    )

    assert told.vibration == {}
    np.testing.assert_allclose(told.grid, full.grid, rtol=1e-2)
    assert told.modalities["vibration"] == pytest.approx(full.modalities["vibration"], rel=1e-2, abs=0.1)
    assert "vibration: from the stored embedding, so it is one share" in told.notes


def test_the_stored_embedding_alone_tells_the_shares_of_the_modalities(station: Taught) -> None:
    told = station.explainer.explain(NOTHING, station.margin("spot"), judged=station.q(part(207, corner=60.0)))

    assert told.grid is None
    assert told.constant + sum(told.modalities.values()) == pytest.approx(told.margin)


def test_a_bundle_without_the_part_shares_has_one_share_for_each_modality() -> None:
    plain = taught(shares=False)
    told = plain.explainer.explain(part(208, corner=60.0), plain.margin("spot"), reference=plain.reference)

    assert told.grid is None
    assert told.vibration == {}
    assert told.features is None
    assert told.constant + sum(told.modalities.values()) == pytest.approx(told.margin)
    assert sum("has no tokens" in note for note in told.notes) == 2


def test_a_part_shares_that_does_not_add_up_is_a_fault_of_the_device() -> None:
    with pytest.raises(DeviceFault, match="do not add up to its embedding, they are off by 5.0%"):
        small_explainer(leak=0.05).reference([part(0)])


def test_an_embedding_that_this_bundle_does_not_give_is_noticed(station: Taught) -> None:
    q = station.q(part(209))
    other = station.explainer.explain(part(209), station.margin("spot"), judged=-q)
    same = station.explainer.explain(part(209), station.margin("spot"), judged=q)

    assert any("away from the one that was judged" in note for note in other.notes)
    assert not any("away from" in note for note in same.notes)


def test_how_far_it_is_from_good_can_be_explained_too(station: Taught) -> None:
    told = station.explainer.explain(part(210, corner=60.0), station.margin(None), reference=station.reference)

    assert told.label is None
    assert told.grid is not None
    assert np.unravel_index(told.grid.argmax(), (2, 2)) == (0, 1)


def test_nothing_to_go_by_is_refused(station: Taught) -> None:
    with pytest.raises(BadData, match="neither picture nor window nor embedding"):
        station.explainer.explain(NOTHING, station.margin("spot"))


def test_a_head_that_looks_at_more_than_is_there_is_refused(station: Taught) -> None:
    seen = part(211)._replace(samples=None)
    with pytest.raises(BadData, match="not all of them have pieces"):
        station.explainer.explain(seen, station.margin("spot"))

    assert station.explainer.explain(seen, station.margin("spot", "image")).modalities.keys() == {"image"}


def test_without_good_parts_taught_there_is_nothing_to_hold_it_against(station: Taught) -> None:
    knowledge = Knowledge.empty("small", "0" * 64, station.explainer._bundle.blocks)
    for slug, name in (("spot", "spot 100"), ("rattle", "rattle 100")):
        knowledge = knowledge.learn(slug, station.rows[station.names.index(name)][None])
    with pytest.raises(BadData, match="class good was never taught"):
        station.explainer.explain(part(212), Margin(knowledge.head(PRIOR), "spot", "rattle"))


def test_the_nearest_examples_are_of_its_kind(station: Taught) -> None:
    told = station.explainer.explain(
        part(213, corner=60.0), station.margin("spot"), names=station.names, rows=station.rows
    )

    assert [neighbour.name.split()[0] for neighbour in told.nearest] == ["spot"] * 3
    assert [n.distance for n in told.nearest] == sorted(n.distance for n in told.nearest)


def test_an_example_without_a_modality_is_no_neighbour(station: Taught) -> None:
    """Its block of zeros is no measurement: compared as one it would be near or far by accident."""
    head, blocks = station.head(), station.explainer._bundle.blocks
    row = station.rows[0].copy()
    deaf = row.copy()
    deaf[4:] = 0
    found = nearest(head, blocks, row / 2**14, ["deaf", "same"], np.array([deaf, row]))
    by_sight = nearest(station.head("image"), blocks, row / 2**14, ["deaf", "same"], np.array([deaf, row]))

    assert [neighbour.name for neighbour in found] == ["same"]
    assert found[0].distance == pytest.approx(0.0, abs=1e-12)
    assert [neighbour.name for neighbour in by_sight] == ["deaf", "same"]
    assert nearest(head, blocks, row / 2**14, [], np.empty((0, 6), np.int16)) == ()
