"""What is being inspected and what is known of it: a recipe's bundle, what it has learned, and the judge of both.

The one place that holds the active state, and the candidate where one waits. Every change is on the disk before it is
what `judge` gives. Whether a candidate should be promoted is for others to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from edge_agent.config import RecipeConfig
from edge_agent.errors import BadData, StateDamaged
from edge_agent.inspection.joint import HeldOut
from edge_agent.inspection.judge import Judge
from edge_agent.learning.crossing import Crossing
from edge_agent.learning.example import Example
from edge_agent.learning.exemplar import Exemplar
from edge_agent.learning.guiding import space_of
from edge_agent.learning.learned import Learned
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.raw import example_of, keeping
from edge_agent.learning.slots import Change, nothing_waits
from edge_agent.learning.state import State
from edge_agent.learning.store import WHO, KnowledgeStore
from edge_agent.product.known import Known, Turn, bundle_for, held_out
from edge_agent.records import Embedding
from edge_agent.runtime.disk import Disk
from edge_agent.runtime.steps import Steps, finished
from models import Bundle


class Recipe:
    """The active recipe. Reading is safe from any thread; only one thread at a time may call what changes it.

    Attributes:
        crossing: set where that is of another bundle than what is judged by; `cross` before anything is changed.

    Args:
        config: its name, its bundle, how strict to be.
        disk: the state directory.

    Raises:
        ConfigError: the bundle is refused, lacks a modality, or the knowledge was made with another one.
    """

    def __init__(self, config: RecipeConfig, disk: Disk) -> None:
        self.config = config
        self.bundle = bundle_for(config)
        self._store = KnowledgeStore(disk, config.name, self.bundle, guided=config.guided)
        stored = self._store.load()
        self._damage = list(stored.damage)
        self.crossing = stored.crossing
        self._drawn: tuple[Embedding, ...] = ()
        self._active = self._known(stored.active)
        self._candidate = None if stored.candidate is None else self._known(stored.candidate)

    @property
    def damage(self) -> list[StateDamaged]:
        """What was found damaged when the knowledge was loaded."""
        return self._damage

    @property
    def learned(self) -> Learned:
        """What is known."""
        return self._active.learned

    @property
    def space(self) -> Bundle:
        """What embeddings are of: the bundle, guided where it is."""
        return self._active.space

    @property
    def judge(self) -> Judge:
        """Judges by what is known."""
        return self._active.judge

    @property
    def candidate(self) -> Known | None:
        """What was proposed and not yet promoted; None where nothing waits."""
        return self._candidate

    def example_of(self, exemplar: Exemplar) -> Example | None:
        """Give the example that an exemplar was made from, None where it was not kept; reads the disk."""
        return example_of(self._store.blobs, exemplar)

    @property
    def digests(self) -> frozenset[str]:
        """Digests of the states of knowledge that are kept."""
        return self._store.digests

    @property
    def held_out(self) -> HeldOut:
        """The good parts that parts are ranked among: those that were taught, and those that were drawn."""
        return held_out(self.learned, self._drawn)

    def hold_out(self, drawn: Sequence[Embedding]) -> None:
        """Rank parts among these held-out good parts too, beside those that were taught; they are kept elsewhere.

        Args:
            drawn: parts that were drawn at random and that people called good.
        """
        if [one.q.tobytes() for one in drawn] != [one.q.tobytes() for one in self._drawn]:
            self._drawn = tuple(drawn)
            self._active = self._known(State(self._active.learned, self._active.change))
            if (waiting := self._candidate) is not None:
                self._candidate = self._known(State(waiting.learned, waiting.change))

    def can_add(self, slug: str) -> bool:
        """Say whether a lesson on a class would be added to the change that waits, or none waits."""
        waiting = self._candidate
        return waiting is None or (waiting.change is not None and waiting.change.slug == slug)

    def check_free(self) -> None:
        """Raise `BadData` while a change waits to be promoted."""
        self._store.check_free()

    def check_unchanged(self) -> None:
        """Raise `BadData` where something else is known by now, or a change waits to be promoted; reads the disk."""
        self._store.check_unchanged()

    @property
    def origin(self) -> str:
        """Names what is active on the disk, whatever made it so; see `Slot.contents`."""
        return self._store.origin

    def cross(self, crossing: Crossing, utc: float) -> Turn:
        """Make what is judged by the active state on the disk, where that is of another bundle.

        Args:
            crossing: the way from the one to the other.
            utc: wall time [s since the epoch].

        Returns:
            The change, for the audit.

        Raises:
            StateDamaged: what was carried over was damaged meanwhile.
            Unavailable: the disk is full or failing.
        """
        change = self._store.cross(crossing, utc)
        self._active = replace(self._active, change=change)
        self.crossing = None
        return Turn(change, crossing.before.knowledge, self.judge.digest)

    def settle(self, utc: float) -> Turn | None:
        """Have on the disk what is judged by, where the recipe looks at pictures otherwise than it did.

        Args:
            utc: wall time [s since the epoch].

        Returns:
            The change, for the audit; None where nothing changed.

        Raises:
            Unavailable: the disk is full or failing.
        """
        before = self._store.knowledge
        if not self._store.settle(self.learned, self._waiting):
            return None
        return Turn(Change("look", "", (), WHO, utc), before, self.judge.digest)

    @property
    def looks_otherwise(self) -> bool:
        """Whether `settle` has to be done before anything is judged: pictures are looked at otherwise than before."""
        return self._store.looks_otherwise(self.learned, self._waiting)

    def remove_carried(self) -> None:
        """Remove what was carried over to the bundle, once it is active and on record."""
        self._store.remove_carried()

    def propose(self, lesson: Lesson, who: str, utc: float) -> Steps[Known]:
        """Make what would be known with a lesson the candidate, in parts; nothing changes for the line.

        Where a candidate waits that was taught the same class, the lesson is added to it. Solving takes some 10 ms,
        keeping its pictures as much for each.

        Args:
            lesson: every variant of it encoded.
            who: the person who teaches.
            utc: wall time [s since the epoch].

        Returns:
            The candidate.

        Raises:
            BadData: no example could be learned, another change waits to be promoted, or something was learned between
                two parts.
            Unavailable: the disk is full or failing.
        """
        before, waiting = self.learned, self._candidate
        if not self.can_add(lesson.label):
            self._store.check_free()
        known = before if waiting is None else waiting.learned
        learned, change = yield from self._with_lesson(lesson, known, who, utc)
        if waiting is not None and waiting.change is not None:
            change = msgspec.structs.replace(change, sources=(*waiting.change.sources, *change.sources))
        candidate = yield from self._making(State(learned, change))
        self._check_still(before, None if waiting is None else waiting.learned)
        self._store.propose(learned, change, instead=waiting is not None)
        self._candidate = candidate
        return candidate

    def promote(self) -> Turn:
        """Judge by the candidate from now on; raise `BadData` without one."""
        candidate = self._candidate
        if candidate is None or candidate.change is None:
            raise nothing_waits()
        self._store.promote()
        self._candidate = None
        return self._turn(candidate, candidate.change)

    def cancel(self) -> None:
        """Drop the candidate; raise `BadData` without one."""
        self._store.cancel()
        self._candidate = None

    def retract(self, before: Known | None) -> None:
        """Have what waited before the last proposal wait again, or nothing, where nothing did.

        Args:
            before: `candidate` before `propose`.

        Raises:
            Unavailable: the disk is full or failing; then the proposal waits.
        """
        if before is None or before.change is None:
            self.cancel()
        else:
            self._store.propose(before.learned, before.change, instead=True)
            self._candidate = before

    def learn(self, lesson: Lesson, who: str, utc: float) -> Steps[Turn]:
        """Judge by what is known with a lesson from now on; as `propose` and `promote` together."""
        self._store.check_free()
        before = self.learned
        learned, change = yield from self._with_lesson(lesson, before, who, utc)
        return (yield from self._changed(learned, change, before))

    def forget(self, ids: Iterable[str], who: str, utc: float) -> Steps[Turn]:
        """Forget some exemplars, as if they had never been learned; where all is looked at anew, that takes minutes.

        Args:
            ids: theirs; `learned.find` gives those of a source.
            who: the person who asks for it.
            utc: wall time [s since the epoch].

        Returns:
            The change.

        Raises:
            BadData: one of them was never learned, a candidate waits, or something was learned between two parts.
            Unavailable: the disk is full or failing.
        """
        gone = frozenset(ids)
        exemplars = [exemplar for exemplar in self.learned.exemplars if exemplar.id in gone]
        labels = {exemplar.label for exemplar in exemplars}
        slug = labels.pop() if len(labels) == 1 else ""
        change = Change("forget", slug, tuple(e.source for e in exemplars), who, utc)
        return (yield from self._left(self.learned.without(gone), change))

    def forget_class(self, slug: str, who: str, utc: float) -> Steps[Turn]:
        """Forget a class and all its exemplars; raises as `forget` does."""
        change = Change("forget", slug, (), who, utc)
        return (yield from self._left(self.learned.without_class(slug), change))

    def undo(self, who: str, utc: float) -> Steps[Turn]:
        """Go back to the state before the last change, in parts.

        Args:
            who: the person who asks for it.
            utc: wall time [s since the epoch].

        Returns:
            The change; class and examples are those of the change that was undone.

        Raises:
            BadData: there is no earlier state, a candidate waits, or something was learned between two parts.
            ConfigError: the state before was learned with another bundle.
            StateDamaged: the state before cannot be read.
            Unavailable: the disk is full or failing.
        """
        before, undone = self.learned, self._active.change
        state = yield from self._store.before()
        known = yield from self._making(state)
        self._check_still(before)
        self._store.undo(state)
        slug, sources = (undone.slug, undone.sources) if undone is not None else ("", ())
        return self._turn(known, Change("undo", slug, sources, who, utc))

    @property
    def _waiting(self) -> Learned | None:
        return None if self._candidate is None else self._candidate.learned

    def _with_lesson(self, lesson: Lesson, known: Learned, who: str, utc: float) -> Steps[tuple[Learned, Change]]:
        kept = yield from keeping(self._store.blobs, lesson.exemplars(known, who, utc), known)
        added = yield from known.adding_exemplars(lesson.name, kept)
        learned = yield from self._store.completing(added)
        return learned, Change("teach", lesson.label, tuple(exemplar.source for exemplar in kept), kept[0].who, utc)

    def _left(self, left: Learned, change: Change) -> Steps[Turn]:
        """Judge by what is left of what is known, which must not change meanwhile."""
        self._store.check_free()
        before = self.learned
        completed = yield from self._store.completing(left)
        return (yield from self._changed(completed, change, before))

    def _changed(self, learned: Learned, change: Change, before: Learned) -> Steps[Turn]:
        """Judge by something else than `before` from now on."""
        yield None
        known = yield from self._making(State(learned, change))
        self._check_still(before)
        self._store.save(learned, change)
        return self._turn(known, change)

    def _check_still(self, before: Learned, waiting: Learned | None = None) -> None:
        if self.learned is not before or self._waiting is not waiting:
            raise BadData("what is known has changed meanwhile", hint="do it again")

    def _turn(self, known: Known, change: Change) -> Turn:
        if known.space.digest != self.space.digest:
            self._drawn = ()  # what was drawn was seen otherwise
        before, self._active = self.judge.digest, known
        return Turn(change, before, known.judge.digest)

    def _known(self, state: State) -> Known:
        return finished(self._making(state))

    def _making(self, state: State) -> Steps[Known]:
        """Make the judge of a state; once more where people said something of drawn parts meanwhile."""
        while True:
            drawn = self._drawn
            seen_alike = not drawn or space_of(self.bundle, state.learned.guiding).digest == self.space.digest
            known = yield from Known.making(state, self.bundle, self.config, drawn if seen_alike else ())
            if drawn is self._drawn:
                return known
