"""Turns a picture and a window into the embedding that a head sees, with one bundle on one device.

What is unusable is left out and said, never filled in. An encoder belongs to the thread that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import EngineConfig
from edge_agent.engines import Engine, LoadEngines, Spot, load_engines
from edge_agent.engines.spot import spot_of
from edge_agent.errors import BadData, ConfigError, DeviceFault
from edge_agent.records import Details, Embedding, Modality
from models import Bundle
from models.bundle import TOKENS, shipped_names
from models.embedding import assemble, quantise
from models.errors import BundleRefused
from models.features import prepare_picture, prepare_vibration
from models.flow import Flow, Tensors
from models.source import FEATURES, SOURCES


@dataclass(frozen=True, eq=False)
class _Sample:
    """One golden vector: its number, what it is made from and what it must come out as."""

    number: int
    tensors: Tensors
    present: frozenset[Modality]
    want: NDArray[np.float32]
    tolerance: float


class Encoder:
    """A bundle's parts, loaded, with the pre-processing in front of them.

    Args:
        bundle: what to run.
        engines: its loaded parts by role.
    """

    def __init__(self, bundle: Bundle, engines: Mapping[str, Engine]) -> None:
        self._bundle = bundle
        self._engines = engines
        self._flow = Flow(bundle.manifest)
        self._sample: _Sample | None = None
        self._vouched = False

    @classmethod
    def load(cls, bundle: Bundle, config: EngineConfig, cache: Path | None = None) -> Self:
        """Load every part of `bundle` that judges and prove it on the bundle's golden vectors.

        Args:
            bundle: what to load.
            config: the runtime, its device and its threads.
            cache: folder for compiled models; None for none.

        Returns:
            An encoder that reproduces the golden vectors.

        Raises:
            ConfigError: the bundle does not fit the program.
            DeviceFault: the device cannot run it, or does not reproduce the golden vectors.
        """
        encoder = cls.at_spots(bundle, spot_of(config), cache)
        try:
            encoder.prove()
        except BaseException:
            encoder.close()
            raise
        return encoder

    @classmethod
    def at_spots(
        cls,
        bundle: Bundle,
        spots: Spot | Mapping[str, Spot],
        cache: Path | None = None,
        load: LoadEngines = load_engines,
    ) -> Self:
        """Load every part of `bundle` that judges, unproven; raises what `load` does.

        Args:
            bundle: what to load.
            spots: where each role runs, or where all do.
            cache: folder for compiled models; None for none.
            load: loads them.

        Returns:
            An encoder.
        """
        try:
            return cls(bundle, load(bundle, spots, bundle.manifest.judging, cache))
        except BundleRefused as error:
            raise refused(error) from error

    def encode(
        self,
        image: NDArray[np.uint8] | None,
        samples: NDArray[np.float32] | None,
        rate_hz: float = 0.0,
        degraded: tuple[str, ...] = (),
    ) -> Embedding:
        """Encode one part from what is there of it.

        Args:
            image: BGR, (height, width, 3), or None.
            samples: acceleration [m/s^2], (n, 3), or None.
            rate_hz: of the samples [Hz].
            degraded: what is already known to be wrong with the inputs.

        Returns:
            The embedding, and what it lacks.

        Raises:
            BadData: nothing usable is left.
            DeviceFault: the device failed, or gave numbers that are none.
        """
        wrong = list(degraded)
        tensors: dict[str, NDArray[Any]] = {}
        if image is not None and self._bundle.manifest.picture is not None:
            try:
                tensors["picture"] = prepare_picture(image, self._bundle.manifest.picture)
            except ValueError as error:
                raise BadData(f"picture: {error}", hint="give pictures as BGR, (height, width, 3), uint8") from error
        if samples is not None and self._bundle.manifest.vibration is not None:
            try:
                tensors |= prepare_vibration(samples, rate_hz, self._bundle.manifest)
            except (ValueError, OverflowError) as error:
                if not tensors:
                    raise BadData(f"vibration: {error}", hint="record at least the whole ring-down") from error
                wrong.append("bad_vibration")
        if not tensors:
            raise BadData(
                "neither a picture nor a vibration window that this bundle can use",
                hint="see what the source delivers: edge-agent status",
            )
        z, seen = self._run(tensors)
        present = frozenset(Modality(SOURCES[name]) for name in tensors)
        tokens, features = seen.get(TOKENS), tensors.get(FEATURES)
        details = Details(None if tokens is None else tokens[0], None if features is None else features[0])
        return Embedding(quantise(z), present, tuple(wrong), details)

    def prove(self) -> int:
        """Encode the golden vectors again; of one that was vouched for, the first time, one of them.

        Returns:
            How many it encoded.

        Raises:
            DeviceFault: one of them comes out differently from the desk.
        """
        if self._vouched:
            self._vouched = False
            self.prove_one()
            return 1
        golden = self._bundle.golden()
        for i, want in enumerate(golden.z):
            present = frozenset(Modality(b.modality) for b in self._bundle.blocks if np.any(want[b.start : b.stop]))
            tensors = {name: rows[i] for name, rows in golden.sources.items() if SOURCES[name] in present}
            sample = _Sample(i, tensors, present, want, golden.tolerance)
            self._prove(sample)
            if self._sample is None or len(present) > len(self._sample.present):
                copies = {name: array.copy() for name, array in tensors.items()}  # the rest of the rows may go
                self._sample = replace(sample, tensors=copies)
        return len(golden.z)

    def put_around(self, wrap: Callable[[Mapping[str, Engine]], dict[str, Engine]]) -> None:
        """Let whoever takes it over put engines of its own around those that it runs.

        Args:
            wrap: gives engines by role that give what the given ones do.
        """
        self._engines = wrap(self._engines)

    def vouch(self) -> None:
        """Hear that all golden vectors were proven a moment ago, for whoever takes it over and proves it again."""
        self._vouched = True

    def prove_one(self) -> Embedding:
        """Encode one golden vector again, the first of the completest; `prove` must have been called.

        Returns:
            What it came out as.

        Raises:
            DeviceFault: it comes out differently from the desk.
        """
        if self._sample is None:
            raise RuntimeError("nothing was proven yet")
        return Embedding(quantise(self._prove(self._sample)), self._sample.present)

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        for engine in self._engines.values():
            engine.close()

    def _prove(self, sample: _Sample) -> NDArray[np.float64]:
        z = self._run(sample.tensors)[0]
        distance = float(np.linalg.norm(z - sample.want))
        if not distance <= sample.tolerance:
            raise DeviceFault(
                f"bundle {self._bundle.name}: golden vector {sample.number} comes out {distance:.2g} away from the "
                f"desk's, at most {sample.tolerance:.2g} is allowed",
                hint="try the other runtime: [engine] runtime",
            )
        return z

    def _run(self, tensors: Tensors) -> tuple[NDArray[np.float64], Tensors]:
        """Give z, and every tensor on the way."""
        flown = self._flow.run(tensors, self._infer)
        try:
            return assemble(self._bundle.blocks, flown.raw), flown.tensors
        except ValueError as error:
            raise DeviceFault(
                f"bundle {self._bundle.name}: {error}", hint="try the other runtime: [engine] runtime"
            ) from error

    def _infer(self, role: str, feed: Tensors) -> Tensors:
        return self._engines[role].infer(feed)


def load_bundle(folder: Path) -> Bundle:
    """Load the bundle in a folder; translate a refusal into what a person can do."""
    try:
        return Bundle.load(folder)
    except BundleRefused as error:
        raise refused(error) from error


def refused(error: BundleRefused) -> ConfigError:
    """Translate a refusal."""
    there = ", ".join(shipped_names())
    return ConfigError(str(error), hint=f"install it again, or name another one: {there}, or a folder written with a /")
