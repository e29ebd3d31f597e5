"""Several sources of samples as one."""

from __future__ import annotations

from collections.abc import Sequence

from models.workshop.data.sample import Dataset, Entry, Sample, ordered_classes


class JoinedData:
    """The samples of several sources, one source after the other.

    Args:
        sources: no two samples of them have the same key.

    Raises:
        ValueError: a key is there twice.
    """

    def __init__(self, sources: Sequence[Dataset]) -> None:
        self.name = " and ".join(source.name for source in sources)
        self.licence = "; ".join(sorted({source.licence for source in sources}))
        self.classes = ordered_classes(slug for source in sources for slug in source.classes)
        self.entries = tuple(entry for source in sources for entry in source.entries)
        self._source_of = {entry.key: source for source in sources for entry in source.entries}
        if len(self._source_of) < len(self.entries):
            raise ValueError("a key is there twice")

    def load(self, entry: Entry) -> Sample:
        """Read one sample; raises `BadSample` where it cannot be used."""
        return self._source_of[entry.key].load(entry)
