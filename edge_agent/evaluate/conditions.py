"""What figures hold for, beside them in every answer: data, choices, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.config import EngineConfig
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.runtime.release import program_version
from models import Bundle


@dataclass(frozen=True)
class Conditions:
    """What the figures hold for.

    Attributes:
        seconds: how long it took [s].
        pictures: usable pictures by class.
        left_out: what was not used, and why.
        tested: pictures tested, over all episodes.
        shots: examples taught of each class.
        episodes: random choices of them.
        seed: of the choices.
        seen: classes whose data took part in fitting the bundle's projection or prior.
        versions: of the program, the bundle and the runtime.
    """

    seconds: float
    pictures: dict[str, int]
    left_out: tuple[str, ...]
    tested: int
    shots: int
    episodes: int
    seed: int
    seen: tuple[str, ...]
    versions: dict[str, str]


def conditions(
    options: EvaluateOptions,
    bundle: Bundle,
    names: Mapping[str, Sequence[str]],
    left_out: tuple[str, ...],
    tested: int,
    seconds: float,
) -> Conditions:
    """Say what figures hold for."""
    fitted = {slug for data in bundle.manifest.fitted_on for slug in data.classes}
    return Conditions(
        seconds=seconds,
        pictures={slug: len(usable) for slug, usable in names.items()},
        left_out=left_out,
        tested=tested,
        shots=options.shots,
        episodes=options.episodes,
        seed=options.seed,
        seen=tuple(slug for slug in sorted(names) if slug in fitted),
        versions={
            "edge-agent": program_version(),
            "bundle": f"{bundle.name} {bundle.manifest.version}",
            "digest": bundle.digest,
            "runtime": EngineConfig().runtime,
        },
    )
