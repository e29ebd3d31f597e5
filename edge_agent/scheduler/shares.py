"""How much of each device inference may take: the ratios a person gives, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Self

from edge_agent.engines.spot import SHARED
from edge_agent.errors import ConfigError

RATIOS: Final = {"cpu_ratio": SHARED, "gpu_ratio": "gpu"}
"""The kind of device that each ratio is about; any other kind may be used whole."""

FALLBACK: Final = "npu_fallback"


@dataclass(frozen=True)
class Shares:
    """What inference may take.

    Attributes:
        cpu_ratio: share of the CPU's computing time, over all cores; 0 keeps inference off it.
        gpu_ratio: share of a GPU's time; 0 keeps inference off it.
        npu_fallback: parts that an NPU cannot run, or no longer runs, go to another device; without it such a part
            is an error.
    """

    cpu_ratio: float = 1.0
    gpu_ratio: float = 1.0
    npu_fallback: bool = True

    def __post_init__(self) -> None:
        for name in RATIOS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
                raise ConfigError(
                    f"{name} must be a number from 0 to 1, not {value!r}",
                    hint="1 is the whole device; 0 keeps inference off it",
                )
        if not isinstance(self.npu_fallback, bool):
            raise ConfigError(
                f"{FALLBACK} must be true or false, not {self.npu_fallback!r}",
                hint="true: what an NPU cannot run goes to another device",
            )
        if self.cpu_ratio == 0.0 and self.gpu_ratio == 0.0:
            raise ConfigError(
                "cpu_ratio and gpu_ratio are both 0: nothing could prepare a picture, nor stand in for an NPU",
                hint="give inference a share of one of them, as in cpu_ratio = 0.3",
            )

    @classmethod
    def of(cls, ratios: object) -> Self:
        """Read the ratios of a mapping; `ConfigError` names the first key or value that makes no sense."""
        known = (*RATIOS, FALLBACK)
        if not isinstance(ratios, Mapping):
            example = '{"cpu_ratio": 0.3, "gpu_ratio": 0.6, "npu_fallback": True}'
            raise ConfigError(f"the shares must be a mapping, not {ratios!r}", hint=f"write {example}")
        for name in ratios:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
                raise ConfigError(f"there is no share called {name!r}", hint=hint)
        return cls(**ratios)  # every value is checked above, whatever it is

    def allowed(self, kind: str) -> float:
        """Give the share of a kind of device that inference may take."""
        return {RATIOS[name]: float(getattr(self, name)) for name in RATIOS}.get(kind, 1.0)
