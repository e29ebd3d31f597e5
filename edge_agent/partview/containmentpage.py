"""The list of parts to contain as one HTML page: to be printed, carried to the pallets and ticked off.

Self-contained, like the proof sheet, and made of the same elements. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge_agent.learning.escape import LookAlike
from edge_agent.markup import Html, document, element, figure, table
from edge_agent.partview.containment import Containment, commands, remarks, summary
from edge_agent.partview.onlooker import Onlooker, local_time
from edge_agent.terminal.printout import thumbnail

PICTURED: Final = 30
"""Parts that are shown with their picture: six rows."""


def containment_page(onlooker: Onlooker, containment: Containment) -> str:
    """Give the page.

    Args:
        onlooker: names the station.
        containment: what is shown.

    Returns:
        The HTML document, to be written as UTF-8.
    """
    body = [*_heading(onlooker, containment), *_pictures(containment), *_list(containment), *_basis(containment)]
    return document(f"To contain: parts like {containment.escape.id}", [*body, _signature()])


def _heading(onlooker: Onlooker, containment: Containment) -> Iterator[Html]:
    recipe, escape = onlooker.recipe, containment.escape
    bundle = f"{recipe.bundle.name} {recipe.bundle.manifest.version}"
    listed = sum(one.is_listed for one in containment.found.listed)
    yield element("p", f"{onlooker.config.station.name} · {recipe.config.name} · {bundle}", cls="small")
    yield element("h1", f"Part {escape.id} got past: {containment.name}")
    yield element(
        "p",
        f"Made {local_time(escape.decided_utc)}, {escape.trigger.series} {escape.trigger.number}, answered "
        f"{escape.verdict.outcome}. Looked at: parts that were passed since {local_time(containment.since_utc)}.",
    )
    more = f" at least: {containment.name} would win {containment.found.won}"
    full = len(containment.found.listed) == listed and containment.found.won > 2 * listed
    strong = element("strong", f"{listed} part{'' if listed == 1 else 's'} to contain{more if full else ''}")
    yield element("div", strong, element("p", summary(containment)), cls="decision")


def _pictures(containment: Containment) -> Iterator[Html]:
    escape = containment.escape
    figures = [_figure(containment, escape.id, element("strong", f"{escape.id}: the escape"))]
    with_picture = [one for one in containment.found.listed if one.part.id in containment.pictures]
    figures += [
        _figure(containment, one.part.id, element("strong", str(one.part.id)), f" {one.score:+.1f}")
        for one in with_picture[:PICTURED]
    ]
    yield element("h2", "What they look like")
    yield element("div", *figures, cls="pictures")
    missing = len(containment.found.listed) - len(with_picture)
    if missing:
        yield element(
            "p",
            f"Of {missing} listed parts no picture is kept: [ledger] keep_evidence says of which parts one is.",
            cls="small",
        )


def _figure(containment: Containment, number: int, *caption: str) -> Html:
    return figure(thumbnail(containment.pictures.get(number)), *caption)


def _list(containment: Containment) -> Iterator[Html]:
    yield element("h2", "To contain, most alike first")
    if not containment.found.listed:
        yield element("p", "None.")
        return
    numbers = ("likelier", "chance", "distance")
    head = ("", "part", "made", "trigger", *(element("th", name, cls="n") for name in numbers), "a person said")
    yield table(head, [_row(one) for one in containment.found.listed])
    yield element(
        "p",
        f"Likelier: how much likelier {containment.name} is than good [logit]. Chance: share of the held-out good "
        "parts that look as much like it. Distance: to the escape, squared.",
        cls="small",
    )


def _row(one: LookAlike) -> tuple[str, ...]:
    part = one.part
    chance = "–" if one.chance is None else f"{one.chance:.1%}"
    return (
        element("td", element("span", "☐", cls="box")),
        str(part.id) if one.is_listed else f"({part.id})",
        element("td", local_time(part.decided_utc), cls="line"),
        element("td", f"{part.trigger.series} {part.trigger.number}", cls="line"),
        *(element("td", text, cls="n") for text in (f"{one.score:+.1f}", chance, f"{one.distance:.0f}")),
        part.operator_label or "",
    )


def _basis(containment: Containment) -> Iterator[Html]:
    yield element("h2", "What this rests on")
    yield element("ul", *(element("li", f"{remark}.") for remark in remarks(containment)), cls="small")
    for what, command in commands(containment):
        yield element("p", f"{what}: ", element("span", command, cls="mono"), cls="small")


def _signature() -> Html:
    names = ("Contained by", "Date", "Signature")
    return element("div", element("div", *(element("div", name) for name in names), cls="sign"), cls="agreement")
