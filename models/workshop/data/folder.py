"""A folder with a folder of pictures for each class; vibration lies beside a picture under the same name.

Cameras number what they record, and neighbours often show the same piece a moment later. So neighbouring numbers of a
class count as one thing. The folder is listed once and read when a sample is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from models.episodes import NEIGHBOURS, number_of
from models.picturefile import PICTURE_SUFFIXES
from models.workshop.data.files import RECORDING_SUFFIX, read_picture, read_recording
from models.workshop.data.sample import (
    IMAGE,
    VIBRATION,
    Entry,
    Sample,
    not_a_slug,
    ordered_classes,
    refuse_single_examples,
)
from models.workshop.errors import WorkshopError

_HINT: Final = "put the pictures of each class into a folder of its own, named like the class"


class FolderData:
    """Class folders: `good/0001.png`, `good/0001.npz`, `scratch/0002.jpg`, ….

    Args:
        folder: holds one folder for each class; files in it, and names that begin with a dot, do not count.
        neighbours: how far two numbers of a class may be apart and still be taken for the same thing; 0 where every
            number is a thing of its own. A name without a number always is.
        name: what a model card calls it; the folder's name where not given.
        licence: under which it may be used.

    Raises:
        WorkshopError: no such folder, no classes in it, names that no class can have, or a class with fewer than two
            examples.
    """

    def __init__(
        self, folder: Path, *, neighbours: int = NEIGHBOURS, name: str = "", licence: str = "not stated"
    ) -> None:
        if neighbours < 0:
            raise WorkshopError(f"neighbours must be 0 or more, got {neighbours}")
        self.name, self.licence = name or folder.resolve().name, licence
        self._files: dict[str, tuple[Path | None, Path | None]] = {}
        entries: list[Entry] = []
        for path in _class_folders(folder):
            found = _examples(path)
            things = _things(path.name, found, neighbours)
            for key, files in found.items():
                modalities = tuple(m for m, file in zip((IMAGE, VIBRATION), files, strict=True) if file)
                entries.append(Entry(key, path.name, (things[key],), modalities))
            self._files |= found
        refuse_single_examples(entries, str(folder))
        self.entries = tuple(entries)
        self.classes = ordered_classes(entry.label for entry in entries)

    def load(self, entry: Entry) -> Sample:
        """Read one sample; raises `BadSample` where it cannot be used."""
        picture, recording = self._files[entry.key]
        samples, rate_hz = read_recording(recording) if recording else (None, 0.0)
        return Sample(entry, read_picture(picture) if picture else None, samples, rate_hz)


def _class_folders(folder: Path) -> list[Path]:
    try:
        classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError as error:
        raise WorkshopError(f"{folder}: {error.strerror or error}", hint="name a folder of class folders") from None
    if not classes:
        raise WorkshopError(f"{folder}: no class folders in it", hint=_HINT)
    if wrong := [problem for path in classes if (problem := not_a_slug(path.name))]:
        raise WorkshopError(f"{folder}: {'; '.join(wrong)}", hint="rename these folders")
    return classes


def _examples(folder: Path) -> dict[str, tuple[Path | None, Path | None]]:
    """Give picture and recording of each example of a class, by key."""
    try:
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError as error:
        raise WorkshopError(f"{folder}: {error.strerror or error}", hint="check its permissions") from None
    pictures = [p for p in files if p.suffix.lower() in PICTURE_SUFFIXES]
    recordings = {p.stem: p for p in files if p.suffix.lower() == RECORDING_SUFFIX}
    if not pictures and not recordings:
        raise WorkshopError(
            f"{folder}: no examples of {folder.name} in it",
            hint=f"add pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) or remove the folder",
        )
    found: dict[str, tuple[Path | None, Path | None]] = {
        f"{folder.name}/{p.name}": (p, recordings.get(p.stem)) for p in pictures
    }
    seen = {p.stem for p in pictures}
    return found | {f"{folder.name}/{p.name}": (None, p) for stem, p in recordings.items() if stem not in seen}


def _things(label: str, keys: Iterable[str], neighbours: int) -> dict[str, str]:
    """Give the thing of each key."""
    things = {}
    numbered: dict[int, list[str]] = {}
    for key in keys:
        number = number_of(key)
        if number is None:
            things[key] = key
        else:
            numbered.setdefault(number, []).append(key)
    for run in _runs(sorted(numbered), neighbours):
        name = f"{label} {run[0]}" + (f"-{run[-1]}" if len(run) > 1 else "")
        things |= {key: name for number in run for key in numbered[number]}
    return things


def _runs(numbers: Sequence[int], neighbours: int) -> list[list[int]]:
    """Cut ascending numbers where they are more than `neighbours` apart."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number - runs[-1][-1] <= neighbours:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
