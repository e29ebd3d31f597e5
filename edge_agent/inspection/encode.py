"""Turns a picture and a window into the embedding that a head sees, with one bundle on one device.

What is unusable is left out and said, never filled in. An encoder belongs to the thread that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_agent.config import EngineConfig
from edge_agent.engines import Engine, LoadEngines, Spot, load_engines
from edge_agent.engines.base import joined, parted
from edge_agent.engines.spot import spot_of
from edge_agent.errors import ConfigError, DeviceFault
from edge_agent.inspection.begun import Begun
from edge_agent.inspection.golden import GoldenProof, Sample
from edge_agent.inspection.piece import Piece, Prepared, prepared_of
from edge_agent.inspection.proofstamp import ProofStamp
from edge_agent.inspection.widths import Widths
from edge_agent.records import Details, Embedding, Modality
from models import Bundle
from models.bundle import TOKENS, shipped_names
from models.embedding import assemble, quantise
from models.errors import BundleRefused
from models.flow import Flow, Tensors
from models.source import FEATURES, SOURCES

if TYPE_CHECKING:
    from edge_agent.engines.second import SecondThread
NONE: Mapping[str, Any] = MappingProxyType({})


class Encoder:
    """A bundle's parts, loaded, with the pre-processing in front of them.

    Args:
        bundle: what to run.
        engines: its loaded parts by role.
        widths: those that compute several pieces together; None where nobody gains by it.
        second: runs the parts that can begin at once side by side; None where that gains nothing.
        stamp: remembers that all golden vectors came out right; None where nobody does.
    """

    def __init__(
        self,
        bundle: Bundle,
        engines: Mapping[str, Engine],
        widths: Widths | None = None,
        second: SecondThread | None = None,
        stamp: ProofStamp | None = None,
    ) -> None:
        self._bundle = bundle
        self._engines = engines
        self._widths = widths or Widths(bundle)
        self._second = second
        self._flow = Flow(bundle.manifest)
        self._golden = GoldenProof(bundle, stamp)
        self._vouched = False

    @classmethod
    def load(cls, bundle: Bundle, config: EngineConfig, cache: Path | None = None) -> Self:
        """Load every part of `bundle` that judges and prove it on the bundle's golden vectors.

        Args:
            bundle: what to load.
            config: the runtime, its device and its threads.
            cache: folder for compiled models; None for none. Where it says that all golden vectors came out right here
                before, some are encoded now and the others are left to `prove_one`.

        Returns:
            An encoder that reproduces the golden vectors.

        Raises:
            ConfigError: the bundle does not fit the program.
            DeviceFault: the device cannot run it, or does not reproduce the golden vectors.
        """
        encoder = cls.at_spots(bundle, spot_of(config), cache)
        try:
            encoder.prove(quick=True)
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
        batches: Iterable[Mapping[str, Spot]] = (),
        *,
        beside: bool = False,
    ) -> Self:
        """Load every part of `bundle` that judges, unproven; raises what `load` does.

        Args:
            bundle: what to load.
            spots: where each role runs, or where all do.
            cache: folder for compiled models; None for none.
            load: loads them.
            batches: where roles run for several pieces together; what cannot be loaded so is done without, and said in
                `complaints`.
            beside: whether the parts that can begin at once run side by side.

        Returns:
            An encoder.
        """
        try:
            engines = load(bundle, spots, bundle.manifest.judging, cache)
        except BundleRefused as error:
            raise refused(error) from error
        widths = Widths.load(bundle, batches, cache, load)
        stamp = ProofStamp.beside(cache, bundle, spots)
        return cls(bundle, engines, widths, _second_thread() if beside else None, stamp)

    def encode(
        self,
        image: NDArray[np.uint8] | None,
        samples: NDArray[np.float32] | None,
        rate_hz: float = 0.0,
        degraded: tuple[str, ...] = (),
        begun: Begun | None = None,
    ) -> Embedding:
        """Encode one part from what is there of it.

        Args:
            image: BGR, (height, width, 3), or None.
            samples: acceleration [m/s^2], (n, 3), or None.
            rate_hz: of the samples [Hz].
            degraded: what is already known to be wrong with the inputs.
            begun: what this encoder has made of this picture before.

        Returns:
            The embedding, and what it lacks.

        Raises:
            BadData: nothing usable is left.
            DeviceFault: the device failed, or gave numbers that are none.
        """
        piece = Piece(image, samples, rate_hz, degraded)
        if begun is None or begun.image is not image:
            return self.encode_together([piece])[0]
        prepared = prepared_of(piece, self._bundle.manifest, begun.tensors)
        return _embedding(*prepared, *self._run([prepared[0]], {}, begun.made)[0])

    def begin(self, image: NDArray[np.uint8]) -> Begun:
        """Encode the picture of a part whose other inputs are not there yet, as far as that needs none of them.

        Args:
            image: BGR, (height, width, 3).

        Returns:
            What `encode` goes on from, to the same bits.

        Raises:
            BadData: the bundle has no use for the picture.
            DeviceFault: the device failed, or gave numbers that are none.
        """
        tensors, _ = prepared_of(Piece(image, None), self._bundle.manifest)
        own = {role: feed for role, feed in self._flow.beginnings(tensors).items() if feed.keys() <= tensors.keys()}
        return Begun(self, image, tensors, {role: self._engines[role].infer(feed) for role, feed in own.items()})

    def encode_together(self, pieces: Sequence[Piece]) -> list[Embedding]:
        """Encode several parts, together where so many are proven to come out right, or else one after the other.

        Args:
            pieces: what there is of each.

        Returns:
            An embedding of each, in the same order.

        Raises:
            BadData: nothing usable is left of one of them.
            DeviceFault: the device failed, or gave numbers that are none.
        """
        return self.encode_prepared([prepared_of(piece, self._bundle.manifest) for piece in pieces])

    def encode_prepared(self, prepared: Sequence[Prepared]) -> list[Embedding]:
        """Encode what `prepared_of` gave for the bundle of this encoder, else as `encode_together`."""
        made = self._run([tensors for tensors, _ in prepared], self._widths.of(len(prepared)))
        return [_embedding(*each, *own) for each, own in zip(prepared, made, strict=True)]

    @property
    def sizes(self) -> frozenset[int]:
        """How many pieces it may be given together, beside one."""
        return self._widths.sizes

    @property
    def complaints(self) -> list[str]:
        """Why it may not be given as many pieces together as was meant; a sentence each."""
        return self._widths.complaints

    def prove(self, *, quick: bool = False) -> int:
        """Encode the golden vectors again; of one that was vouched for, the first time, one of them.

        Args:
            quick: where all came out right here before, some are enough for now; the others are left to `prove_one`.

        Returns:
            How many it encoded.

        Raises:
            ConfigError: the golden vectors are no longer those of the bundle that was loaded.
            DeviceFault: one of them comes out differently from the desk.
        """
        if self._vouched:
            self._vouched = False
            self._golden.again(self._encoded)
            return 1
        try:
            return self._golden.prove(self._encoded, quick=quick)
        except BundleRefused as error:
            raise refused(error) from error

    @property
    def unproven(self) -> int:
        """How many golden vectors are still left to `prove_one`, after a quick proof."""
        return self._golden.left

    def prove_together(self) -> frozenset[int]:
        """Encode golden vectors again, several together; what comes out differently is not used.

        Returns:
            How many pieces it may be given together, beside one.
        """
        try:
            self._widths.prove(lambda samples, wide: self._golden.compare(samples, self._encoded(samples, wide)))
        except BundleRefused as error:
            raise refused(error) from error
        return self.sizes

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
        """Encode one golden vector again: of those that are left, or the first of the completest. Proven it must be.

        Returns:
            What it came out as.

        Raises:
            DeviceFault: it comes out differently from the desk.
        """
        sample, z = self._golden.one(self._encoded)
        return Embedding(quantise(z), sample.present)

    def close(self) -> None:
        """Release the engines; safe to call twice."""
        for engine in self._engines.values():
            engine.close()
        self._widths.close()
        if self._second is not None:
            self._second.close()

    def _encoded(self, samples: Sequence[Sample], wide: Mapping[str, Engine] = NONE) -> list[NDArray[np.float64]]:
        return [z for z, _ in self._run([sample.tensors for sample in samples], wide)]

    def _run(
        self, pieces: Sequence[Tensors], wide: Mapping[str, Engine], made: Mapping[str, Tensors] = NONE
    ) -> list[tuple[NDArray[np.float64], Tensors]]:
        """Give z of each piece, and every tensor on the way.

        `wide` computes so many together, by role; `made` is what roles were computed before, of a piece that is alone.
        """

        def infer(role: str, feeds: Sequence[Tensors]) -> Sequence[Tensors]:
            if role in made:
                return [made[role]]
            together = wide.get(role)
            if together is not None and len(feeds) > 1:
                filled = [*feeds, *[feeds[0]] * (len(pieces) - len(feeds))]  # some may lack what this part looks at
                return parted(together.infer(joined(filled)), len(pieces))[: len(feeds)]
            return [self._engines[role].infer(feed) for feed in feeds]

        if self._second is not None and len(pieces) == 1 and not made:
            flown = [self._second.run(self._flow, pieces[0], lambda role, feed: self._engines[role].infer(feed))]
        else:
            flown = self._flow.run_together(pieces, infer)
        try:
            return [(assemble(self._bundle.blocks, each.raw), each.tensors) for each in flown]
        except ValueError as error:
            raise DeviceFault(
                f"bundle {self._bundle.name}: {error}", hint="try the other runtime: [engine] runtime"
            ) from error


def _second_thread() -> SecondThread:
    from edge_agent.engines.second import SecondThread  # noqa: PLC0415 (most stations need none)

    return SecondThread()


def _embedding(given: Tensors, wrong: tuple[str, ...], z: NDArray[np.float64], seen: Tensors) -> Embedding:
    present = frozenset(Modality(SOURCES[name]) for name in given)
    tokens, features = seen.get(TOKENS), given.get(FEATURES)
    details = Details(None if tokens is None else tokens[0], None if features is None else features[0])
    return Embedding(quantise(z), present, wrong, details)


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
