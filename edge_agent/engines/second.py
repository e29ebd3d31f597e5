"""A second thread, on which a part of a bundle computes on its device while another one does on its own.

It pays where two devices would wait for each other. Whether it does is measured; on one CPU it does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Final

from models.flow import Flow, Flown, Tensors

GAIN: Final = 0.05
"""What side by side must save at least: a thread that saves less is not worth having."""

SURE: Final = 1.29
"""Half of the 2.58 standard deviations that a hundredth of all normal noise exceeds, on either side."""


class SecondThread:
    """Runs the parts that can begin at once side by side. It belongs to the thread that uses it, and ends with it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "second")

    def run(self, flow: Flow, sources: Tensors, infer: Callable[[str, Tensors], Tensors]) -> Flown:
        """Run every part that can: the first on this thread, those that can begin at once on the other one.

        Args:
            flow: of the bundle.
            sources: source tensors by name.
            infer: runs the part of a role on its inputs and gives its outputs; on either thread, no part on both.

        Returns:
            What `Flow.run` would.
        """
        begins = list(flow.beginnings(sources).items())
        ahead = {role: self._thread.submit(infer, role, feed) for role, feed in begins[1:]}
        try:
            return flow.run(sources, lambda role, feed: ahead[role].result() if role in ahead else infer(role, feed))
        finally:
            wait(ahead.values())  # a part is nobody else's before it is over

    def close(self) -> None:
        """End the thread; safe to call twice."""
        self._thread.shutdown()


def is_quicker(beside_ms: Sequence[float], alone_ms: Sequence[float]) -> bool:
    """Say whether runs side by side are surely quicker than the runs one after the other that they took turns with.

    The median of the ratios has to be below what is worth it, by a bound that one in two hundred measurements of noise
    passes: no more than so many ratios may lie above (the sign test).

    Args:
        beside_ms: what runs side by side took [ms].
        alone_ms: what the run before or after each took, one part after the other [ms].

    Returns:
        Whether they are.
    """
    ratios = sorted(beside / alone for beside, alone in zip(beside_ms, alone_ms, strict=True))
    bound = math.ceil(len(ratios) / 2 + SURE * math.sqrt(len(ratios)))
    return bound < len(ratios) and ratios[bound] <= 1.0 - GAIN
