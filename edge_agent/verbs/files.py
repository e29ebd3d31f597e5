"""The verb that judges picture and vibration files by what the station knows now: `inspect`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge_agent.config import Config
from edge_agent.errors import BadData, Unavailable
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.draw import Drawing, good_among
from edge_agent.learning.example import Example
from edge_agent.ledger import Reader
from edge_agent.product.recipe import Recipe
from edge_agent.records import Embedding, Modality, Verdict
from edge_agent.runtime.disk import UntouchedDisk
from edge_agent.sources.imagehealth import picture_faults
from edge_agent.terminal.printing import outcome_word, say, say_json, warn
from edge_agent.verbs.gather import modalities_of, part_files


def inspect_files(config: Config, as_configured: bool, paths: Sequence[Path], *, as_json: bool) -> int:
    """Judge files by what the station knows now; nothing is recorded.

    Args:
        config: the station's.
        as_configured: the recipe says by what a part is perceived; otherwise the files do.
        paths: picture and vibration files, or folders.
        as_json: print JSON lines.

    Returns:
        0, or 1 when nothing could be judged.
    """
    parts = part_files(paths)
    recipe_config = config.recipe
    if not as_configured:
        recipe_config = msgspec.structs.replace(recipe_config, modalities=tuple(sorted(modalities_of(parts))))
    recipe = Recipe(recipe_config, UntouchedDisk(Path(config.station.state_dir)))
    _hold_out_drawn(recipe, Path(config.station.state_dir))
    if not recipe.learned.classes:
        nothing = f"the station in {config.station.state_dir} was taught nothing: it is sure of no part"
        warn(
            Unavailable(nothing, hint="teach it good parts first, `edge-agent teach good FOLDER`, or name another one")
        )
    unusable: list[BadData] = []
    judged = 0
    encoder = Encoder.load(recipe.bundle, config.engine)
    try:
        for part in parts:
            example = part.read_usable(unusable.append)
            if example is None:
                continue
            try:
                verdict = recipe.judge.judge(_perceive(encoder, example, recipe_config.modalities, config))
            except BadData as error:
                unusable.append(BadData(f"{example.source}: {error.message}", hint=error.hint))
                continue
            judged += 1
            _print_verdict(example.source, verdict, as_json)
    finally:
        encoder.close()
    for left_out in unusable:
        if as_json:
            say_json({"error": left_out.message, "hint": left_out.hint})
        else:
            warn(left_out)
    if not as_json:
        say(f"{judged} judged" + (f", {len(parts) - judged} could not be" if judged < len(parts) else ""))
    return 0 if judged else 1


def _hold_out_drawn(recipe: Recipe, state_dir: Path) -> None:
    drawing = Drawing(recipe.config.name, recipe.config.draw_one_in)
    with contextlib.suppress(Unavailable), Reader(state_dir) as reader:  # without a ledger nobody has said anything
        recipe.hold_out(good_among(drawing.counted(reader, recipe.digests), recipe.bundle.normal))


def _perceive(encoder: Encoder, example: Example, modalities: Sequence[Modality], config: Config) -> Embedding:
    missing = {Modality.IMAGE: example.image is None, Modality.VIBRATION: example.samples is None}
    words = tuple(f"no_{'frame' if m is Modality.IMAGE else 'window'}" for m in modalities if missing[m])
    faults = () if example.image is None else picture_faults(example.image, config.image_health)
    if faults and example.samples is None:
        raise BadData(
            f"its picture is {' and '.join(faults)}", hint="docs/config.md says when a picture is too bad to judge by"
        )
    return encoder.encode(None if faults else example.image, example.samples, example.rate_hz, (*words, *faults))


def _print_verdict(source: str, verdict: Verdict, as_json: bool) -> None:
    if as_json:
        say_json({"source": source, "verdict": verdict})
        return
    why = " ".join((verdict.cause, *verdict.degraded)).strip()
    say(f"{outcome_word(verdict.outcome)}  {verdict.label or '-':<20} {verdict.score:5.2f}  {source}  {why}")
