"""Weights of a fusion model as a file: what it is built of, and its tensors. Nothing in it can run."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Final

import msgspec
import torch

from models.workshop.errors import WorkshopError
from models.workshop.fusion import Design, FusionModel

MAX_BYTES: Final = 2 * 1024**3
"""A ResNet-50 with everything behind it has 0.1 GB."""

HOW: Final = "make one: python -m models.workshop.learn DATA --out RUN writes RUN/weights.pth"


def save_weights(model: FusionModel, path: Path) -> None:
    """Write a model's weights; the file is there when it is whole.

    Args:
        model: whose.
        path: where to.
    """
    fresh = path.with_name(f".{path.name}.part")
    torch.save({"design": msgspec.to_builtins(model.design), "state": model.state_dict()}, fresh)
    fresh.rename(path)


def load_weights(path: Path) -> FusionModel:
    """Build the model that a file holds.

    Args:
        path: what `save_weights` wrote.

    Returns:
        The model, in evaluation mode.

    Raises:
        WorkshopError: there is no such file, it is damaged, or holds something else.
    """
    content = _content(path)
    try:
        design = msgspec.convert(content["design"], Design)
        model = FusionModel(
            design.image_encoder,
            design.vibration_encoder,
            design.fusion_method,
            classes=design.classes,
            vibration=design.vibration,
            side_px=design.side_px,
            untouched_dims=design.untouched_dims,
        )
        _fill(model, content["state"], path)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise WorkshopError(f"{path} holds no weights of a fusion model: {error}", hint=HOW) from None
    return model.eval()


def load_into(model: FusionModel, path: Path) -> None:
    """Give a model the weights of a file; its classes become those of the file.

    Args:
        model: of the same encoders and method.
        path: what `save_weights` wrote.

    Raises:
        WorkshopError: no such file, damaged, or of another model; says which part differs.
    """
    stored = load_weights(path)
    for name in ("image_encoder", "vibration_encoder", "fusion_method", "vibration", "side_px"):
        have, want = getattr(stored.design, name), getattr(model.design, name)
        if have != want:
            raise WorkshopError(
                f"{path} holds weights of another model: its {name.replace('_', ' ')} is {have}, wanted is {want}",
                hint="build the model with the same, or make other weights",
            )
    model.directions, model.design = stored.directions, stored.design
    model.untouched, model.image_pool = stored.untouched, stored.image_pool
    model.load_state_dict(stored.state_dict())


def _content(path: Path) -> dict[str, Any]:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise WorkshopError(f"{path} has {size} bytes, weights have at most {MAX_BYTES}", hint=HOW)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WorkshopError(f"there are no weights {path}", hint=HOW) from None
    except OSError as error:
        raise WorkshopError(f"{path} cannot be read: {error.strerror or error}", hint="check the disk") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError):
        raise WorkshopError(f"{path} is damaged, or holds more than tensors and text", hint=HOW) from None
    if not isinstance(content, dict):
        raise WorkshopError(f"{path} holds no weights of a fusion model", hint=HOW)
    return content


def _fill(model: FusionModel, state: Any, path: Path) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        reasons = [line.strip() for line in str(error).splitlines()[1:]]
        raise WorkshopError(
            f"{path} holds weights of another architecture: {reasons[0] if reasons else error}", hint=HOW
        ) from None
