"""Embeds pictures and windows with a bundle as the station does, so that the desk can measure what that is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.augment import augment_picture, augment_vibration
from models.bundle import Bundle
from models.embedding import quantise
from models.features import prepare_picture, prepare_vibration
from models.workshop.runner import Runner


class Embedder:
    """A bundle as the station runs it.

    Args:
        bundle: what to run.
        runtime: one of `runner.RUNTIMES`.
    """

    def __init__(self, bundle: Bundle, runtime: str = "openvino") -> None:
        self._manifest = bundle.manifest
        parts = {part.role: bundle.part_bytes(part.role) for part in bundle.manifest.parts}
        self._runner = Runner(bundle.manifest, parts, runtime)

    def q(
        self, picture: NDArray[np.uint8] | None, samples: NDArray[np.float32] | None, rate_hz: float, k: int = 0
    ) -> NDArray[np.int16]:
        """Embed variant `k` of a sample.

        Args:
            picture: BGR, (h, w, 3); None leaves it out.
            samples: acceleration [m/s^2], (n, 3); None leaves it out.
            rate_hz: sample rate [Hz].
            k: which variant; 0 is the sample itself.

        Returns:
            q, shape (d,); zero where a modality was left out.

        Raises:
            ValueError: the bundle cannot look at such a sample.
        """
        sources: dict[str, NDArray[np.float32]] = {}
        if samples is not None:
            sources = prepare_vibration(augment_vibration(samples, k), rate_hz, self._manifest)
        if picture is not None:
            assert self._manifest.picture is not None
            sources["picture"] = prepare_picture(augment_picture(picture, k), self._manifest.picture)
        return quantise(self._runner.embed(sources))
