"""Reads a page as a browser would, and finds whatever on it would be run or fetched."""

from __future__ import annotations

from html.parser import HTMLParser

EVIL = "<script>alert(1)</script>\"'><img src=http://x onerror=alert(1)>&\x00\x1b\ud800"
VOID = {"meta", "img", "br", "path", "circle"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "span", "strong", "ul", "li", "br"),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "img", "svg", "path", "circle", "text"),
}


class Reading(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def dangers(page: str) -> list[str]:
    """Give whatever on a page would be run or fetched, or does not belong there."""
    found = []
    for tag, attributes in Reading(page).tags:
        if tag not in ALLOWED:
            found.append(tag)
        for name, value in attributes.items():
            fetched = name in ("src", "href", "style") and not (value or "").startswith("data:image/png;base64,")
            if fetched or name.startswith("on"):
                found.append(f"{tag} {name}={value}")
    found += [word for word in ("url(", "@import") if word in page]
    return found
