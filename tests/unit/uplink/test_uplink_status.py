"""What is wrong with the way to the console, in sentences; and how it is printed."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from status_values import status_of

from edge_agent.agent.statements import health_of
from edge_agent.agent.status import Trouble
from edge_agent.agent.troubles import troubles_of
from edge_agent.ledger import LedgerStatus
from edge_agent.terminal.printing import print_status
from edge_agent.uplink.account import UplinkStatus

UP = UplinkStatus("mqtts://console", "5", 1_700_000_000.0)
DOWN = UplinkStatus("mqtts://console", "", 1_700_000_000.0, "connection refused")


@pytest.mark.parametrize(
    ("uplink", "kinds"),
    [
        (UP, []),
        (UplinkStatus("mqtts://console"), []),  # it has only just begun
        (DOWN, ["uplink_down"]),
        (replace(UP, behind_s=4000.0, backlog={"part": 7}), ["uplink_behind"]),
        (replace(DOWN, behind_s=4000.0), ["uplink_down"]),
        (replace(UP, waits={"part": 0x10}), ["uplink_unheard"]),
        (replace(UP, waits={"part": 0x87, "audit": 0x97}), ["uplink_refused", "uplink_refused"]),
        (replace(UP, certificate_days=30.0), []),
        (replace(UP, certificate_days=29.0), ["certificate"]),
        (replace(UP, certificate_days=-1.0), ["certificate"]),
        (replace(UP, reader="damaged"), ["uplink_reader"]),
        (replace(UP, set_aside=1), ["uplink_unsendable"]),
        (replace(UP, acks_refused=1, last_ack="no"), ["uplink_ack"]),
        (replace(UP, refused_inbound=1, unsent=2), ["uplink_inbound", "uplink_unsent"]),
    ],
)
def test_each_thing_that_is_wrong_is_said(uplink: UplinkStatus, kinds: list[str]) -> None:
    assert [trouble.kind for trouble in troubles_of(replace(status_of(), uplink=uplink))] == kinds


def test_an_outage_says_since_when_and_why() -> None:
    (trouble,) = troubles_of(replace(status_of(), uplink=DOWN))

    assert trouble.message == "no connection to mqtts://console since 2023-11-14 22:13:20 UTC: connection refused"


def test_parts_that_went_untold_are_a_trouble_only_where_there_is_somebody_to_tell() -> None:
    status = replace(status_of(), ledger=LedgerStatus(untold=5))
    assert list(troubles_of(status)) == []

    assert [trouble.count for trouble in troubles_of(replace(status, uplink=UP))] == [5]


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    uplink = replace(UP, backlog={"part": 7}, behind_s=90.0, told=3)
    print_status(msgspec.json.decode(msgspec.json.encode(replace(status_of(), uplink=uplink))))
    said = capsys.readouterr().out
    assert "  uplink to mqtts://console, MQTT 5\n    to tell: 7 part, the oldest 1 min 30 s old; told 3," in said
    print_status(msgspec.json.decode(msgspec.json.encode(replace(status_of(), uplink=DOWN))))

    assert "  uplink to mqtts://console: not connected: connection refused" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kinds", "health"),
    [
        ([], "ok"),
        (["uplink_down"], "warn"),
        (["camera_top"], "fault"),
        (["devices"], "warn"),
        (["untaught", "disk"], "fault"),
    ],
)
def test_health_is_one_word(kinds: list[str], health: str) -> None:
    said = health_of([Trouble(kind, "what", "do") for kind in kinds])

    assert said["health"] == health
    assert [trouble["kind"] for trouble in said["troubles"]] == kinds  # type: ignore[attr-defined]
