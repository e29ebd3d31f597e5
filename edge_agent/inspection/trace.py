"""Runs a bundle on a part and keeps everything on the way: what the embedding is a sum of, not only what it is.

It is an `Encoder` whose engines are watched, so that what is explained is what was judged. Beside the parts that judge
it runs the bundle's part `shares`, where there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import EngineConfig
from edge_agent.engines import Engine, load_engines
from edge_agent.engines.base import Array
from edge_agent.engines.spot import spot_of
from edge_agent.errors import DeviceFault
from edge_agent.inspection.encode import Encoder, refused
from models import Bundle
from models.errors import BundleRefused
from models.shares import Floats, token_terms
from models.source import FEATURES

SHARES: Final = "shares"
"""Role of the part that gives attention and values of each modality's tokens."""

CLOSES: Final = 1e-3
"""By how much, relatively, a sum of float32 values may miss what another part computed in another order."""


class Perceived(NamedTuple):
    """What there is of a part.

    Attributes:
        image: BGR, (height, width, 3), uint8, or None.
        samples: acceleration [m/s^2], (n, 3), float32, or None.
        rate_hz: of the samples [Hz].
    """

    image: NDArray[np.uint8] | None = None
    samples: NDArray[np.float32] | None = None
    rate_hz: float = 0.0


@dataclass(frozen=True, eq=False)
class Trace:
    """What a bundle's parts made of one part.

    Attributes:
        terms: what each token adds to the raw values, by modality.
        q: the embedding, rounded.
        seen: every tensor on the way.
    """

    terms: Mapping[str, Floats]
    q: NDArray[np.int16]
    seen: Mapping[str, Array]


class _Watched:
    """An engine whose tensors are kept."""

    def __init__(self, engine: Engine, seen: dict[str, Array]) -> None:
        self.inputs, self.outputs = engine.inputs, engine.outputs
        self._engine, self._seen = engine, seen

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        made = self._engine.infer(tensors)
        self._seen.update(tensors)
        self._seen.update(made)
        return made

    def close(self) -> None:
        self._engine.close()


class Tracer:
    """Traces parts with one bundle on one device. It belongs to the thread that uses it.

    Args:
        bundle: what makes the embeddings.
        engines: its loaded parts by role.
    """

    def __init__(self, bundle: Bundle, engines: Mapping[str, Engine]) -> None:
        self._bundle = bundle
        self._seen: dict[str, Array] = {}
        self._engines = {role: _Watched(engine, self._seen) for role, engine in engines.items()}
        self._encoder = Encoder(bundle, self._engines)

    @classmethod
    def load(cls, bundle: Bundle, config: EngineConfig) -> Self:
        """Load every part of `bundle` and prove it; raises what `Encoder.load` does."""
        try:
            engines = load_engines(bundle, spot_of(config))
        except BundleRefused as error:
            raise refused(error) from error
        tracer = cls(bundle, engines)
        try:
            tracer._encoder.prove()
        except BaseException:
            tracer.close()
            raise
        return tracer

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        self._encoder.close()

    def trace(self, part: Perceived) -> Trace:
        """Run a part.

        Args:
            part: what there is of it.

        Returns:
            The trace; a modality that the bundle has no tokens of is one token.

        Raises:
            BadData: nothing usable is there.
            DeviceFault: the device failed, or what it gave does not add up to the embedding.
        """
        self._seen.clear()
        embedding = self._encoder.encode(*part)
        seen = self._seen | self._shared(self._seen)
        terms: dict[str, Floats] = {}
        for block in self._bundle.blocks:
            name = block.modality
            if name in embedding.present:
                raw = seen[block.output].astype(np.float64)
                tokens = SHARES in self._engines and f"{name}_values" in seen
                terms[name] = token_terms(seen[f"{name}_attention"], seen[f"{name}_values"]) if tokens else raw
                off = float(np.linalg.norm(terms[name].sum(axis=0) - raw[0]) / np.linalg.norm(raw))
                if not off <= CLOSES:
                    raise DeviceFault(
                        f"bundle {self._bundle.name}: the tokens of {name} do not add up to its embedding, "
                        f"they are off by {off:.1%}",
                        hint="try the other runtime: [engine] runtime",
                    )
        return Trace(terms, embedding.q, seen)

    def hear(self, trace: Trace, features: NDArray[np.float32]) -> Floats:
        """Give the terms of the vibration with other features (1, F), but with the attention of `trace`."""
        role = next(part.role for part in self._bundle.manifest.parts if any(t.name == FEATURES for t in part.inputs))
        made = self._shared({**trace.seen, **self._engines[role].infer({FEATURES: features})})
        return token_terms(trace.seen["vibration_attention"], made["vibration_values"])

    def _shared(self, known: Mapping[str, Array]) -> dict[str, Array]:
        """Run the part `shares`, where there is one."""
        engine = self._engines.get(SHARES)
        return {} if engine is None else engine.infer({tensor.name: known[tensor.name] for tensor in engine.inputs})
