"""Sections of a bundle's card: figures that were measured after it was built.

The card is text for people; no digest of the bundle covers it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from models.workshop.errors import WorkshopError

CARD: Final = "card.md"


def write_section(folder: Path, title: str, text: str) -> None:
    """Put a section into a bundle's card, in the place of an older one of the same title, else at the end.

    Args:
        folder: of the bundle.
        title: of the section.
        text: Markdown, without the title.

    Raises:
        WorkshopError: there is no card.
    """
    card = folder / CARD
    try:
        old = card.read_text()
    except OSError as error:
        raise WorkshopError(f"{card}: {error.strerror or error}", hint="name the folder of a bundle") from None
    section = f"## {title}\n\n{text.strip()}\n"
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", old, re.MULTILINE | re.DOTALL)
    if found is None:
        new = f"{old.rstrip()}\n\n{section}"
    else:
        new = f"{old[: found.start()]}{section}\n{old[found.end() :]}".rstrip() + "\n"
    fresh = card.with_name(f".{CARD}.part")
    fresh.write_text(new)
    fresh.replace(card)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Give a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
