"""What the verbs `why` and `escape` do: look, print, and write the files that were asked for."""

from __future__ import annotations

from pathlib import Path

from edge_agent.config import Config
from edge_agent.errors import BadData
from edge_agent.partview.containment import containment_lines, searched
from edge_agent.partview.containmentpage import containment_page
from edge_agent.partview.heat import heat_of
from edge_agent.partview.onlooker import Onlooker, recipe_of
from edge_agent.partview.why import explained
from edge_agent.partview.whypage import why_page
from edge_agent.partview.whytext import why_lines
from edge_agent.terminal.printing import say, say_json
from edge_agent.terminal.printout import check_folder, write_file
from edge_agent.terminal.progressbar import progress_bar


def show_why(config: Config, number: int, picture: Path | None, page: Path | None, *, as_json: bool) -> int:
    """Explain the verdict on a recorded part.

    Args:
        config: the station's.
        number: the part, as the ledger numbers it.
        picture: where the heat map goes as PNG; None for nowhere.
        page: where all of it goes as an HTML page; None for nowhere.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        BadData: there is no such part, another bundle judged it, or a file cannot be written.
    """
    for file in (picture, page):
        if file is not None:
            check_folder(file)
    onlooker = Onlooker(config, recipe_of(config, number))
    with progress_bar("looking at good parts") as progress:
        why = explained(onlooker, number, progress)
    heat = heat_of(why)
    if as_json:
        say_json(why.as_dict())
    else:
        for line in why_lines(why):
            say(line)
    if page is not None:
        write_file(page, why_page(onlooker, why, heat).encode())
    if picture is not None:
        if heat.answer is None:
            raise BadData(
                f"there is no heat map of part {number}: its picture is not kept, or nothing is known of its regions",
                hint="[ledger] keep_evidence says of which parts the picture is kept",
            )
        write_file(picture, heat.answer)
    return 0


def show_escape(config: Config, number: int, name: str, since_utc: float, page: Path | None, *, as_json: bool) -> int:
    """List the parts that were passed and look like one that got past.

    Args:
        config: the station's.
        number: the part that got past, as the ledger numbers it.
        name: what it is, as a person writes it.
        since_utc: parts since then are looked at [s since the epoch].
        page: where the list goes as an HTML page; None for nowhere.
        as_json: print JSON.

    Returns:
        0.

    Raises:
        BadData: there is no such part, it cannot be compared, or the page cannot be written.
    """
    if page is not None:
        check_folder(page)
    onlooker = Onlooker(config, recipe_of(config, number))
    with progress_bar("comparing parts") as progress:
        containment = searched(onlooker, number, name, since_utc, progress)
    if as_json:
        say_json(containment.as_dict())
    else:
        for line in containment_lines(containment):
            say(line)
    if page is not None:
        write_file(page, containment_page(onlooker, containment).encode())
    return 0
