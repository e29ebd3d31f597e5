"""The tokens and embeddings of a folder's pictures, made as on the station, and the masks beside them.

Each picture is read once and only its rounded tokens and embedding are kept. What cannot be used is said and left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from edge_agent.config import EngineConfig, RecipeConfig
from edge_agent.errors import BadData, ConfigError
from edge_agent.evaluate.options import EvaluateOptions
from edge_agent.evaluate.pictures import each_made, leave_out
from edge_agent.inspection.encode import load_bundle
from edge_agent.inspection.trace import Perceived, Tracer
from edge_agent.sources.files import list_class_folders, read_picture
from models import Bundle
from models.bundle import TOKENS
from models.tokenbank import Small, rounded

MASK_FOLDERS: Final = ("ground_truth", "masks")
"""Folders beside the classes that hold masks: `<class>/NAME_mask.png`, as MVTec AD has them, or `<class>/NAME.png`."""

FINER: Final = 4
"""Pixels of a mask in one region of the picture, each way."""


class Looked(NamedTuple):
    """What is kept of a picture.

    Attributes:
        tokens: shape (regions, width), int8.
        q: the embedding, int16, (d,).
    """

    tokens: Small
    q: NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Folder:
    """What is there to ask about.

    Attributes:
        bundle: what made the tokens.
        grid: rows and columns of the tokens.
        pictures: by class and name.
        masks: by class and name, (rows * FINER, columns * FINER), bool: where the defect is.
        left_out: what is not used, and why.
    """

    bundle: Bundle
    grid: tuple[int, int]
    pictures: Mapping[str, Mapping[str, Looked]]
    masks: Mapping[str, Mapping[str, NDArray[np.bool_]]]
    left_out: tuple[str, ...]


def read_folder(options: EvaluateOptions, progress: Progress) -> Folder:
    """Make the tokens and embeddings of a folder's pictures.

    Args:
        options: what a person chose.
        progress: shows how far it is.

    Returns:
        All that is there to ask about.

    Raises:
        BadData: the folder has no good parts, or nothing else.
        ConfigError: the bundle is refused, or gives no tokens of pictures.
    """
    listed = {s: p for s, p in list_class_folders(options.folder).items() if s not in MASK_FOLDERS}
    options.check(listed)
    bundle = load_bundle(RecipeConfig(bundle=options.bundle).resolved(Path.cwd()).bundle_dir)
    if bundle.normal not in listed or len(listed) < 2:
        raise BadData(
            f"{options.folder}: want a folder {bundle.normal} and one for each kind of defect, found "
            f"{', '.join(sorted(listed)) or 'none'}",
            hint=f"put the pictures of good parts into {bundle.normal}/ and those of defects beside it",
        )
    grid = _grid(bundle)
    paths = {slug: {path.name: path for path in of_class} for slug, of_class in listed.items()}
    tracer = Tracer.load(bundle, EngineConfig())
    try:
        left_out: list[str] = []
        pictures = each_made(paths, lambda slug, name: _looked(tracer, paths[slug][name]), progress, left_out)
    finally:
        tracer.close()
    for slug in [slug for slug, made in pictures.items() if not made]:
        leave_out(BadData(f"class {slug} has no usable picture"), left_out)
        del pictures[slug]
    masks = {slug: _masks(options.folder, slug, list(made), grid) for slug, made in pictures.items()}
    return Folder(bundle, grid, pictures, masks, tuple(left_out))


def _looked(tracer: Tracer, path: Path) -> Looked:
    trace = tracer.trace(Perceived(read_picture(path)))
    return Looked(rounded(trace.seen[TOKENS][0]), trace.q)


def _grid(bundle: Bundle) -> tuple[int, int]:
    """Give the grid of the tokens, or say that there are none."""
    if bundle.grid is None:
        raise ConfigError(
            f"bundle {bundle.name} gives no tokens of pictures, which good-only detection needs",
            hint="ask with --bundle generic, castings or steel",
        )
    return bundle.grid


def _masks(folder: Path, slug: str, names: list[str], grid: tuple[int, int]) -> dict[str, NDArray[np.bool_]]:
    """Read the masks that there are of a class's pictures; any brightness is defect, as in MVTec AD."""
    found: dict[str, NDArray[np.bool_]] = {}
    size = grid[1] * FINER, grid[0] * FINER
    for name in names:
        stem = Path(name).stem
        for path in (folder / top / slug / f"{stem}{end}.png" for top in MASK_FOLDERS for end in ("_mask", "")):
            if path.is_file():
                marked = (read_picture(path).max(axis=2) > 0).astype(np.float32)
                found[name] = cv2.resize(marked, size, interpolation=cv2.INTER_AREA) >= 0.5
                break
    return found
