"""What the tables of the configuration are made of: their base, the kinds of text in them, and what contradicts itself.

Pure; which tables and keys there are is for `config` to say.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

Slug = Annotated[str, Meta(pattern=r"\A[a-z0-9-]{1,40}\Z", description="1 to 40 of a-z, 0-9 and -")]
OptionalSlug = Annotated[str, Meta(pattern=r"\A[a-z0-9-]{0,40}\Z", description='1 to 40 of a-z, 0-9 and -, or ""')]
ClassSlug = Annotated[str, Meta(pattern=r"\A[a-z0-9_]{1,40}\Z", description="1 to 40 of a-z, 0-9 and _")]
OptionalPath = Annotated[str, Meta(pattern=r"\A(?!~)[^\0]*\Z", description='a path (not with "~"), or ""')]
RequiredPath = Annotated[str, Meta(pattern=r"\A(?!~)[^\0]+\Z", description='a path (not with "~")')]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file."""


class Conflict(NamedTuple):
    """What is wrong though each value is within its limits; the key to change is the first of `keys`."""

    keys: tuple[str, ...]
    reason: str
    hint: str = ""
