"""Imaginary lines as a source of samples: surfaces and flaws drawn from seeds, of which nothing is real."""

from __future__ import annotations

from collections.abc import Iterable

from models.castings import NORMAL
from models.workshop.data.sample import IMAGE, Entry, Sample, ordered_classes, refuse_single_examples
from models.workshop.errors import WorkshopError
from models.workshop.textures import draw_line


class DrawnData:
    """Pictures of every class of some imaginary lines; every picture is of a thing of its own.

    Classes are called by their number on the line, `flaw_1` to `flaw_6` beside `good`: the same name on two lines means
    two things, so only samples of one line (trait `line`) can be compared.

    Args:
        lines: seeds of the lines.
        examples: pictures of each class of a line.

    Raises:
        WorkshopError: no line, a line twice, or a negative seed.
    """

    licence = "Apache-2.0"

    def __init__(self, lines: Iterable[int], examples: int) -> None:
        seeds = tuple(lines)
        if len(set(seeds)) < len(seeds) or any(seed < 0 for seed in seeds):
            raise WorkshopError(f"lines must be different numbers from 0 on, got {seeds}")
        self.name = f"{len(seeds)} imaginary lines of textures and flaws"
        self._lines = {str(seed): draw_line(seed) for seed in seeds}
        self._made: dict[str, tuple[str, int, int]] = {}
        entries = [
            self._entry(line, class_index, number)
            for line, drawn in self._lines.items()
            for class_index in range(len(drawn.classes))
            for number in range(examples)
        ]
        refuse_single_examples(entries, "imaginary lines")
        self.entries = tuple(entries)
        self.classes = ordered_classes(entry.label for entry in entries)

    def load(self, entry: Entry) -> Sample:
        """Draw one."""
        line, class_index, number = self._made[entry.key]
        return Sample(entry, self._lines[line].picture(class_index, number))

    def _entry(self, line: str, class_index: int, number: int) -> Entry:
        label = f"flaw_{class_index}" if class_index else NORMAL
        key = f"line {line} {label} {number}"
        self._made[key] = line, class_index, number
        return Entry(key, label, (key,), (IMAGE,), {"line": line})
