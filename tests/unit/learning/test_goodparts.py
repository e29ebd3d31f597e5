"""Good parts in detail: a pure function of the kept details, whatever their order, in bytes that are one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from learned_values import SmallBundle, details, exemplar

from edge_agent.errors import StateDamaged
from edge_agent.learning import goodparts as subject
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.learning.goodparts import GoodParts, decode_details, encode_details
from edge_agent.records import Details

BUNDLE = SmallBundle()
KEPT = {f"{i:064x}": details(i) for i in range(12)}


def good(count: int = 12, roles: Sequence[Role] = (Role.FIT, Role.RING)) -> list[Exemplar]:
    return [replace(exemplar(i, "good", roles[i % len(roles)]), details=f"{i:064x}") for i in range(count)]


def learned(exemplars: Sequence[Exemplar], read: Callable[[str], Details | None] = KEPT.get) -> GoodParts:
    known = GoodParts.of(BUNDLE, exemplars, read)
    assert known is not None
    return known


def test_it_is_the_same_bytes_whatever_the_order_and_however_it_came_about() -> None:
    forwards, backwards = learned(good()), learned(good()[::-1])

    assert forwards.to_bytes() == backwards.to_bytes()
    assert learned(good(11)).to_bytes() != forwards.to_bytes()
    assert len(forwards.learned) == len(forwards.anomalies) == 6


def test_a_held_out_part_is_scored_and_teaches_nothing() -> None:
    known = learned(good())
    one = good()[1]
    other = learned([e for e in good() if e.id != one.id])

    assert known.anomaly(one) == known.normality.scores(details(1).tokens, details(1).features)
    assert other.normality.digest == known.normality.digest
    assert other.anomaly(one) == (None, None)


def test_all_held_out_parts_are_scored_by_the_first_that_are_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were only as many scored as are learned, most would have no anomaly, and then none is weighed."""
    monkeypatch.setattr(subject, "MAX_DETAILED", 2)
    known = learned(good())

    assert known.learned == (good()[0].id, good()[2].id)
    assert len(known.anomalies) == 6 and (None, None) not in known.anomalies.values()
    assert learned(good()[1:]).learned == (good()[2].id, good()[4].id), "the next one comes in"
    assert known.is_of(good()) and known.is_of([*good(), good(14)[12]]) and not known.is_of(good(14))


def test_of_one_lesson_more_only_what_is_new_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "MAX_DETAILED", 5)
    before, read = learned(good(10)), []

    def noted(digest: str) -> Details | None:
        read.append(digest)
        return KEPT.get(digest)

    after = GoodParts.of(BUNDLE, good(12), noted, before)

    assert after is not None and read == [good()[11].details]
    assert after.to_bytes() == learned(good(12)).to_bytes()
    fewer = GoodParts.of(BUNDLE, good(12)[2:], KEPT.get, after)
    assert fewer is not None and fewer.to_bytes() == learned(good(12)[2:]).to_bytes()


def of_lots(count: int, lots: int) -> list[Exemplar]:
    """Good parts in turn learned and held out, of some lots one after the other."""
    return [replace(e, utc=e.utc + i * lots // count) for i, e in enumerate(good(count))]


def test_a_held_out_part_is_held_against_the_other_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = of_lots(12, 2)
    one, of_first = parts[1], [e for e in parts[:6] if e.role is Role.FIT]
    known = learned(parts)
    by_others = learned([e for e in parts if e not in of_first]).anomaly(one)
    by_all = learned(good()).anomaly(one)

    assert known.normality.digest == learned(good()).normality.digest, "what is known is the same"
    assert known.anomaly(one)[1] == by_others[1] != by_all[1]
    assert known.anomaly(one)[0] > by_all[0]
    monkeypatch.setattr(subject, "lots_of", lambda learned: {})
    assert learned(parts).anomaly(one) == by_all, "what a station did that knew no lots"


def test_with_lots_it_is_the_same_bytes_however_it_came_about(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = of_lots(12, 3)
    whole = learned(parts)
    steps: GoodParts | None = None
    for count in (4, 8, 12):
        steps = GoodParts.of(BUNDLE, parts[:count], KEPT.get, steps)
    assert steps is not None and steps.to_bytes() == whole.to_bytes()
    assert GoodParts.from_bytes(whole.to_bytes(), BUNDLE).is_of(parts)

    at_once = learned(good())
    assert not at_once.is_of(parts) and not whole.is_of(good()), "lots are a part of it"
    turned = GoodParts.of(BUNDLE, parts, KEPT.get, at_once)
    assert turned is not None and turned.to_bytes() == whole.to_bytes()
    without = [e for e in parts if e is not parts[5]]
    fewer = GoodParts.of(BUNDLE, without, KEPT.get, whole)
    assert fewer is not None and fewer.to_bytes() == learned(without).to_bytes()

    monkeypatch.setattr(subject, "MAX_DETAILED", 5)
    before, last = learned(parts[:11]), replace(parts[11], utc=parts[0].utc)
    after = GoodParts.of(BUNDLE, [*parts[:11], last], KEPT.get, before)
    assert after is not None and after.to_bytes() == learned([*parts[:11], last]).to_bytes()


def test_parts_of_one_lot_are_written_as_before_there_were_lots() -> None:
    assert b"lots" not in learned(good()).to_bytes()
    assert b"lots" in learned(of_lots(12, 2)).to_bytes()


def test_what_was_read_is_what_was_written() -> None:
    known = learned(good())
    again = GoodParts.from_bytes(known.to_bytes(), BUNDLE)

    assert again.to_bytes() == known.to_bytes()
    assert again.anomalies == known.anomalies


def test_it_knows_what_it_was_learned_from() -> None:
    known = learned(good())

    assert known.is_of(good()[::-1])
    assert not known.is_of(good(11))
    assert not known.is_of(good(roles=(Role.RING, Role.FIT)))
    assert known.is_of([*good(), exemplar(99, "good")])  # one without details says nothing


@pytest.mark.parametrize(
    "exemplars", [[], good(1), good(roles=(Role.RING,)), [exemplar(1, "good"), exemplar(2, "good")]]
)
def test_of_fewer_than_two_detailed_parts_nothing_is_known(exemplars: list[Exemplar]) -> None:
    assert GoodParts.of(BUNDLE, exemplars, KEPT.get) is None


def test_parts_that_were_seen_or_felt_alone_teach_what_they_have() -> None:
    read = {f"{i:064x}": replace(details(i), **{"tokens": None} if i < 4 else {"features": None}) for i in range(12)}
    known = learned(good(), read.get)

    assert known.normality.heard.scale.count == 2
    assert known.normality.seen.scale.count == 4
    assert known.anomaly(good()[1])[0] is None and known.anomaly(good()[1])[1] is not None
    assert known.anomaly(good()[5])[1] is None and known.anomaly(good()[5])[0] is not None


def test_without_regions_a_bundle_knows_what_parts_sound_like() -> None:
    known = GoodParts.of(replace(BUNDLE, grid=None), good(), KEPT.get)

    assert known is not None and known.normality.seen is None and known.normality.heard is not None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff\xff\xff",
        learned(good()).to_bytes()[:-1],
        learned(good()).to_bytes()[4:],
        (5).to_bytes(4, "little") + b"{}   " + b"BNK",
    ],
)
def test_anything_else_is_damaged(data: bytes) -> None:
    with pytest.raises(StateDamaged, match="good parts"):
        GoodParts.from_bytes(data, BUNDLE)


def test_what_is_of_another_bundle_is_not_used() -> None:
    with pytest.raises(StateDamaged, match="another bundle"):
        GoodParts.from_bytes(learned(good()).to_bytes(), replace(BUNDLE, digest="1" * 64))


@pytest.mark.parametrize("of", [details(3), Details(details(3).tokens), Details(None, details(3).features), Details()])
def test_details_are_kept_as_directions_and_features(of: Details) -> None:
    again = decode_details(encode_details(of))

    assert (again.tokens is None) == (of.tokens is None)
    assert (again.features is None) == (of.features is None)
    if of.tokens is not None and again.tokens is not None:
        alike = (again.tokens.astype(float) * of.tokens).sum(axis=1)
        assert (
            alike / np.linalg.norm(again.tokens.astype(float), axis=1) / np.linalg.norm(of.tokens, axis=1) > 0.999
        ).all()
    if of.features is not None:
        assert (again.features == of.features).all()
    assert encode_details(again) == encode_details(of)


@pytest.mark.parametrize(
    "data", [b"\1\0\0\0?", encode_details(details(1))[:-1], encode_details(details(1)) + b"!", b"\0\0\0\0" + b"x" * 9]
)
def test_kept_details_that_are_anything_else_are_damaged(data: bytes) -> None:
    with pytest.raises(StateDamaged, match="kept details"):
        decode_details(data)


def test_details_of_another_form_are_damaged() -> None:
    swapped = encode_details(Details(None, details(1).features))[4:]

    with pytest.raises(StateDamaged, match="float32"):
        decode_details(len(swapped).to_bytes(4, "little") + swapped)
