"""What a console understands of a station, and what it does not."""

import json
from typing import Any

import pytest
from console_fakes import LEDGER, fact, gap

from edge_agent.console.heard import fact_of, gap_of, state_of, station_of
from edge_agent.errors import BadData


def read(value: object) -> Any:
    return fact_of(json.dumps(value).encode(), "press-3", "part")


def test_a_fact_is_what_the_contract_says() -> None:
    said = read(fact(1042, 1040))

    assert (said.ledger, said.kind, said.seq, said.prev) == (LEDGER, "part", 1042, 1040)
    assert said.body == {"id": 1042, "outcome": "OK"}


def test_what_a_newer_station_adds_is_no_reason_to_refuse() -> None:
    assert read(fact(1) | {"weight_g": 3}).seq == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"v": 2}, "v"),
        ({"seq": 0}, "seq"),
        ({"seq": "7"}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"prev": 7}, "cannot come after"),
        ({"prev": -1}, "prev"),
        ({"acknowledged": -1}, "acknowledged"),
        ({"acknowledged": 2**62 + 1}, "acknowledged"),
        ({"ledger": "../etc"}, "ledger"),
        ({"class": "gossip"}, "class"),
        ({"class": "alarm"}, "of class alarm"),
        ({"station": "press-4"}, "press-4"),
        ({"id": f"{LEDGER}.part.8"}, "another message"),
        ({"part": [1]}, "part"),
        ({"utc": "noon"}, "utc"),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadData, match=reason):
        read(fact(7) | change)


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b"{", b"\xff", b'{"v":1,"v":1}', b"[" * 40, b"x" * 300_000])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    for reader in (lambda p: fact_of(p, "press-3", "part"), gap_of, lambda p: state_of(p, "online")):
        with pytest.raises(BadData):
            reader(payload)


def test_a_gap_goes_forward() -> None:
    assert gap_of(json.dumps(gap(2, 4)).encode()).last == 4
    with pytest.raises(BadData, match="from 5 to 4"):
        gap_of(json.dumps(gap(5, 4)).encode())


@pytest.mark.parametrize(
    ("topic", "place"),
    [
        ("insp/v1/press-3/evt/part", ("press-3", "evt/part")),
        ("insp/v1/press-3", None),
        ("insp/v1//evt/part", None),
        ("insp/v12/press-3/evt/part", None),
        ("other/press-3/evt/part", None),
    ],
)
def test_a_topic_names_its_station(topic: str, place: tuple[str, str] | None) -> None:
    assert station_of(topic, "insp/v1") == place
