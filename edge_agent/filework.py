"""The verbs that read picture and vibration files: `inspect` judges them, `teach` learns from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.progress import Progress

from edge_agent import api
from edge_agent.commands import checked
from edge_agent.config import Config
from edge_agent.errors import BadData, EdgeAgentError
from edge_agent.gather import batches, modalities_of, part_files, readable
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.example import Example, pack
from edge_agent.printing import outcome_word, say, say_json, warn
from edge_agent.recipe import Recipe
from edge_agent.records import Embedding, Modality, Verdict
from edge_agent.runtime.disk import RealDisk
from edge_agent.sources.imagehealth import picture_faults
from edge_agent.station import Station, Taught

BATCH_BYTES: Final = 100 * 10**6
"""Examples that travel to a running station at once: well below what it takes, with room for one large picture."""


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
    recipe = Recipe(recipe_config, RealDisk(Path(config.station.state_dir)))
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


def teach_files(config: Config, label: str, paths: Sequence[Path], who: str, *, as_json: bool) -> int:
    """Learn a class from files, on the running station where one runs, else on the stopped one.

    Args:
        config: the station's.
        label: the class.
        paths: picture and vibration files, or folders.
        who: the person.
        as_json: print JSON.

    Returns:
        0; what cannot be learned at all raises.
    """
    checked("teach", label=label, who=who)
    unusable: list[BadData] = []

    def left_out(error: BadData) -> None:
        unusable.append(error)
        warn(error)

    examples = readable(part_files(paths), left_out)
    if api.is_listening(Path(config.api.socket)):
        taught = _teach_running(config, label, examples, who)
    else:
        taught = _teach_stopped(config, label, list(examples), who)
    if as_json:
        say_json({"taught": taught, "unusable": [error.message for error in unusable]})
        return 0
    for line in taught.refused:
        say(f"left out {line}")
    say(
        f"learned {len(taught.taught)} examples of {label} in {taught.seconds:.1f} s: "
        f"{taught.samples} known now, {taught.calibration} good parts held out"
    )
    return 0


def _teach_running(config: Config, label: str, examples: Iterable[Example], who: str) -> Taught:
    answers: list[Taught] = []
    for batch in batches(examples, BATCH_BYTES):
        try:
            answer = api.call(Path(config.api.socket), "teach", {"label": label, "who": who}, pack(batch))
        except EdgeAgentError as error:
            learned = sum(len(answer.taught) for answer in answers)
            if not learned:
                raise
            raise type(error)(f"{learned} examples of {label} were learned, then: {error}", hint=error.hint) from error
        answers.append(msgspec.convert(answer, Taught))
    if not answers:
        raise _nothing_read(label)
    return replace(
        answers[-1],
        taught=tuple(source for answer in answers for source in answer.taught),
        refused=tuple(line for answer in answers for line in answer.refused),
        seconds=sum(answer.seconds for answer in answers),
    )


def _teach_stopped(config: Config, label: str, examples: Sequence[Example], who: str) -> Taught:
    if not examples:
        raise _nothing_read(label)
    console = Console(stderr=True)
    with Station(config) as station, Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"learning {label}")
        return station.teach(
            label, examples, who=who, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )


def _nothing_read(label: str) -> BadData:
    return BadData(f"no example of {label} could be read", hint="see the lines above")


def _perceive(encoder: Encoder, example: Example, modalities: Sequence[Modality], config: Config) -> Embedding:
    missing = {Modality.IMAGE: example.image is None, Modality.VIBRATION: example.samples is None}
    words = tuple(f"no_{'frame' if m is Modality.IMAGE else 'window'}" for m in modalities if missing[m])
    faults = () if example.image is None else picture_faults(example.image, config.image_health)
    return encoder.encode(None if faults else example.image, example.samples, example.rate_hz, (*words, *faults))


def _print_verdict(source: str, verdict: Verdict, as_json: bool) -> None:
    if as_json:
        say_json({"source": source, "verdict": verdict})
        return
    why = " ".join((verdict.cause, *verdict.degraded)).strip()
    say(f"{outcome_word(verdict.outcome)}  {verdict.label or '-':<20} {verdict.score:5.2f}  {source}  {why}")
