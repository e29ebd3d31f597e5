"""How teaching goes on, from the first example to what the line is judged by: one table, pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from edge_agent.errors import Unavailable


class Stage(StrEnum):
    """How far teaching has come."""

    IDLE = "idle"
    COLLECTING = "collecting"  #: examples come in and are encoded
    PROPOSING = "proposing"  #: the candidate is solved and proven
    PROPOSED = "proposed"  #: the candidate waits for a person


class Step(StrEnum):
    """What happens to it."""

    TEACH = "teach"  #: a person brings examples
    COLLECTED = "collected"  #: all of them are encoded
    PROVED = "proved"  #: the candidate has its proof sheet, or waits for more of the lesson
    LEARNED = "learned"  #: it was promoted at once, unproven
    PROMOTED = "promoted"
    REFUSED = "refused"  #: by the proof sheet; a person may overrule it, or cancel
    CANCELLED = "cancelled"
    CHANGED = "changed"  #: something else is forgotten or undone meanwhile
    FAILED = "failed"  #: nothing could be learned; what was known is still known


TRANSITIONS: Final[Mapping[tuple[Stage, Step], Stage]] = {
    (Stage.IDLE, Step.TEACH): Stage.COLLECTING,
    (Stage.PROPOSED, Step.TEACH): Stage.COLLECTING,
    (Stage.IDLE, Step.CHANGED): Stage.IDLE,
    (Stage.COLLECTING, Step.CHANGED): Stage.COLLECTING,
    (Stage.PROPOSED, Step.CHANGED): Stage.PROPOSED,
    (Stage.COLLECTING, Step.COLLECTED): Stage.PROPOSING,
    (Stage.COLLECTING, Step.CANCELLED): Stage.IDLE,
    (Stage.COLLECTING, Step.FAILED): Stage.IDLE,
    (Stage.PROPOSING, Step.PROVED): Stage.PROPOSED,
    (Stage.PROPOSING, Step.LEARNED): Stage.IDLE,
    (Stage.PROPOSING, Step.CANCELLED): Stage.IDLE,
    (Stage.PROPOSING, Step.FAILED): Stage.IDLE,
    (Stage.PROPOSED, Step.PROMOTED): Stage.IDLE,
    (Stage.PROPOSED, Step.REFUSED): Stage.PROPOSED,
    (Stage.PROPOSED, Step.CANCELLED): Stage.IDLE,
}

SENTENCES: Final[Mapping[Stage, tuple[str, str]]] = {
    Stage.IDLE: (
        "no lesson is being given, and no change waits to be promoted",
        "teach something first: edge-agent teach CLASS FOLDER",
    ),
    Stage.COLLECTING: ("a lesson is being given", "wait until it is done, or `edge-agent cancel` it"),
    Stage.PROPOSING: ("a lesson is being proven", "wait some seconds, or `edge-agent cancel` it"),
    Stage.PROPOSED: ("a change is waiting to be promoted", "`edge-agent promote` or `edge-agent cancel` it first"),
}
"""What a person is told where a step makes no sense, and what to do."""


def following(stage: Stage, step: Step) -> Stage:
    """Give the stage after a step.

    Args:
        stage: how far it is.
        step: what happens.

    Returns:
        How far it is then.

    Raises:
        Unavailable: this cannot happen now.
    """
    try:
        return TRANSITIONS[stage, step]
    except KeyError:
        message, hint = SENTENCES[stage]
        raise Unavailable(message, hint=hint) from None
