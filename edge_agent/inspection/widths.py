"""The forms of a bundle that compute several pieces together: loaded as far as they can be, used once proven."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from edge_agent.engines import Engine, LoadEngines, Spot
from edge_agent.errors import EdgeAgentError
from edge_agent.inspection.golden import Sample, samples_of
from models import Bundle
from models.errors import BundleRefused

Engines = Mapping[str, Engine]  # by role


class Widths:
    """The wide forms of one bundle, by how many pieces they compute together.

    Args:
        bundle: whose.
        wide: those that were loaded.
        unloaded: why others could not be.
    """

    def __init__(
        self, bundle: Bundle, wide: Mapping[int, Engines] | None = None, unloaded: Mapping[int, str] | None = None
    ) -> None:
        self._bundle = bundle
        self._wide = dict(wide or {})
        self._unloaded = dict(unloaded or {})
        self._differs: dict[int, str] = {}
        self._proven: dict[int, Engines] = {}

    @classmethod
    def load(cls, bundle: Bundle, batches: Iterable[Mapping[str, Spot]], cache: Path | None, load: LoadEngines) -> Self:
        """Load what can be loaded.

        Args:
            bundle: whose parts.
            batches: where roles run for several pieces together.
            cache: folder for compiled models; None for none.
            load: loads them.

        Returns:
            The forms, unproven.
        """
        wide: dict[int, Engines] = {}
        unloaded: dict[int, str] = {}
        for batch in batches:
            parts = [part for part in bundle.manifest.judging if part.role in batch]
            size = max(spot.pieces for spot in batch.values())
            try:
                wide[size] = load(bundle, batch, parts, cache)
            except (BundleRefused, EdgeAgentError) as error:
                unloaded[size] = str(error)
        return cls(bundle, wide, unloaded)

    @property
    def sizes(self) -> frozenset[int]:
        """How many pieces may be given together, beside one."""
        return frozenset(self._proven)

    @property
    def complaints(self) -> list[str]:
        """Why some sizes that were meant to be are not; a sentence each."""
        why = self._unloaded | self._differs
        return [f"{size} parts of {self._bundle.name} are not done together: {why[size]}" for size in sorted(why)]

    def of(self, pieces: int) -> Engines:
        """Give what computes so many pieces together, by role; nothing where that is not proven."""
        return self._proven.get(pieces, {})

    def prove(self, run: Callable[[Sequence[Sample], Engines], object]) -> None:
        """Compute the completest golden vectors again, several together; what comes out differently is not used.

        Args:
            run: computes as many as the engines take together; raises `EdgeAgentError` where they come out differently.
        """
        self._proven, self._differs = {}, {}
        if not self._wide:
            return
        most = max((len(sample.present) for sample in samples_of(self._bundle)), default=0)
        for size, engines in self._wide.items():
            try:
                for samples in self._in_batches(size, most):
                    run(samples, engines)
                self._proven[size] = engines
            except EdgeAgentError as error:
                self._differs[size] = error.message

    def _in_batches(self, size: int, most: int) -> Iterator[list[Sample]]:
        """Give the golden vectors with so many modalities, several at a time; the last ones are filled up."""
        batch: list[Sample] = []
        for sample in samples_of(self._bundle):
            if len(sample.present) == most:
                batch.append(sample)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield [*batch, *[batch[0]] * (size - len(batch))]

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        for engines in self._wide.values():
            for engine in engines.values():
                engine.close()
