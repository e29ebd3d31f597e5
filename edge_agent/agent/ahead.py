"""Prepares what a lesson encodes next, on the background thread while the device is at the variant before it."""

from __future__ import annotations

from typing import Final

from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.inspection.encode import Encoder
from edge_agent.inspection.piece import Piece, Prepared, prepared_of
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson, Place
from edge_agent.records import Embedding
from edge_agent.runtime.background import Background, Chore
from models import Bundle

KEPT_BYTES: Final = 8 << 20
"""Pictures of a lesson that are made ready to be kept before it is learned: twenty of 480 x 480 px."""


class Ahead:
    """One variant of a lesson that is ready before the device is, and the pictures that are to be kept.

    Belongs to the loop thread. Where the background has other things to do, the device prepares for itself, and
    nothing waits.

    Args:
        lesson: whose variants.
        bundle: that encodes them.
        background: prepares them.
    """

    def __init__(self, lesson: Lesson, bundle: Bundle, background: Background) -> None:
        self._lesson = lesson
        self._bundle = bundle
        self._background = background
        self._ready: tuple[Place, Prepared] | None = None
        self._taken: tuple[Place, Prepared | None] | None = None
        self._busy = False
        self._kept_bytes = 0

    def take(self) -> Prepared | None:
        """Give the variant that the lesson is at, where it is ready, and begin to prepare the one after it.

        Asked again before the lesson has gone on, it gives the same.
        """
        lesson, place, ready = self._lesson, self._lesson.at, self._ready
        if place is None:
            return None
        if self._taken is not None and self._taken[0] == place:
            return self._taken[1]
        prepared = ready[1] if ready is not None and ready[0] == place else None
        self._taken = place, prepared
        following = lesson.after(place)
        if following is not None and not self._busy:
            self._busy = self._background.submit(
                Chore(
                    lambda: self.prepared_example(lesson.variant(following)),
                    lambda result: self._keep(following, result),
                )
            )
        if place[1] == 1 and self._kept_bytes < KEPT_BYTES:
            example = lesson.example(place)
            self._background.submit(Chore(lambda: example.png, self._count))
        return prepared

    def prepared_example(self, example: Example) -> Prepared:
        """Prepare an example as the device would; some milliseconds, from any thread; raises as `prepared_of`."""
        return prepared_of(Piece(example.image, example.samples, example.rate_hz), self._bundle.manifest)

    def _keep(self, place: Place, result: Prepared | EdgeAgentError) -> None:
        self._busy = False
        if not isinstance(result, EdgeAgentError):  # the device comes to the same error, and says it
            self._ready = place, result

    def _count(self, png: bytes | EdgeAgentError) -> None:
        if not isinstance(png, EdgeAgentError):  # whoever keeps it comes to the same error
            self._kept_bytes += len(png)


def encode(encoder: Encoder, lesson: Lesson, prepared: Prepared | None) -> Embedding:
    """Encode the variant that a lesson is at, on the device's thread.

    Args:
        encoder: of the bundle that it was prepared for.
        lesson: looks at what comes of it.
        prepared: of that variant; None where it is to be prepared here.

    Returns:
        The embedding.

    Raises:
        BadData: nothing usable is left of the variant.
        DeviceFault: the device failed.
    """
    if prepared is not None:
        return lesson.look(encoder.encode_prepared([prepared])[0])
    variant = lesson.next_variant()
    if variant is None:
        raise BadData("the lesson has nothing left to encode")
    return lesson.look(encoder.encode(variant.image, variant.samples, variant.rate_hz))
