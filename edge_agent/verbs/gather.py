"""Files on the command line become parts: a picture and a vibration file with the same name belong to one part.

Of two pictures, or two vibration files, with one name the second is a part of its own. Each part is read when its turn
comes, so that a folder of any size needs little memory; what cannot be read is said and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import BadData
from edge_agent.learning.example import MAX_EXAMPLES, Example
from edge_agent.records import Modality
from edge_agent.sources.files import WAVEFORM_DECODERS, read_picture, read_vibration
from models.picturefile import PICTURE_SUFFIXES


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

    def read_usable(self, left_out: Callable[[BadData], object]) -> Example | None:
        """Read what can be read of the part.

        Args:
            left_out: hears of each file that is unusable.

        Returns:
            The part as far as it can be read; None when nothing can.
        """
        image, samples, rate_hz = None, None, 0.0
        try:
            image = PartFiles(picture=self.picture).read().image
        except BadData as error:
            left_out(error)
        try:
            window = PartFiles(vibration=self.vibration).read()
            samples, rate_hz = window.samples, window.rate_hz
        except BadData as error:
            left_out(error)
        return None if image is None and samples is None else Example(self.name, image, samples, rate_hz)


def part_files(paths: Sequence[Path]) -> list[PartFiles]:
    """Find the parts that files and folders name, in the order given, a folder's sorted by name.

    Args:
        paths: files and folders; a file named outright with an unknown suffix is taken as a picture.

    Returns:
        The files of each part.

    Raises:
        BadData: a path does not exist, or a folder holds neither pictures nor vibration.
    """
    found: dict[tuple[Path, str | None], PartFiles] = {}
    for file in (file for path in paths for file in _files_in(path)):
        is_vibration = file.suffix.lower() in WAVEFORM_DECODERS
        key: tuple[Path, str | None] = (file.with_suffix(""), None)
        have = found.get(key, PartFiles())
        if (have.vibration if is_vibration else have.picture) not in (None, file):
            key, have = (key[0], file.suffix), PartFiles()
        found[key] = PartFiles(have.picture, file) if is_vibration else PartFiles(file, have.vibration)
    return list(found.values())


def modalities_of(parts: Sequence[PartFiles]) -> frozenset[Modality]:
    """Say by what the parts are perceived."""
    seen = {Modality.IMAGE for part in parts if part.picture is not None}
    return frozenset(seen | {Modality.VIBRATION for part in parts if part.vibration is not None})


def readable(parts: Sequence[PartFiles], left_out: Callable[[BadData], object]) -> Iterator[Example]:
    """Read the parts one by one; one that cannot be read whole is left out.

    Args:
        parts: what to read.
        left_out: hears why, for each part that is left out.

    Yields:
        The others.
    """
    for part in parts:
        try:
            yield part.read()
        except BadData as error:
            left_out(error)


def batches(examples: Iterable[Example], most_bytes: int) -> Iterator[tuple[list[Example], bool]]:
    """Put examples together as they come, so that no more than one batch of them is held.

    Args:
        examples: what to put together.
        most_bytes: size of the arrays of a batch; one example that is larger goes alone.

    Yields:
        Batches that each fit one lesson, and whether another one follows.
    """
    batch: list[Example] = []
    batch_bytes = 0
    for example in examples:
        example_bytes = sum(array.nbytes for array in (example.image, example.samples) if array is not None)
        if batch and (batch_bytes + example_bytes > most_bytes or len(batch) == MAX_EXAMPLES):
            yield batch, True
            batch, batch_bytes = [], 0
        batch.append(example)
        batch_bytes += example_bytes
    if batch:
        yield batch, False


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
