"""Which settings the console may have, and what a change of them is in words. Pure.

What says where the station is, what it is connected to and whom it trusts stays with whoever stands in front of it: a
station that was cut off by a setting cannot be told the right one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from edge_agent.config import Config
from edge_agent.config.tomltext import Problem

REMOTE: Final = frozenset(
    {
        "pairing.frame_before_ms",
        "pairing.frame_after_ms",
        "pairing.window_ms",
        "pairing.wait_ms",
        "pairing.max_uncertainty_ms",
        "recipe.deadline_ms",
        "recipe.normality",
        "recipe.guided",
        "recipe.hurried",
        "recipe.false_reject",
        "recipe.defect_share",
        "recipe.draw_one_in",
        "recipe.protected",
        "recipe.costs.escape",
        "recipe.costs.false_reject",
        "recipe.costs.second_look",
        "recipe.actions.ok",
        "recipe.actions.ng",
        "recipe.actions.unsure",
        "recipe.gate.travel_ms",
        "recipe.gate.pulse_ms",
        "image_health.dark_mean_below",
        "image_health.bright_mean_above",
        "image_health.saturated_share_above",
        "image_health.blurred_sharpness_below",
        "image_health.frozen_repeats",
        "ledger.keep_evidence",
        "ledger.evidence_max_mb",
        "uplink.backlog_per_s",
    }
)
"""The settings that may come from the console; of recipes, those of the station's own file."""


class Change(msgspec.Struct, frozen=True):
    """One setting that a wish changes.

    Attributes:
        key: its name, with dots.
        before: what it is.
        after: what it would be.
    """

    key: str
    before: Any
    after: Any


def strangers(wanted: Mapping[str, object]) -> list[Problem]:
    """Give a problem for each setting that is not the console's."""
    return [
        Problem(None, key, "may not be set from the console", "docs/uplink.md lists what may")
        for key in wanted
        if key not in REMOTE
    ]


def changes(before: Config, after: Config) -> tuple[Change, ...]:
    """Give the settings that differ, by name."""
    old, new = dict(leaves(before)), dict(leaves(after))
    return tuple(Change(key, old[key], new[key]) for key in old if old[key] != new[key])


def leaves(struct: msgspec.Struct, at: str = "") -> Iterator[tuple[str, Any]]:
    """Give each setting with its value, as JSON has it."""
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if isinstance(value, msgspec.Struct):
            yield from leaves(value, f"{at}{field.name}.")
        else:
            yield f"{at}{field.name}", msgspec.to_builtins(value)
