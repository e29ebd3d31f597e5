"""What is done with what a station has learned: propose, prove, promote or cancel, forget, go back.

Used by the stopped station and by the running one, which calls it on its background thread. It encodes nothing and
records nothing: rows for the audit are what it gives back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Final

from edge_agent.config import Config
from edge_agent.errors import BadData, Unsafe
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Role
from edge_agent.learning.guiding import space_of
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.lot import Batches
from edge_agent.learning.outcome import Changed, ClassKnown, Taught
from edge_agent.learning.proof import MAX_PARTS, Occasion, ProofSheet, State, prove
from edge_agent.learning.slots import BundleName, Change, nothing_waits
from edge_agent.ledger import Reader, Teaching
from edge_agent.product.known import Known, Turn, classes_of
from edge_agent.product.recipe import Recipe
from edge_agent.records import Part
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.steps import Steps
from models.guide import GuidedBundle, can_be_guided

SHIFT_S: Final = 8 * 3600.0
"""Parts of this long are judged again by what is proposed [s]."""

NOBODY: Final = "unknown"
"""Who proposed a candidate whose slot does not say."""


class Lessons:
    """Changes what one recipe has learned, and proves it first.

    One thread at a time may call it.

    Args:
        recipe: what is changed.
        config: of the station.
        reader: opens the reading side of the ledger.
        clock: tells the time.
    """

    def __init__(self, recipe: Recipe, config: Config, reader: Callable[[], Reader], clock: Clock) -> None:
        self._recipe = recipe
        self._config = config
        self._reader = reader
        self._clock = clock
        self._proven: tuple[Known, ProofSheet] | None = None
        self._batches = Batches()

    def begin(
        self, name: str, examples: Sequence[Example], *, golden: bool = False, now: bool = False, following: int = 0
    ) -> Lesson:
        """Begin a lesson: what is to be encoded, before anything is.

        Args:
            name: the class, as a person writes it.
            examples: labelled parts.
            golden: they are only asked about when knowledge is to change.
            now: it is to be promoted at once.
            following: examples of the class that are to be taught after these.

        Returns:
            The lesson.

        Raises:
            BadData: the class cannot be called so, or another change waits to be promoted.
        """
        recipe, candidate = self._recipe, self._recipe.candidate
        learned = recipe.learned if candidate is None else candidate.learned
        space = space_of(recipe.bundle, learned.guiding)
        lesson = Lesson(
            name,
            examples,
            learned,
            recipe.bundle.normal,
            self._config.image_health,
            golden=golden,
            space=space if isinstance(space, GuidedBundle) else None,
            tokens=recipe.config.guided and can_be_guided(recipe.bundle),
            following=following,
        )
        if now or not recipe.can_add(lesson.label):
            recipe.check_free()
        return lesson

    def propose(self, lesson: Lesson, who: str, *, goes_on: bool = False) -> Steps[Known]:
        """Propose what an encoded lesson teaches; see `Recipe.propose`.

        Args:
            lesson: every variant of it encoded.
            who: the person who teaches.
            goes_on: more examples of it follow, which are taught at the same time and are of the same lot.

        Returns:
            What would be known.
        """
        with self._batch(lesson, who, goes_on=goes_on) as utc:
            return (yield from self._recipe.propose(lesson, who, utc))

    def learn(self, lesson: Lesson, who: str, *, goes_on: bool = False) -> Steps[Teaching]:
        """Judge by what an encoded lesson teaches from now on, without proof; see `propose` and `Recipe.learn`."""
        with self._batch(lesson, who, goes_on=goes_on) as utc:
            return _row((yield from self._recipe.learn(lesson, who, utc)))

    def sheet(self) -> Steps[ProofSheet]:
        """Prove the candidate in parts, which say how many samples are asked about; the second time at once.

        Returns:
            The proof sheet.

        Raises:
            BadData: nothing waits to be promoted.
        """
        candidate = self._waiting()
        if self._proven is not None and self._proven[0] is candidate:
            return self._proven[1]
        recipe = self._recipe
        parts, older = yield from self._last_shift(candidate)
        sheet = yield from prove(
            State(recipe.learned, recipe.space.prior(), recipe.judge.judge, recipe.judge.normality),
            State(candidate.learned, candidate.space.prior(), candidate.judge.judge, candidate.judge.normality),
            normal=recipe.bundle.normal,
            protected=self._config.recipe.protected,
            parts=parts,
            older=older,
            occasion=self._occasion(candidate),
            clock=self._clock.now,
        )
        self._proven = candidate, sheet
        return sheet

    def promote(self, who: str, *, overrule: bool = False) -> Steps[tuple[Changed, list[Teaching]]]:
        """Judge by the candidate from now on, where nothing speaks against it or somebody overrules that.

        Args:
            who: the person who answers for it.
            overrule: also where the proof sheet refuses it.

        Returns:
            The change, and the rows that the audit needs.

        Raises:
            BadData: nothing waits, or not what waited when the proof began.
            Unsafe: the proof sheet refuses it; the reasons are in the message.
        """
        proven = self._waiting().learned
        sheet = yield from self.sheet()
        if self._waiting().learned is not proven:
            raise BadData("another change waits by now than the one that was proven", hint="do it again")
        refused = tuple(refusal.reason for refusal in sheet.refused)
        if refused and not overrule:
            raise Unsafe(
                f"refused: {' '.join(refused)}",
                hint="`edge-agent proof` shows why; `edge-agent promote --overrule` does it in your name",
            )
        self._batches.end()
        turn = self._recipe.promote()
        row = replace(_row(turn), who=who, utc=self._clock.utc())
        overruled = [replace(row, action="overrule", sources=refused)] if refused else []
        return _changed(turn, self._recipe.learned.names, refused), [*overruled, row]

    def cancel(self, who: str) -> Teaching:
        """Drop the candidate; raise `BadData` without one. Gives the row that the audit needs."""
        candidate, active = self._waiting(), self._recipe.judge.digest
        self._batches.end()
        self._recipe.cancel()
        slug, sources = ("", ()) if candidate.change is None else (candidate.change.slug, candidate.change.sources)
        return Teaching(self._clock.utc(), "cancel", slug, active, active, sources, who)

    @property
    def waiting(self) -> Known | None:
        """What waits to be promoted; None where nothing does."""
        return self._recipe.candidate

    def retract(self, before: Known | None) -> None:
        """Take back the last proposal, so that what was `waiting` before it waits again; see `Recipe.retract`."""
        self._batches.end()
        self._recipe.retract(before)

    def forget(self, what: str, who: str) -> Steps[tuple[Changed, list[Teaching]]]:
        """Forget a class, or samples by id or source, as if they had never been learned; see `Recipe.forget`.

        Args:
            what: a class by name or slug, an id, or what a sample was taught from.
            who: the person who asks for it.

        Returns:
            The change, and the rows that the audit needs.

        Raises:
            BadData: there is no such thing, or a change waits to be promoted.
        """
        self._batches.end()
        recipe, names = self._recipe, self._recipe.learned.names
        slugs = {what, *(slug for slug, name in names.items() if name == what)}
        found = recipe.learned.find(what)
        if slug := next((slug for slug in recipe.learned.classes if slug in slugs), ""):
            return _rows((yield from recipe.forget_class(slug, who, self._clock.utc())), names)
        if not found:
            raise recipe.learned.unknown(what)
        turn = yield from recipe.forget([exemplar.id for exemplar in found], who, self._clock.utc())
        return _rows(turn, names)

    def undo(self, who: str) -> Steps[tuple[Changed, list[Teaching]]]:
        """Go back to what was known before the last change, in parts; raises as `Recipe.undo` does."""
        self._batches.end()
        names = self._recipe.learned.names
        turn = yield from self._recipe.undo(who, self._clock.utc())
        return _rows(turn, {**names, **self._recipe.learned.names})

    def cross(self) -> tuple[str, list[Teaching]] | None:
        """Go on with the bundle that is configured, where what is known was learned with another one.

        Returns:
            What happened, in one sentence, and the rows that the audit needs; None where nothing had to.

        Raises:
            StateDamaged: what was carried over was damaged meanwhile.
            Unavailable: the disk is full or failing.
        """
        recipe, crossing = self._recipe, self._recipe.crossing
        if crossing is None:
            return None
        utc = self._clock.utc()
        row = replace(_row(recipe.cross(crossing, utc)), utc=utc)
        used = BundleName.of(recipe.bundle)
        was = f" instead of {crossing.before.bundle}" if crossing.before.bundle is not None else ""
        if crossing.sealed is not None:
            overruled = [replace(row, action="overrule", sources=crossing.sealed.overruled)]
            rows = [*(overruled if crossing.sealed.overruled else []), row]
            return f"judged with {used}{was} from now on, by what {row.who} carried over", rows
        missing = f"{crossing.missing} change{'' if crossing.missing == 1 else 's'} made since"
        lacks = f"; it lacks {missing}, which `edge-agent adopt` can carry over" if crossing.missing else ""
        return f"judged with {used}{was} from now on, by what was known with it{lacks}", [row]

    def settle(self) -> tuple[str, list[Teaching]] | None:
        """Have on the disk what is judged by, where pictures are looked at otherwise now; gives what `cross` does."""
        turn = self._recipe.settle(self._clock.utc())
        if turn is None:
            return None
        guided = self._recipe.learned.guiding is not None
        how = "where they are unlike good ones" if guided else "as a whole"
        return f"pictures are looked at {how} from now on", [_row(turn)]

    def taught(self, lesson: Lesson, seconds: float, *, promoted: bool) -> Taught:
        """Say what came of a lesson that was just proposed, or learned."""
        known = self._recipe.learned if promoted else self._waiting().learned
        return Taught(
            label=lesson.label,
            taught=tuple(lesson.taught),
            refused=tuple(lesson.refused),
            samples=known.knowledge.samples(lesson.label),
            calibration=len(known.calibration),
            knowledge=known.knowledge.digest,
            seconds=seconds,
            promoted=promoted,
        )

    def classes(self) -> list[ClassKnown]:
        """Give everything that is known, class by class, the good parts first."""
        return classes_of(self._recipe.learned, self._recipe.bundle.normal)

    def _batch(self, lesson: Lesson, who: str, *, goes_on: bool) -> AbstractContextManager[float]:
        utc, now = self._clock.utc(), self._clock.now()
        return self._batches.batch(lesson.label, who, goes_on=goes_on, utc=utc, now=now)

    def _waiting(self) -> Known:
        candidate = self._recipe.candidate
        if candidate is None:
            raise nothing_waits()
        return candidate

    def _last_shift(self, candidate: Known) -> Steps[tuple[list[Part], int]]:
        """Give the newest parts of the shift that can be judged again, and how many others there are."""
        since_utc, recipe = self._clock.utc() - SHIFT_S, self._config.recipe.name
        with self._reader() as reader:
            newest, count = reader.newest(recipe, since_utc, MAX_PARTS), reader.embedded(recipe, since_utc)
        yield None
        d, kept = self._recipe.space.d, self._recipe.digests
        alike = kept if self._recipe.learned.guiding is not None else None
        if self._recipe.space.digest != candidate.space.digest:
            return [], count
        ours = [
            part
            for part in newest
            if part.embedding is not None and len(part.embedding.q) == d and (alike is None or part.knowledge in alike)
        ]
        return ours, count - len(ours)

    def _occasion(self, candidate: Known) -> Occasion:
        recipe, change = self._recipe, candidate.change
        name = candidate.learned.names.get(change.slug, change.slug) if change is not None else ""
        examples = 0 if change is None else len(change.sources)
        golden = 0 if change is None else _golden(candidate, change) - _golden(recipe, change)
        plural = "" if examples == 1 else "s"
        learned = f"learn {name} from {examples} example{plural}"
        return Occasion(
            station=self._config.station.name,
            recipe=recipe.config.name,
            bundle=f"{recipe.bundle.name} {recipe.bundle.manifest.version}",
            change=f"keep {examples} golden example{plural} of {name}" if 0 < golden == examples else learned,
            who=NOBODY if change is None else change.who,
            utc=0.0 if change is None else change.utc,
        )


def _golden(known: Known | Recipe, change: Change) -> int:
    """Count the golden examples of the class that a change is about."""
    return known.learned.count(change.slug, Role.GOLDEN)


def _row(turn: Turn) -> Teaching:
    """Give the audit row of a change of what is judged by."""
    change = turn.change
    return Teaching(change.utc, change.action, change.slug, turn.before, turn.after, change.sources, change.who)


def _rows(turn: Turn, names: Mapping[str, str]) -> tuple[Changed, list[Teaching]]:
    return _changed(turn, names), [_row(turn)]


def _changed(turn: Turn, names: Mapping[str, str], overruled: tuple[str, ...] = ()) -> Changed:
    change, name = turn.change, names.get(turn.change.slug, turn.change.slug)
    return Changed(change.action, change.slug, change.sources, turn.before, turn.after, overruled, name)
