"""After one got past: the search for its like in the ledger, and what came of it in words and as plain values."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Final

from edge_agent.errors import BadData
from edge_agent.learning.escape import LISTED_SHARE, LookAlike, LookAlikes, look_alikes, was_passed
from edge_agent.learning.proof.text import printable
from edge_agent.ledger.reader import PAGE_ROWS
from edge_agent.partview.onlooker import Onlooker, local_time
from edge_agent.records import Part

WIDTH: Final = 100
"""Columns."""

PRINTED: Final = 25
"""Parts on a terminal; the page and the JSON have the whole list."""


@dataclass(frozen=True, eq=False)
class Containment:
    """What came of a search for parts like one that got past.

    Attributes:
        escape: the part.
        slug: its class.
        name: what people call that.
        normal: slug of the class of good parts.
        samples: how many samples of the class were known without it.
        since_utc: parts since then were looked at [s since the epoch].
        found: the parts.
        pictures: those of the listed parts and of the escape that are kept, by number, as PNG.
        is_kept: picture or window of the escape is kept, so that it can be taught.
    """

    escape: Part
    slug: str
    name: str
    normal: str
    samples: int
    since_utc: float
    found: LookAlikes
    pictures: dict[int, bytes]
    is_kept: bool

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        found = self.found
        return {
            "part": self.escape.id,
            "class": self.slug,
            "since_utc": self.since_utc,
            "compared": found.compared,
            "won": found.won,
            "held_out": found.held_out,
            "as_alike": found.as_alike,
            "by_chance": found.by_chance,
            "unseen": found.unseen,
            "apart": found.apart,
            "uncertain": found.uncertain,
            "taught_as": found.taught_as,
            "doubtful": [{"id": one.id, "source": one.source} for one in found.doubtful],
            "listed": [self._row(one) for one in found.listed],
        }

    def _row(self, one: LookAlike) -> dict[str, Any]:
        part = one.part
        return {
            "part": part.id,
            "series": part.trigger.series,
            "number": part.trigger.number,
            "decided_utc": part.decided_utc,
            "outcome": part.verdict.outcome,
            "operator_label": part.operator_label,
            "score": one.score,
            "chance": one.chance,
            "distance": one.distance,
            "is_listed": one.is_listed,
            "picture_kept": part.id in self.pictures,
        }


def searched(
    onlooker: Onlooker,
    number: int,
    name: str,
    since_utc: float,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Containment:
    """Search the ledger for parts like one that got past.

    Args:
        onlooker: sees the station.
        number: the part, as the ledger numbers it.
        name: its class, as a person writes it.
        since_utc: parts since then are looked at [s since the epoch].
        progress: hears how many parts of how many have been looked at.

    Returns:
        What came of it.

    Raises:
        BadData: there is no such part, nothing of it is stored, or the class cannot be called so.
    """
    escape, recipe = onlooker.part(number), onlooker.recipe
    learned, normal = recipe.learned, recipe.bundle.normal
    slug = learned.slug_for(name)
    if normal not in learned.knowledge.classes:
        raise BadData("no good part is known, so nothing can be told apart", hint="edge-agent teach good FOLDER")
    with onlooker.reader() as reader:
        there = sum(reader.counts(since_utc).values())
        found = look_alikes(
            escape,
            slug,
            _counted(reader.parts(since_utc), there, progress),
            learned,
            recipe.space.prior(),
            onlooker.held_out,
            normal=normal,
            kept=recipe.digests,
        )
    pictures = {part.id: onlooker.picture(part) for part in (escape, *(one.part for one in found.listed))}
    kept = {part: png for part, png in pictures.items() if png is not None}
    is_kept = number in kept or onlooker.window(escape) is not None
    samples = learned.knowledge.samples(slug) - found.taught_as.count(slug)
    return Containment(escape, slug, name, normal, samples, since_utc, found, kept, is_kept)


def _counted(parts: Iterable[Part], there: int, progress: Callable[[int, int], None]) -> Iterator[Part]:
    for done, part in enumerate(parts, 1):
        yield part
        if done % PAGE_ROWS == 0:
            progress(done, there)


def summary(containment: Containment) -> str:
    """Say in a few sentences what was found and how far it can be trusted."""
    found, name = containment.found, containment.name
    if not found.compared:
        return "Not one passed part could be compared."
    listed = sum(one.is_listed for one in found.listed)
    said = [f"{found.compared} passed parts were compared: {listed} are listed, {name} would win {found.won}."]
    if found.by_chance is None:
        said.append("No good part is held out, so nobody can say how many are listed by chance.")
    else:
        said.append(
            f"Were all of them good, chance would list up to {found.by_chance:.0f}: {found.as_alike} of "
            f"{found.held_out} held-out good parts look as much like it."
        )
        if found.by_chance >= listed:
            said.append(
                "So the list by itself proves nothing. Look at the first ones: if they are like it, good parts that "
                "were taught may be, too."
            )
    return " ".join(said)


def remarks(containment: Containment) -> Iterator[str]:
    """Say what a reader should know about the list."""
    escape, found = containment.escape, containment.found
    listed = sum(one.is_listed for one in found.listed)
    yield (
        f"listed is where {containment.name} wins and at most {LISTED_SHARE:.0%} of the held-out good parts look as "
        "much like it"
    )
    if len(found.listed) > listed:
        yield f"the last {len(found.listed) - listed}, in brackets, are not: they show what would come next"
    if containment.samples:
        yield f"{containment.name} was known from {containment.samples} samples before"
    else:
        yield f"{containment.name} is known from this part alone; more examples make the list better"
    if found.doubtful:
        named = ", ".join(one.source for one in found.doubtful)
        yield f"these held-out good parts look as much like it; were they really good? {named}"
    if others := [slug for slug in found.taught_as if slug != containment.slug]:
        yield f"it was taught as {', '.join(others)}, which was left aside here: `edge-agent forget` takes it out"
    if not was_passed(escape, containment.normal):
        yield f"part {escape.id} itself did not get past: it was {escape.verdict.outcome}"
    if escape.decided_utc < containment.since_utc:
        yield f"part {escape.id} itself is older than all that were looked at: --since takes a date"
    if found.unseen:
        yield f"of {found.unseen} parts that passed or were missed nothing is stored: they were not compared"
    if found.apart:
        yield f"{found.apart} passed parts were seen by nothing that part {escape.id} was seen by, or by another bundle"
    if found.uncertain:
        yield (
            f"{found.uncertain} were judged by knowledge that is not kept any more; had the bundle been changed "
            "since, their scores would mean nothing"
        )


def commands(containment: Containment) -> Iterator[tuple[str, str]]:
    """Give what a person may do next, and the command for it."""
    number, name = containment.escape.id, shlex.quote(containment.name)
    yield "say what a part is", f"edge-agent label {number} {containment.slug}"
    if containment.is_kept:
        yield "teach it", f"edge-agent teach {name} --part {number}"
    else:
        yield "nothing of it is kept; teach pictures of it", f"edge-agent teach {name} FOLDER"


def containment_lines(containment: Containment) -> list[str]:
    """Give the lines of the screen."""
    escape, listed = containment.escape, containment.found.listed
    since = f"since {local_time(containment.since_utc)}"
    lines = [f"part {escape.id} is {containment.name}: what was passed {since} and looks like it", ""]
    lines += _wrapped(summary(containment))
    if listed:
        lines += [
            "",
            f"{'part':>9}  {'when':<19}  {'likelier':>8}  {'chance':>6}  {'distance':>8}  {'kept':<7}  trigger",
        ]
    for one in listed[:PRINTED]:
        part = one.part
        number = f"{part.id}" if one.is_listed else f"({part.id})"
        chance = "–" if one.chance is None else f"{one.chance:.1%}"
        kept = "picture" if part.id in containment.pictures else "–"
        word = "" if part.operator_label is None else f"; a person said {part.operator_label}"
        lines.append(
            f"{number:>9}  {local_time(part.decided_utc)}  {one.score:>+8.1f}  {chance:>6}  {one.distance:>8.0f}  "
            f"{kept:<7}  {part.trigger.series} {part.trigger.number}{word}"
        )
    if len(listed) > PRINTED:
        lines.append(f"{'':>9}  and {len(listed) - PRINTED} more: --page or --json gives all")
    lines += ["", *(line for remark in remarks(containment) for line in _wrapped(remark, "· ")), ""]
    lines += [f"{what}: {command}" for what, command in commands(containment)]
    return [printable(line) for line in lines]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return wrap(printable(text), WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))
