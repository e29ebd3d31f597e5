"""The verb `teach`: from files, recorded parts or the line to a proof sheet, and to the line where somebody says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from edge_agent import api
from edge_agent.config import Config
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.learning.example import Example, pack
from edge_agent.learning.label import slug_of
from edge_agent.learning.outcome import Proposal, Taught
from edge_agent.ledger import EvidenceStore, Reader
from edge_agent.runtime.disk import RealDisk
from edge_agent.station import Station
from edge_agent.terminal.exits import WrongUsage
from edge_agent.terminal.printing import confirmed, say, say_json, warn
from edge_agent.terminal.printout import check_folder
from edge_agent.terminal.progressbar import progress_bar
from edge_agent.verbs.gather import batches, part_files, readable
from edge_agent.verbs.learned import change, print_sheet
from edge_agent.verbs.proofpage import write_page
from edge_agent.verbs.typed import checked
from edge_agent.verbs.watched import call_watched
from models.errors import FileRefused
from models.picturefile import decode_picture

BATCH_BYTES: Final = 100 * 10**6
"""Examples that travel to a running station at once: well below what it takes, with room for one large picture."""

SAID: Final = {
    (True, False): "the line is judged by it from now on; `edge-agent undo` goes back",
    (False, False): "waiting: `edge-agent promote` makes the line judge by it, `edge-agent cancel` drops it",
    (False, True): "refused, and waiting: `edge-agent cancel` drops it, `edge-agent promote --overrule` does it anyway",
}
"""What a person is told at the end, by whether it was promoted and whether the proof sheet refuses it."""


@dataclass(frozen=True)
class TeachOptions:
    """What a person may choose.

    Attributes:
        label: the class, as a person writes it.
        paths: picture and vibration files, or folders.
        parts: recorded parts, by their number, of which the station keeps picture or window.
        next: how many of the line's next parts are taught instead.
        who: the person.
        golden: the examples are only asked about, whenever knowledge is to change.
        now: promote at once, unproven.
        yes: promote without asking where nothing speaks against it.
        page: where the proof sheet goes as a page; None for nowhere.
        json: print JSON.
    """

    label: str
    paths: tuple[Path, ...]
    parts: tuple[int, ...]
    next: int
    who: str
    golden: bool
    now: bool
    yes: bool
    page: Path | None
    json: bool


def teach(config: Config, options: TeachOptions) -> int:
    """Teach a class, show the proof sheet, and promote it where somebody says so.

    Args:
        config: the station's.
        options: what a person chose.

    Returns:
        0 where it was promoted or waits for it, 1 where the proof sheet refuses it, or its page could not be written.

    Raises:
        BadData: no example could be learned.
    """
    _check(options)
    unusable: list[BadData] = []

    def left_out(error: BadData) -> None:
        unusable.append(error)
        warn(error)

    proposal = _proposed(config, options, left_out)
    sheet = proposal.proof
    unwritten: BadData | None = None
    if sheet is not None and options.page is not None:
        try:
            write_page(config, sheet, options.page)
        except BadData as error:  # what was learned waits all the same, and must be heard of
            unwritten, options = error, replace(options, page=None)
            warn(error)
    if not options.json:
        _print_lesson(proposal, options)
    refused = sheet is not None and bool(sheet.refused)
    promoted = proposal.taught.promoted
    if not promoted and not refused and (options.yes or (not options.json and confirmed("promote it?"))):
        change(config, "promote", {"who": options.who})
        promoted = True
    if options.json:
        taught = replace(proposal.taught, promoted=promoted)
        say_json({"taught": taught, "proof": sheet, "unusable": [error.message for error in unusable]})
    else:
        say(SAID[promoted, refused])
    return 1 if refused or unwritten is not None else 0


def _check(options: TeachOptions) -> None:
    """Refuse what makes no sense; raises `BadData`, of options `WrongUsage`."""
    checked("teach", label=options.label, who=options.who, next=options.next)
    if options.next and (options.paths or options.parts):
        raise WrongUsage(
            "the next parts of the line are a lesson of their own, without files or recorded parts",
            hint="give --next N alone, or leave it out",
        )
    if not (options.next or options.paths or options.parts):
        raise WrongUsage("what should be learned from is not clear", hint="name files, or --part N, or --next N alone")
    if options.page is not None:
        check_folder(options.page)
        if options.now:
            raise WrongUsage("without proof there is no proof sheet to write", hint="leave out --page or --now")
    if options.golden and options.now:
        raise WrongUsage("golden examples teach nothing that could be promoted at once", hint="leave out --now")


def _proposed(config: Config, options: TeachOptions, left_out: Callable[[BadData], None]) -> Proposal:
    socket = Path(config.api.socket)
    if options.next:
        with _giving_up(socket, options, []):
            return _asked(socket, options, b"", next=options.next)
    files = part_files(options.paths) if options.paths else []
    examples = chain(readable(files, left_out), recorded(config, options.parts))
    if api.is_listening(socket):
        proposals: list[Proposal] = []
        with _giving_up(socket, options, proposals):
            return _teach_running(socket, options, examples, len(files) + len(options.parts), proposals)
    return _teach_stopped(config, options, list(examples))


def recorded(config: Config, numbers: Sequence[int]) -> Iterator[Example]:
    """Give recorded parts as examples.

    Args:
        config: of the station.
        numbers: the parts, as the ledger numbers them.

    Yields:
        The examples.

    Raises:
        BadData: there is no such part, or nothing is kept of it.
    """
    if not numbers:
        return
    evidence = EvidenceStore(RealDisk(Path(config.station.state_dir)))
    with Reader(Path(config.station.state_dir)) as reader:
        for number in numbers:
            part = reader.part(number)
            picture, window = evidence.picture(part), evidence.window(part)
            if picture is None and window is None:
                kept = ", ".join(config.ledger.keep_evidence) or "none"
                raise BadData(
                    f"of part {number} neither picture nor window is kept",
                    hint=f"kept are parts that were {kept}: [ledger] keep_evidence",
                )
            try:
                image = None if picture is None else decode_picture(picture)
            except FileRefused as error:
                raise BadData(f"the kept picture of part {number}: {error}", hint="teach another part") from error
            samples, rate_hz = (None, 0.0) if window is None else window
            yield Example(f"part {number}", image, samples, rate_hz)


def _teach_running(
    socket: Path, options: TeachOptions, examples: Iterable[Example], count: int, proposals: list[Proposal]
) -> Proposal:
    for batch, goes_on in batches(examples, BATCH_BYTES):
        count -= len(batch)
        try:
            following = max(0, count) if goes_on else 0
            proposals.append(_asked(socket, options, pack(batch), goes_on=goes_on, following=following))
        except EdgeAgentError as error:
            learned = sum(len(proposal.taught.taught) for proposal in proposals)
            if not learned and isinstance(error, api.NoStation):
                raise Unavailable(
                    f"the station ended while the examples were read; nothing of {options.label} was taken",
                    hint="type the same again: it is taken with or without a running station",
                ) from error
            if not learned:
                raise
            raise type(error)(
                f"{learned} examples of {options.label} were taken, then: {error}", hint=error.hint
            ) from error
    if not proposals:
        raise _nothing_read(options.label)
    last = proposals[-1]
    return replace(last, taught=_together([proposal.taught for proposal in proposals]))


@contextmanager
def _giving_up(socket: Path, options: TeachOptions, proposals: Sequence[Proposal]) -> Iterator[None]:
    """Where a person interrupts, have the station give up what nobody waits for; `proposals` are what it has taken."""
    try:
        yield
    except KeyboardInterrupt:
        _give_up(socket, options, sum(len(proposal.taught.taught) for proposal in proposals))
        raise


def _give_up(socket: Path, options: TeachOptions, learned: int) -> None:
    """Have the station give up the lesson that nobody waits for any more; say what it has taken all the same."""
    back = "`edge-agent undo` takes it back" if options.now else "`edge-agent cancel` drops it"
    try:
        teaching = api.call(socket, "status")["teaching"]
        if teaching is not None and teaching[0] in (options.label, slug_of(options.label)):
            if api.call(socket, "cancel", {"who": options.who})["cancelled"] == "candidate":
                warn(Unavailable(f"the lesson of {options.label} had ended: the change that waited was dropped"))
                return
            warn(Unavailable(f"the station has given up the lesson of {options.label}"))
    except EdgeAgentError as error:
        warn(Unavailable(f"the lesson of {options.label} was not given up: {error.message}", hint=back))
    if learned:
        warn(Unavailable(f"{learned} examples of {options.label} were taken before that", hint=back))


def _asked(socket: Path, options: TeachOptions, body: bytes, **more: object) -> Proposal:
    arguments = {"label": options.label, "who": options.who, "golden": options.golden, "now": options.now, **more}
    answer = call_watched(socket, "teach", arguments, body, title=f"learning {options.label}")
    return msgspec.convert(answer, Proposal)


def _together(parts: Sequence[Taught]) -> Taught:
    return replace(
        parts[-1],
        taught=tuple(source for part in parts for source in part.taught),
        refused=tuple(line for part in parts for line in part.refused),
        seconds=sum(part.seconds for part in parts),
    )


def _teach_stopped(config: Config, options: TeachOptions, examples: Sequence[Example]) -> Proposal:
    if not examples:
        raise _nothing_read(options.label)
    state = Path(config.station.state_dir)
    if not state.exists():
        warn(Unavailable(f"there is no station in {state} yet: one begins there with this lesson"))
    with Station(config) as station, progress_bar(f"learning {options.label}") as progress:
        if options.now:
            return Proposal(station.teach(options.label, examples, who=options.who, progress=progress), None)
        return station.propose(options.label, examples, who=options.who, golden=options.golden, progress=progress)


def _print_lesson(proposal: Proposal, options: TeachOptions) -> None:
    taught = proposal.taught
    for line in taught.refused:
        say(f"left out {line}")
    count = len(taught.taught)
    say(f"{count} example{'' if count == 1 else 's'} of {options.label} in {taught.seconds:.1f} s{_state(taught)}")
    if proposal.proof is not None:
        say()
        print_sheet(proposal.proof, options.page)
        say()


def _state(taught: Taught) -> str:
    return f": {taught.samples} known, {taught.calibration} good parts held out"


def _nothing_read(label: str) -> BadData:
    return BadData(f"no example of {label} could be read", hint="see the lines above")
