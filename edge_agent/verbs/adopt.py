"""The verb `adopt`: what a station knows is carried over to another bundle, proven, and kept for its next start.

It looks at the station, running or not, and asks it for nothing. What it writes lies apart from what the station uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_agent.commands import fitting
from edge_agent.commands.arguments import UndoArguments
from edge_agent.config import Config
from edge_agent.errors import BadData, ConfigError
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.carried import CarriedFolder
from edge_agent.learning.carry import SAID, Carried, carry
from edge_agent.learning.example import Example
from edge_agent.learning.guiding import space_of
from edge_agent.learning.outcome import Adopted
from edge_agent.learning.proof import Occasion, ProofSheet, State, prove
from edge_agent.learning.slots import BundleName, Change
from edge_agent.partview.onlooker import Onlooker
from edge_agent.product.known import bundle_for
from edge_agent.records import Embedding, Verdict
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.disk import RealDisk
from edge_agent.runtime.steps import finished
from edge_agent.terminal.printing import confirmed, say, say_json
from edge_agent.terminal.printout import check_folder
from edge_agent.terminal.progressbar import progress_bar
from edge_agent.verbs.learned import print_sheet
from edge_agent.verbs.proofpage import write_page
from models import Bundle


@dataclass(frozen=True)
class AdoptOptions:
    """What a person may choose.

    Attributes:
        bundle: a shipped bundle by name, or its folder.
        who: the person.
        yes: keep it without asking where nothing speaks against it.
        overrule: keep it without asking, also where the proof sheet refuses it.
        page: where the proof sheet goes as a page; None for nowhere.
        json: print JSON.
    """

    bundle: str
    who: str
    yes: bool
    overrule: bool
    page: Path | None
    json: bool


def adopt(config: Config, options: AdoptOptions) -> int:
    """Carry over what is known to another bundle, show the proof sheet, and keep it where somebody says so.

    Args:
        config: the station's, with the bundle that it uses today.
        options: what a person chose.

    Returns:
        0 where it is kept or nobody wanted that, 1 where the proof sheet refuses it.

    Raises:
        BadData: there is nothing to carry over, of something nothing would be left, or knowledge changed meanwhile.
        ConfigError: there is no such bundle, or the station uses none that it was taught with.
    """
    _check(options)
    clock = SystemClock()
    target = msgspec.structs.replace(config, recipe=msgspec.structs.replace(config.recipe, bundle=options.bundle))
    bundle = bundle_for(target.resolved(Path()).recipe)
    station = Onlooker(config, config.recipe.name)
    _check_station(station, bundle)
    disk, recipe = RealDisk(Path(config.station.state_dir)), config.recipe
    folder = CarriedFolder(disk, recipe.name, bundle, guided=recipe.guided)
    try:
        return _carried_to(folder, config, options, station, bundle, clock)
    finally:
        folder.remove_unsealed()


def _carried_to(
    folder: CarriedFolder, config: Config, options: AdoptOptions, station: Onlooker, bundle: Bundle, clock: Clock
) -> int:
    started_s = clock.now()
    carried = _carried_over(station, bundle, folder)
    sheet = _proven(station, bundle, carried, options.who, clock)
    if options.page is not None:
        write_page(config, sheet, options.page)
    seconds = clock.now() - started_s
    if not options.json:
        _print_carried(station, bundle, carried, seconds)
        print_sheet(sheet, options.page)
        say()
    overruled = tuple(refusal.reason for refusal in sheet.refused)
    wanted = options.overrule or (not overruled and (options.yes or (not options.json and confirmed("carry it over?"))))
    if wanted:
        station.recipe.check_unchanged()
        folder.write(carried, Change("adopt", "", (), options.who, clock.utc()), station.recipe.origin, overruled)
    if options.json:
        adopted = Adopted(
            bundle=str(BundleName.of(bundle)),
            instead_of=str(BundleName.of(station.recipe.bundle)),
            examples=len(carried.learned.exemplars),
            losses=carried.losses,
            knowledge=carried.learned.knowledge.digest,
            seconds=seconds,
            carried=wanted,
            overruled=overruled if wanted else (),
        )
        say_json({"adopted": adopted, "proof": sheet})
    else:
        say(_said(wanted=wanted, refused=bool(overruled), options=options))
    return 0 if wanted or not overruled else 1


def _check(options: AdoptOptions) -> None:
    fitting("adopt", UndoArguments, {"who": options.who})
    if options.page is not None:
        check_folder(options.page)


def _check_station(station: Onlooker, bundle: Bundle) -> None:
    recipe = station.recipe
    used = recipe.bundle
    if recipe.crossing is not None:
        raise ConfigError(
            f"the station has not been started with {used.name} yet, and what it knows is of another bundle",
            hint="start it once, or set [recipe] bundle back",
        )
    if bundle.digest == used.digest:
        raise BadData(f"the station judges with {BundleName.of(used)} already", hint="name another bundle")
    if bundle.normal != used.normal:
        raise BadData(
            f"good parts are called {used.normal} by {used.name} and {bundle.normal} by {bundle.name}",
            hint="teach the station anew with that bundle, under another [recipe] name",
        )
    if not recipe.learned.classes:
        raise BadData("nothing is known that could be carried over", hint=f'set [recipe] bundle to "{bundle.name}"')
    recipe.check_unchanged()


def _carried_over(station: Onlooker, bundle: Bundle, folder: CarriedFolder) -> Carried:
    encoder = Encoder.load(bundle, station.config.engine)

    def encode(example: Example) -> Embedding | BadData:
        try:
            return encoder.encode(example.image, example.samples, example.rate_hz)
        except BadData as error:
            return error

    try:
        with progress_bar(f"carrying over to {bundle.name}") as progress:
            recipe, guided = station.recipe, station.recipe.config.guided
            return carry(recipe.learned, bundle, recipe.example_of, encode, folder.blobs, progress, guided=guided)
    finally:
        encoder.close()


def _proven(station: Onlooker, bundle: Bundle, carried: Carried, who: str, clock: Clock) -> ProofSheet:
    recipe, config = station.recipe, station.config
    new, old = BundleName.of(bundle), BundleName.of(recipe.bundle)
    with progress_bar("proving") as progress:
        steps = prove(
            State(recipe.learned, recipe.space.prior(), _no_part),
            State(carried.learned, space_of(bundle, carried.learned.guiding).prior(), _no_part),
            normal=bundle.normal,
            protected=config.recipe.protected,
            parts=(),
            occasion=Occasion(
                station=config.station.name,
                recipe=config.recipe.name,
                bundle=str(new),
                change=f"judge with {new} instead of {old}",
                who=who,
                utc=clock.utc(),
            ),
            clock=clock.now,
        )
        return finished(steps, progress)


def _no_part(embedding: Embedding) -> Verdict:
    raise AssertionError("past parts are not judged again: their embeddings are of one of the bundles only")


def _print_carried(station: Onlooker, bundle: Bundle, carried: Carried, seconds: float) -> None:
    count = len(carried.learned.exemplars)
    examples = f"{count} example{'' if count == 1 else 's'}"
    say(f"{examples} carried over to {BundleName.of(bundle)} in {seconds:.1f} s")
    for loss in carried.losses:
        say(f"left behind: {loss.count} of {loss.of} {SAID[loss.role]} of {station.called(loss.slug)}: {loss.reason}")
    say()


def _said(*, wanted: bool, refused: bool, options: AdoptOptions) -> str:
    if wanted:
        return f'carried over: set [recipe] bundle = "{options.bundle}" and restart the station'
    if refused:
        return "refused, and nothing was written: `--overrule` carries it over all the same, in your name"
    return "nothing was written: `--yes` carries it over"
