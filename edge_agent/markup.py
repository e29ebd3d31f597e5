"""What pages are made of: elements that escape whatever they are given, pictures, drawings, and the style of the sheet.

Nothing leaves it that a browser would run or fetch. It knows nothing of what the pages are about.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final, Protocol

PNG: Final = b"\x89PNG\r\n\x1a\n"

MAX_PICTURE_BYTES: Final = 200_000
"""A thumbnail of 160 x 160 pixels has at most 77 kB; a page with sixty of these is still sent by mail."""

MAX_LARGE_BYTES: Final = 4_000_000
"""A picture that fills half the sheet: noise of 1000 x 1000 pixels has 3 MB."""

BAR_PX: Final = 60
"""Length of a bar that stands for the whole scale [px]."""

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""For the browser: nothing is run, nothing is fetched."""

STYLE: Final = """
@page { size: A4; margin: 14mm }
* { box-sizing: border-box }
body { font: 10pt/1.35 system-ui, "DejaVu Sans", sans-serif; color: #000; background: #fff;
  max-width: 182mm; margin: 8mm auto }
h1 { font-size: 17pt; margin: 0 } h2 { font-size: 11.5pt; margin: 6mm 0 1.5mm; border-bottom: 0.4mm solid #000;
  break-after: avoid }
p { margin: 1mm 0 } .small { font-size: 8.5pt } .mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace }
.decision { border: 0.8mm solid #000; padding: 2mm 3mm; margin: 3mm 0; break-inside: avoid }
.decision.refused { border-width: 2mm } .decision strong { font-size: 13pt }
ul { margin: 1mm 0; padding-left: 5mm }
table { border-collapse: collapse; width: 100%; font-size: 9pt; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: 0.7mm 1.5mm; border-bottom: 0.2mm solid #999; vertical-align: middle }
thead th { border-bottom: 0.4mm solid #000; vertical-align: bottom } tr { break-inside: avoid }
.n { text-align: right } .same { font-weight: bold; border: 0.4mm solid #000 } .zero { color: #767676 }
.narrow, .matrix { width: auto } .line { white-space: nowrap }
.matrix td, .matrix th { padding: 0.7mm; min-width: 7mm }
.pair { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 3mm 6mm }
.pictures { display: flex; flex-wrap: wrap; gap: 2mm; margin-top: 2mm } svg { display: block }
figure { margin: 0; width: 34.5mm; border: 0.2mm solid #999; padding: 1mm; break-inside: avoid; font-size: 8pt;
  overflow-wrap: anywhere }
figure.large { width: 89mm } figure.large img { aspect-ratio: auto; height: auto }
figure.doubt { border: 0.8mm dashed #000 }
figure img, figure .none { width: 100%; aspect-ratio: 1; object-fit: contain }
figure .none { display: flex; align-items: center; justify-content: center; border: 0.2mm dashed #999 }
.sign { display: grid; grid-template-columns: 2fr 1fr 2fr; gap: 9mm 5mm; margin-top: 12mm; break-inside: avoid }
.sign div { border-top: 0.3mm solid #000; font-size: 8.5pt; padding-top: 1mm }
.agreement { break-inside: avoid } .box { font-size: 14pt; line-height: 1 }
"""
"""For paper first: black on white, and no meaning in a colour alone."""


class _Interval(Protocol):
    """A value and how sure it is, from 0 to 1."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


class Html(str):
    """Text that is HTML already; any other text is escaped on its way in."""


def document(title: str, body: Iterable[str]) -> str:
    """Give a whole page, to be written as UTF-8."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{attribute(POLICY)}">'
        '<meta name="viewport" content="width=device-width">'
        f"{element('title', title)}<style>{STYLE}</style></head>\n{element('body', *body)}\n</html>\n"
    )


def element(name: str, *inside: str, cls: str = "", **attributes: str) -> Html:
    """Give an element.

    Args:
        name: of the element.
        *inside: what it contains; text that is not `Html` is escaped.
        cls: its classes.
        **attributes: its other attributes.

    Returns:
        The element.
    """
    named = {"class": cls, **attributes} if cls else attributes
    shown = "".join(f' {key}="{attribute(value)}"' for key, value in named.items())
    return Html(f"<{name}{shown}>{joined(inside)}</{name}>")


def joined(inside: Iterable[str]) -> Html:
    """Put contents one after the other; text that is not `Html` is escaped."""
    return Html("".join(one if isinstance(one, Html) else attribute(one) for one in inside))


def attribute(text: str) -> str:
    """Escape text; what no page can show becomes a replacement character."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], cls: str = "") -> Html:
    """Give a table; a cell that is `Html` is a whole cell, any other is text, and a number stands on the right."""
    body = [element("tr", *(_cell(cell) for cell in row)) for row in rows]
    heads = element("tr", *(one if isinstance(one, Html) else element("th", one) for one in head))
    return element("table", element("thead", heads), element("tbody", *body), cls=cls)


def _cell(text: str) -> Html:
    return text if isinstance(text, Html) else element("td", text)


def figure(png: bytes | None, *caption: str, doubtful: bool = False, large: bool = False) -> Html:
    """Give a picture with its caption; a frame with a word where none can be shown."""
    seen = _picture(png, MAX_LARGE_BYTES if large else MAX_PICTURE_BYTES)
    classes = " ".join(["doubt"] * doubtful + ["large"] * large)
    return element("figure", seen, element("figcaption", *caption), cls=classes)


def _picture(png: bytes | None, most_bytes: int) -> Html:
    if png is None:
        return element("div", "no picture kept", cls="none")
    if not png.startswith(PNG) or len(png) > most_bytes:
        return element("div", "picture cannot be shown", cls="none")
    return Html(f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">')


def bar(value: float, scale: float) -> Html:
    """Draw a value from -`scale` to `scale`: filled to the right of zero, hollow to the left."""
    length = min(abs(value) / scale, 1.0) * BAR_PX
    middle = BAR_PX + 2
    left = middle if value >= 0.0 else middle - length
    shape = f'<path d="M{left:.1f} 3h{length:.1f}v8h{-length:.1f}z" fill="{"#000" if value >= 0.0 else "#fff"}"/>'
    zero = f'<path d="M{middle} 0v14" stroke="#999" stroke-width="0.6"/>'
    return Html(
        f'<svg width="{2 * middle}" height="14" stroke="#000" stroke-width="0.8" aria-hidden="true">{zero}{shape}</svg>'
    )


def interval(before: _Interval | None, after: _Interval | None) -> Html:
    """Draw two proportions with their intervals from 0 to 1: before hollow and thin, after filled and thick."""
    marks = []
    for share, y, width, fill in ((before, 5.0, "0.8", "#fff"), (after, 13.0, "2", "#000")):
        if share is not None:
            low, mean, high = (4 + 82 * value for value in (share.low, share.mean, share.high))
            marks.append(
                f'<path d="M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 3}v6M{high:.1f} {y - 3}v6" stroke-width="{width}"/>'
                f'<circle cx="{mean:.1f}" cy="{y}" r="3" fill="{fill}"/>'
            )
    scale = '<path d="M4 0V18M45 0V18M86 0V18" stroke="#999" stroke-width="0.4"/>'
    return Html(
        f'<svg width="90" height="18" stroke="#000" fill="none" aria-hidden="true">{scale}{"".join(marks)}</svg>'
    )
