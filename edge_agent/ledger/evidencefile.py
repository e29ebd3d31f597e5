"""What the files of a part's evidence are called: all that a quota needs to know of them. Pure; it reads no file.

    pictures/ab/REST.UTC_MS.OUTCOME.SIZE.png       abREST: SHA-256 of the bytes, so that equal pictures are kept once
    windows/ab/REST.UTC_MS.OUTCOME.SIZE.window     abREST: SHA-256 of time, number and series of the part

Time and outcome are those of the part; by them its two files are known to belong together.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from edge_agent.records import Outcome, Part

_ENDINGS: Final = {"pictures": "png", "windows": "window"}
_KINDS: Final = {Outcome.OK: "ok", Outcome.NG: "ng"}
_NAME: Final = re.compile(
    r"((pictures|windows)/[0-9a-f]{2}/[0-9a-f]{62})\.(\d{1,16})\.(ok|ng|unsure)\.(\d{1,12})\.(png|window)"
)

FOLDERS: Final = tuple(f"{folder}/{shard:02x}" for folder in _ENDINGS for shard in range(256))
"""Where they are, in the state directory."""


@dataclass(frozen=True)
class EvidenceFile:
    """A picture or a window, as its name tells it.

    Attributes:
        stem: what it is looked up by: folder and digest.
        utc_ms: wall time of the answer about its part [ms since the epoch].
        kind: the answer: `ok`, `ng` or `unsure`.
        size_bytes: its size [bytes].
    """

    stem: str
    utc_ms: int
    kind: str
    size_bytes: int

    @classmethod
    def of(cls, part: Part, stem: str, size_bytes: int) -> Self:
        """Give the file of a part."""
        return cls(stem, _utc_ms(part), _KINDS.get(part.verdict.outcome, "unsure"), size_bytes)

    @classmethod
    def parsed(cls, name: str) -> Self | None:
        """Give the file of a name; None where the name is not one of ours."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        stem, folder, utc_ms, kind, size_bytes, ending = match.groups()
        return cls(stem, int(utc_ms), kind, int(size_bytes)) if ending == _ENDINGS[folder] else None

    @property
    def name(self) -> str:
        """Its name in the state directory."""
        ending = _ENDINGS[self.stem.partition("/")[0]]
        return f"{self.stem}.{self.utc_ms}.{self.kind}.{self.size_bytes}.{ending}"

    @property
    def is_good(self) -> bool:
        """It is of an OK part."""
        return self.kind == "ok"

    @property
    def worth(self) -> tuple[bool, int]:
        """What is to go first, of good parts and old, is worth less."""
        return not self.is_good, self.utc_ms


def picture_stem(digest: str) -> str:
    """Give the stem of a picture."""
    return f"pictures/{digest[:2]}/{digest[2:]}"


def window_stem(part: Part) -> str:
    """Give the stem of a part's window."""
    key = hashlib.sha256(f"{_utc_ms(part)} {part.trigger.number} {part.trigger.series}".encode()).hexdigest()
    return f"windows/{key[:2]}/{key[2:]}"


def _utc_ms(part: Part) -> int:
    return int(part.decided_utc * 1000)
