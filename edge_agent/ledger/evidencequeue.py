"""Which kept files go next, and how much is kept: what a quota needs to know, in memory that does not grow with it.

Only the files that go next are known by name; when these have gone, it takes another look at all of them. It reads no
file itself.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterable
from typing import Final

from edge_agent.ledger.evidencefile import EvidenceFile

KNOWN: Final = 1024
"""Files that are known by name: half a megabyte, and one look at all files for the evidence of some 500 parts."""


class EvidenceQueue:
    """The kept files in the order in which they go.

    Attributes:
        count: how many are kept.
        size_bytes: how large they are together [bytes].

    Args:
        files: all that are kept, in any order.
        known: files that are known by name, at most.
    """

    def __init__(self, files: Iterable[EvidenceFile] = (), known: int = KNOWN) -> None:
        self._known = known
        self.count = 0
        self.size_bytes = 0
        self._next = heapq.nsmallest(known, map(self._counted, files), key=_worth)  # nothing else is worth less

    @property
    def is_exhausted(self) -> bool:
        """None of those that are kept is known by name: it takes another look at all of them."""
        return self.count > 0 and not self._next

    def add(self, file: EvidenceFile) -> None:
        """Hear that a file is kept that was not; one of the same name that is known was removed by somebody else."""
        for gone in [known for known in self._next if known.stem == file.stem]:
            self.drop(gone)
        all_known = self.count == len(self._next)
        self._counted(file)
        if all_known or (self._next and _worth(file) < _worth(self._next[-1])):
            insort(self._next, file, key=_worth)
            del self._next[self._known :]

    def drop(self, file: EvidenceFile) -> None:
        """Hear that a file is kept no more."""
        self.count -= 1
        self.size_bytes -= file.size_bytes
        if file in self._next:
            self._next.remove(file)

    def first(self) -> EvidenceFile | None:
        """Give the file that goes next; None where nothing is kept, or it is not known."""
        return self._next[0] if self._next else None

    def _counted(self, file: EvidenceFile) -> EvidenceFile:
        self.count += 1
        self.size_bytes += file.size_bytes
        return file


def _worth(file: EvidenceFile) -> tuple[tuple[bool, int], str]:
    return file.worth, file.stem  # files of one part have the same worth: windows are behind pictures
