"""What a tensor is on the way into and out of a model: a name, a static shape and an element type."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from numpy.typing import NDArray

Count = Annotated[int, msgspec.Meta(ge=1, le=2**31)]
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
DType = Literal["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


class TensorSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Name, static shape and type of one tensor.

    Attributes:
        name: the tensor's one name in the whole bundle.
        shape: its sizes, outermost first; no dynamic dimensions.
        dtype: numpy's name of the element type.
    """

    name: Line
    shape: tuple[Count, ...]
    dtype: DType

    def accepts(self, array: NDArray[Any]) -> bool:
        """Say whether `array` has this shape and type."""
        return array.shape == self.shape and array.dtype == self.dtype

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"
