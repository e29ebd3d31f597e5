"""From labelled things to a corpus: pictures scaled and run through the backbone, windows through pre-processing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.augment import AUGMENTATIONS, augment_picture, augment_vibration
from models.castings import NORMAL
from models.features import prepare_picture, vibration_features, vibration_frames
from models.source import PictureSpec
from models.workshop.corpus import Corpus
from models.workshop.data import Dataset, Entry, ordered_classes
from models.workshop.encoders import GREY_MEAN, GREY_STD, Maps
from models.workshop.export import exported
from models.workshop.fusion import FusionModel
from models.workshop.progress import tracked
from models.workshop.runner import Model


def picture_spec(side_px: int) -> PictureSpec:
    """Give the pre-processing that every backbone here expects, for a square tensor of side `side_px`."""
    return PictureSpec(
        width=side_px, height=side_px, colour="rgb", mean=(GREY_MEAN,) * 3, std=(GREY_STD,) * 3, fit="squash"
    )


def tensor_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Give the source tensor of a scaled picture, (1, 3, side, side)."""
    levels = np.ascontiguousarray(picture.transpose(2, 0, 1), dtype=np.float32)
    return ((levels - np.float32(GREY_MEAN)) * np.float32(1.0 / GREY_STD))[None]


def collect(
    dataset: Dataset,
    entries: Sequence[Entry],
    model: FusionModel,
    *,
    shows: Mapping[str, tuple[bool, bool]],
    line_of: Callable[[Entry], str],
    varied: bool,
) -> Corpus:
    """Make a corpus, with a progress bar.

    Args:
        dataset: where the samples are.
        entries: which ones.
        model: its backbone sees the pictures, its vibration encoder says what it wants to hear.
        shows: whether a class differs from good parts in picture and vibration; both where it is not named.
        line_of: names the line of a sample; only samples of one line are compared with each other.
        varied: take each sample as one of its label-preserving variants, in turn.

    Returns:
        The corpus.
    """
    side_px, encoder = model.design.side_px, model.vibration_encoder
    spec = picture_spec(side_px)
    hear = vibration_features if encoder.source == "vibration" else vibration_frames
    count = len(entries)
    pictures = np.zeros((count, side_px, side_px, 3), np.uint8)
    heard = np.zeros((count, *encoder.shape), np.float32)
    present = np.zeros((count, 2), np.bool_)
    maps: tuple[list[NDArray[np.float16]], list[NDArray[np.float16]]] = ([], [])
    backbone = _backbone(model) if model.image_encoder.frozen else None
    for i, entry in enumerate(tracked(entries, count, "pictures and windows")):
        sample, k = dataset.load(entry), i % AUGMENTATIONS if varied else 0
        if sample.picture is not None:
            tensor = prepare_picture(augment_picture(sample.picture, k), spec)[0].transpose(1, 2, 0)
            pictures[i] = np.rint(tensor * GREY_STD + GREY_MEAN)
        if sample.samples is not None:
            heard[i] = hear(augment_vibration(sample.samples, k), sample.rate_hz, model.design.vibration)[0]
        present[i] = sample.picture is not None, sample.samples is not None
        if backbone is not None:
            seen = backbone.run({"picture": tensor_of(pictures[i])})
            for rows, name in zip(maps, Maps._fields, strict=True):
                rows.append(seen[name][0].astype(np.float16))
    classes = ordered_classes(dataset.classes)
    return Corpus(
        classes=classes,
        shows=np.array([shows.get(slug, (slug != NORMAL,) * 2) for slug in classes]),
        pictures=pictures,
        fine=np.array(maps[0], dtype=np.float16),
        coarse=np.array(maps[1], dtype=np.float16),
        vibration=heard,
        present=present,
        labels=np.array([classes.index(entry.label) for entry in entries]),
        lines=_numbered([line_of(entry) for entry in entries]),
        things=_numbered([entry.things[0] for entry in entries]),
    )


def _backbone(model: FusionModel) -> Model:
    """Give the frozen backbone on a runtime that is several times as fast as torch."""
    with tempfile.TemporaryDirectory() as scratch:
        example = {"picture": torch.zeros(1, 3, model.design.side_px, model.design.side_px)}
        part = exported(model.image_encoder.backbone.eval(), example, Maps._fields, Path(scratch) / "backbone.onnx")
    return Model(part.SerializeToString())


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    """Give each name a number, the same for the same name."""
    return np.unique(names, return_inverse=True)[1].astype(np.int64)
