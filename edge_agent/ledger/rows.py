"""Records to rows and back: what each column holds, in one place. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from edge_agent.errors import BadData
from edge_agent.ledger.spoken import Teaching, Word, WordKind
from edge_agent.records import Action, Anomaly, Embedding, Event, Modality, Outcome, Part, Times, Trigger, Verdict

PART_COLUMNS: Final = (
    "series",
    "number",
    "outcome",
    "label",
    "score",
    "p_normal",
    "distance",
    "cause",
    "degraded",
    "recipe",
    "knowledge",
    "embedding",
    "present",
    "picture",
    "action",
    "committed_late",
    "trigger_s",
    "frame_s",
    "paired_s",
    "inferred_s",
    "decided_s",
    "committed_s",
    "acted_s",
    "decided_utc",
    "truth",
    "operator_label",
    "normality",
    "picture_anomaly",
    "window_anomaly",
    "gate",
    "gate_off_us",
)
"""What `part_values` gives, in its order."""


def part_values(part: Part) -> tuple[object, ...]:
    """Give the row of a part.

    Args:
        part: the part.

    Returns:
        Values in the order of `PART_COLUMNS`; NaN becomes NULL.

    Raises:
        BadData: the embedding is not a vector of int16.
    """
    verdict, times = part.verdict, part.times
    blob, present = _embedding_values(part.embedding)
    return (
        part.trigger.series,
        int(part.trigger.number),
        verdict.outcome.value,
        verdict.label,
        _real(verdict.score),
        _real(verdict.p_normal),
        _real(verdict.distance),
        verdict.cause,
        _words(verdict.degraded),
        part.recipe,
        part.knowledge,
        blob,
        present,
        part.picture,
        part.action.value if part.action else None,
        int(part.committed_late),
        _real(times.trigger_s),
        _real(times.frame_s),
        _real(times.paired_s),
        _real(times.inferred_s),
        _real(times.decided_s),
        _real(times.committed_s),
        _real(times.acted_s),
        float(part.decided_utc),
        part.trigger.truth,
        part.operator_label,
        *_anomaly_values(part.embedding),
        part.gate or None,
        _real(part.gate_off_us),
    )


def part_of(row: Mapping[str, Any]) -> Part:
    """Give the part of a row; a trigger time or score that nobody knows is NaN.

    The embedding's `degraded` words are those of the verdict, which has them all.
    """
    degraded = tuple(json.loads(row["degraded"]))
    return Part(
        trigger=Trigger(row["series"], row["number"], _number(row["trigger_s"]), row["truth"]),
        verdict=Verdict(
            Outcome(row["outcome"]),
            row["label"],
            _number(row["score"]),
            row["p_normal"],
            row["distance"],
            row["cause"],
            degraded,
        ),
        times=Times(
            _number(row["trigger_s"]),
            row["frame_s"],
            row["paired_s"],
            row["inferred_s"],
            row["decided_s"],
            row["committed_s"],
            row["acted_s"],
        ),
        recipe=row["recipe"],
        knowledge=row["knowledge"],
        embedding=_embedding_of(row, degraded),
        picture=row["picture"],
        action=Action(row["action"]) if row["action"] else None,
        committed_late=bool(row["committed_late"]),
        id=row["id"],
        decided_utc=row["decided_utc"],
        operator_label=row["operator_label"],
        gate=row["gate"] or "",
        gate_off_us=row["gate_off_us"],
    )


def event_values(event: Event) -> tuple[object, ...]:
    """Give the row of an event; data that JSON does not know is written as text, and what is no text as `?`."""
    data = json.dumps(event.data, default=str, ensure_ascii=False)
    return (event.time_utc, event.severity, event.component, event.kind, _text(event.message), _text(data))


def _text(text: str) -> str:
    """Give a text without halves of characters, as names of files may have: nobody could write or send it."""
    return text.encode(errors="replace").decode()


def event_of(row: Mapping[str, Any]) -> Event:
    """Give the event of a row."""
    return Event(
        row["time_utc"],
        row["severity"],
        row["component"],
        row["kind"],
        row["message"],
        json.loads(row["data"]),
    )


def word_values(word: Word) -> tuple[object, ...]:
    """Give the row of a person's word."""
    return (word.part, word.utc, word.kind.value, word.label, word.who)


def word_of(row: Mapping[str, Any]) -> Word:
    """Give the person's word of a row."""
    return Word(row["part"], WordKind(row["kind"]), row["label"], row["utc"], row["who"], row["id"])


def teaching_values(teaching: Teaching) -> tuple[object, ...]:
    """Give the row of a change of knowledge."""
    return (
        teaching.utc,
        teaching.action,
        teaching.slug,
        teaching.before,
        teaching.after,
        _words(teaching.sources),
        teaching.who,
    )


def teaching_of(row: Mapping[str, Any]) -> Teaching:
    """Give the change of knowledge of a row."""
    return Teaching(
        row["utc"],
        row["action"],
        row["slug"],
        row["before"],
        row["after"],
        tuple(json.loads(row["sources"])),
        row["who"],
        row["id"],
    )


def _embedding_values(embedding: Embedding | None) -> tuple[bytes | None, str | None]:
    if embedding is None:
        return None, None
    if embedding.q.ndim != 1 or embedding.q.dtype != np.int16:
        raise BadData(f"an embedding is a vector of int16, not {embedding.q.shape} {embedding.q.dtype}")
    return embedding.q.astype("<i2").tobytes(), _words(sorted(embedding.present))


def _anomaly_values(embedding: Embedding | None) -> tuple[str | None, float | None, float | None]:
    anomaly = None if embedding is None else embedding.anomaly
    return (None, None, None) if anomaly is None else (anomaly.normality, _real(anomaly.picture), _real(anomaly.window))


def _embedding_of(row: Mapping[str, Any], degraded: tuple[str, ...]) -> Embedding | None:
    if row["embedding"] is None:
        return None
    q = np.frombuffer(row["embedding"], "<i2").astype(np.int16)
    present = frozenset(Modality(word) for word in json.loads(row["present"] or "[]"))
    known = row["normality"]
    anomaly = None if known is None else Anomaly(known, row["picture_anomaly"], row["window_anomaly"])
    return Embedding(q, present, degraded, anomaly=anomaly)


def _words(words: Iterable[str]) -> str:
    return json.dumps(list(words))


def _real(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
