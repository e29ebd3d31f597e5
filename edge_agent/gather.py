"""Files on the command line become parts: a picture and a vibration file with the same name belong to one part.

Each part is read when its turn comes, so that a folder of any size needs little memory; what cannot be read is said
and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import BadData
from edge_agent.learning.example import Example
from edge_agent.records import Modality
from edge_agent.sources.files import PICTURE_SUFFIXES, WAVEFORM_DECODERS, read_picture, read_vibration


@dataclass(frozen=True)
class PartFiles:
    """The files of one part; at least one of the two is there.

    Attributes:
        picture: the picture file.
        vibration: the vibration file.
    """

    picture: Path | None = None
    vibration: Path | None = None

    @property
    def name(self) -> str:
        """What people call the part."""
        return str(self.picture or self.vibration)

    def read(self) -> Example:
        """Read the files; raise `BadData` when one of them is unusable."""
        image = None if self.picture is None else read_picture(self.picture)
        samples, rate_hz = (None, 0.0) if self.vibration is None else read_vibration(self.vibration)
        return Example(self.name, image, samples, rate_hz)


def part_files(paths: Sequence[Path]) -> list[PartFiles]:
    """Find the parts that files and folders name, in the order given, a folder's sorted by name.

    Args:
        paths: files and folders; a file named outright with an unknown suffix is taken as a picture.

    Returns:
        The files of each part.

    Raises:
        BadData: a path does not exist, or a folder holds neither pictures nor vibration.
    """
    found: dict[Path, PartFiles] = {}
    for path in paths:
        for file in _files_in(path):
            key = file.with_suffix("")
            have = found.get(key, PartFiles())
            if file.suffix.lower() in WAVEFORM_DECODERS:
                found[key] = PartFiles(have.picture, file)
            else:
                found[key] = PartFiles(file, have.vibration)
    return list(found.values())


def modalities_of(parts: Sequence[PartFiles]) -> frozenset[Modality]:
    """Say by what the parts are perceived."""
    seen = {Modality.IMAGE for part in parts if part.picture is not None}
    return frozenset(seen | {Modality.VIBRATION for part in parts if part.vibration is not None})


def readable(parts: Sequence[PartFiles], unusable: list[BadData]) -> Iterator[Example]:
    """Read the parts one by one; what cannot be read is added to `unusable`.

    Args:
        parts: what to read.
        unusable: takes one error for each part that is left out.

    Yields:
        The others.
    """
    for part in parts:
        try:
            yield part.read()
        except BadData as error:
            unusable.append(error)


def _files_in(path: Path) -> list[Path]:
    if not path.exists():
        raise BadData(f"{path}: no such file or folder", hint="check the spelling of the path")
    if not path.is_dir():
        return [path]
    suffixes = PICTURE_SUFFIXES | WAVEFORM_DECODERS.keys()
    try:
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and file.is_file())
    except OSError as error:
        raise BadData(f"{path}: cannot be read ({error.strerror})", hint="check its permissions") from None
    if not files:
        raise BadData(
            f"{path}: no pictures and no vibration files in it",
            hint=f"put files into it that end in {', '.join(sorted(suffixes))}",
        )
    return files
