"""Recorded facts as the messages that docs/uplink.md describes. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from edge_agent.ledger.facts import Fact
from edge_agent.uplink.message import Outgoing
from edge_agent.uplink.topics import Topics

_TIMES: Final = ("frame", "paired", "inferred", "decided", "committed", "acted")
_SAID: Final = (
    "series",
    "number",
    "outcome",
    "label",
    "score",
    "p_normal",
    "distance",
    "cause",
    "recipe",
    "knowledge",
    "picture",
    "action",
    "gate",
    "gate_off_us",
    "truth",
)


def message_of(fact: Fact, ledger: str, acknowledged: int, topics: Topics) -> Outgoing:
    """Give the message that tells a fact, the same each time but for what is acknowledged.

    Args:
        fact: what is told.
        ledger: id of the database that it stands in.
        acknowledged: number up to which the station need not tell its class any more.
        topics: of the station.

    Returns:
        The message; a number that JSON does not know is `null`.
    """
    known = {"ledger": ledger, "class": fact.kind, "acknowledged": acknowledged}
    if fact.why:
        gap = {"from": fact.prev + 1, "to": fact.seq, "count": fact.count, "why": fact.why, "utc": fact.utc}
        return Outgoing(topics.event("gap"), msgspec.json.encode({"v": 1, **known, **gap}))
    said = {
        "v": 1,
        "id": f"{ledger}.{fact.kind}.{fact.seq}",
        **known,
        "seq": fact.seq,
        "prev": fact.prev,
        "station": topics.station,
        "utc": fact.utc,
        fact.kind: _BODIES[fact.kind](fact.row),
    }
    return Outgoing(topics.event(fact.kind), msgspec.json.encode(said))


def _part(row: Mapping[str, Any]) -> dict[str, Any]:
    present = None if row["present"] is None else json.loads(row["present"])
    started_s = row["trigger_s"]
    return {
        **{name: row[name] for name in _SAID},
        "degraded": json.loads(row["degraded"]),
        "committed_late": bool(row["committed_late"]),
        "ms": {name: _ms(row[f"{name}_s"], started_s) for name in _TIMES},
        "camera": None if present is None else "image" in present,
        "vibration": None if present is None else "vibration" in present,
        "anomaly": None
        if row["normality"] is None
        else {"normality": row["normality"], "picture": row["picture_anomaly"], "window": row["window_anomaly"]},
    }


def _alarm(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: row[name] for name in ("severity", "component", "kind", "message")}
    return {**said, "data": json.loads(row["data"])}


def _audit(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("utc", "kind", "body", "previous", "hash")}


def _ms(time_s: float | None, started_s: float | None) -> float | None:
    return None if time_s is None or started_s is None else round(1e3 * (time_s - started_s), 3)


_BODIES: Final = {"part": _part, "alarm": _alarm, "audit": _audit}
