"""What classes are called: a name as a person writes it, and the slug that joins what different people taught.

Two names with one slug are one class or a mistake; which of the two, only a person can say, so it is refused.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from edge_agent.errors import BadData
from models.knowledge import SLUG

MAX_NAME: Final = 80
"""Longest name [characters]."""

_PLAIN: Final = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
"""Latin letters that are no plain letter with an accent."""

_BREAKS: Final = ("Cc", "Zl", "Zp")
"""Unicode categories of what is more on a terminal than a letter or a blank: controls, separators of lines."""


def slug_of(name: str) -> str:
    """Give the slug of a class: its name without accents, in small letters, with `_` for whatever else is in it.

    Args:
        name: as a person writes it, 1 to 80 characters.

    Returns:
        1 to 40 of a to z, 0 to 9 and _; the slug of a slug is itself.

    Raises:
        BadData: the name is empty or too long, or has letters that are not Latin, or line breaks and their like.
    """
    if SLUG.fullmatch(name):
        return name
    if len(name) > MAX_NAME:
        raise BadData(
            f"a class name has at most {MAX_NAME} characters, this one {len(name)}", hint="give it a shorter one"
        )
    if any(unicodedata.category(letter) in _BREAKS for letter in name):
        raise BadData(
            f"the class name {name!r} has line breaks, or characters that move the cursor",
            hint="write it in one line of letters, digits and blanks",
        )
    letters = unicodedata.normalize("NFKD", name.casefold().translate(_PLAIN)).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    if strange := sorted({letter for letter in plain if letter.isalnum() and not letter.isascii()}):
        raise BadData(
            f"the class name {name!r} has letters that are not Latin: {' '.join(strange)}",
            hint="write it with the letters a to z, with or without accents",
        )
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not SLUG.fullmatch(slug):
        raise BadData(f"the class name {name!r} has {len(slug)} letters and digits", hint="give it 1 to 40 of them")
    return slug
