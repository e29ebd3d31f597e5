"""An engine without a runtime: a function with declared tensors, and faults at calls told in advance."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

import numpy as np

from edge_agent.engines.base import Array, checked, finite
from models.tensor import TensorSpec


def go_on(call: int) -> None:
    """Do nothing before a call."""


class TableEngine:
    """Answers with a function, as a real engine would with a model.

    Args:
        inputs: what it takes.
        outputs: what it gives.
        answer: gives the outputs for the inputs.
        fail_on: the error to raise at a call; the first call is 1.
        nan_on: calls whose floating-point outputs become NaN.
        before: is told each call's number before it is answered; it may block, as a hanging device does.
    """

    def __init__(
        self,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        answer: Callable[[dict[str, Array]], Mapping[str, Array]],
        *,
        fail_on: Mapping[int, Exception] | None = None,
        nan_on: Container[int] = (),
        before: Callable[[int], None] = go_on,
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.calls = 0
        self.closed = False
        self._answer = answer
        self._fail_on = fail_on or {}
        self._nan_on = nan_on
        self._before = before

    def infer(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """Answer once; see `Engine.infer`."""
        if self.closed:
            raise RuntimeError("this engine is closed")
        feed = checked(self.inputs, tensors)
        self.calls += 1
        self._before(self.calls)
        if self.calls in self._fail_on:
            raise self._fail_on[self.calls]
        answer = self._answer(feed)
        outputs = {spec.name: np.array(answer[spec.name]) for spec in self.outputs}
        if wrong := [spec.name for spec in self.outputs if not spec.accepts(outputs[spec.name])]:
            raise AssertionError(f"the table's answer is not as declared: {', '.join(wrong)}")
        if self.calls in self._nan_on:
            for array in outputs.values():
                if array.dtype.kind == "f":
                    array.fill(np.nan)
        return finite(outputs, feed)

    def close(self) -> None:
        """Refuse every call from now on."""
        self.closed = True
