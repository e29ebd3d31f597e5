"""The source tensors of a bundle: how a picture and a vibration window become numbers, as a bundle declares it.

Frozen typed records that refuse what makes no sense; the arithmetic is in `features`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

from models.tensor import Count

FEATURES: Final = "vibration"
"""The source tensor with the features of a window, (1, features)."""

SOURCES: Final[Mapping[str, str]] = {"picture": "image", FEATURES: "vibration", "vibration_frames": "vibration"}
"""The tensors that pre-processing makes, and the modality each is of; everything else comes out of a part."""

MASKS: Final[Mapping[str, str]] = {"image_mask": "image", "vibration_mask": "vibration"}
"""Inputs that say which tokens are there: 1 where the part has the modality, 0 where it lacks it."""

Three = tuple[float, float, float]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A TOML table that refuses unknown keys and numbers that are not finite."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value}")


class PictureSpec(Table, frozen=True):
    """How a picture becomes the source tensor `picture`, (1, 3, height, width) float32.

    Attributes:
        width: of the tensor [px].
        height: of the tensor [px].
        colour: order of the channels.
        mean: subtracted from each channel, on the scale 0 to 255.
        std: each channel is divided by it afterwards, on the scale 0 to 255.
        fit: `squash` scales both axes independently, so that the whole part is seen and nothing is padding.
    """

    width: Count
    height: Count
    colour: Literal["rgb"]
    mean: Three
    std: Three
    fit: Literal["squash"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (all(map(math.isfinite, self.mean)) and all(0.0 < s < math.inf for s in self.std)):
            raise ValueError(f"mean must be finite and std positive, got {self.mean} and {self.std}")


class VibrationSpec(Table, frozen=True):
    """How a vibration window becomes the source tensor `vibration`.

    Attributes:
        duration_ms: span that is looked at [ms].
        window_ms: length of one analysis frame [ms].
        hop_ms: distance of two frames [ms].
        bands: number of logarithmic bands.
        low_hz: lower edge of the first band [Hz].
        high_hz: upper edge of the last band [Hz].
    """

    duration_ms: Annotated[float, msgspec.Meta(gt=0.0)]
    window_ms: Annotated[float, msgspec.Meta(gt=0.0)]
    hop_ms: Annotated[float, msgspec.Meta(gt=0.0)]
    bands: Count
    low_hz: Annotated[float, msgspec.Meta(gt=0.0)]
    high_hz: Annotated[float, msgspec.Meta(gt=0.0)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window_ms > self.duration_ms:
            raise ValueError(f"window_ms {self.window_ms} is longer than duration_ms {self.duration_ms}")
        if self.low_hz >= self.high_hz:
            raise ValueError(f"low_hz {self.low_hz} is not below high_hz {self.high_hz}")
