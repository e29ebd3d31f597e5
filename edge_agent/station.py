"""The whole station for a Python program: judge a part, read the ledger, teach a class; no loop and no source needed.

The running agent is built on it: `app.py` joins the same recipe and ledger to a source, a device and an output.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from edge_agent.config import Config
from edge_agent.config.file import load_config
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.draw import Drawing
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.outcome import Changed, Proposal, Taught
from edge_agent.learning.slots import SLOTS
from edge_agent.ledger import (
    Committed,
    EvidenceStore,
    Item,
    LedgerWriter,
    Pictured,
    Reader,
    Rejected,
    Teaching,
    Word,
    WordKind,
    keep,
)
from edge_agent.ledger.items import Receipt
from edge_agent.ledger.recorder import Recorder
from edge_agent.lessons import Lessons
from edge_agent.product import Product, Products
from edge_agent.recipe import Recipe
from edge_agent.records import Embedding, Event, Frame, Modality, Part, Times, Trigger, VibrationWindow
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.disk import Missing, RealDisk
from edge_agent.runtime.steps import finished
from models import Bundle

CLOSE_TIMEOUT_S: Final = 5.0
"""How long the ledger may take to commit what waits when the station is closed."""


class Station:
    """One station on one state directory. Opens at once; `close` it, or use it in a `with` statement.

    Attributes:
        found_knowledge: what was known when it was opened, before it went on as configured; see `knowledge_state`.

    Args:
        config: the configuration, the path of its file, or None for the defaults with the state in `./state`.
        clock: tells the time.
        post: has a call run where receipts are wanted; at once, unless an agent has a loop to run it on.
        on_error: hears a bug that ended the ledger's thread.

    Raises:
        ConfigError: a person must change something.
        Unavailable: another agent uses the state directory, or the disk fails.
    """

    def __init__(
        self,
        config: Config | Path | str | None = None,
        *,
        clock: Clock | None = None,
        post: Callable[[Callable[[], None]], None] = lambda call: call(),
        on_error: Callable[[str, Exception], object] = lambda name, error: None,
    ) -> None:
        self.config = _config_of(config)
        self.clock = clock or SystemClock()
        state_dir = Path(self.config.station.state_dir)
        self._disk = disk = RealDisk(state_dir)
        self._encoders: dict[str, Encoder] = {}
        self.recorder = Recorder(post)
        self.evidence = EvidenceStore(disk, self.config.ledger.evidence_max_mb * 10**6)
        self.ledger = LedgerWriter(
            state_dir,
            self.clock,
            deliver=self.recorder.deliver,
            on_error=on_error,
            queue=self.config.ledger.commit_queue,
            make_room=self.evidence.make_room,
            max_bytes=self.config.ledger.max_mb * 10**6,
        )
        self.recorder.write_to(self.ledger)
        self.products = Products(self.config, disk, self.reader, self.clock)
        self.ledger.open()
        try:
            self.found_knowledge = self.knowledge_state()
            self.evidence.open()
            for product in self.products:
                self._cross(product)
        except BaseException:
            self.close()
            raise
        for product in self.products:
            for damage in product.recipe.damage:
                self.note("error", "recipe", "knowledge_damaged", damage.message)
            try:
                product.hold_out_drawn()
            except EdgeAgentError as error:
                said = f"drawn parts are not counted as held out: {error.message}"
                self.note("error", "recipe", "drawn_unread", said)
        self._series = f"program-{int(self.clock.utc() * 1e3):x}"
        self._number = 0

    @property
    def recipe(self) -> Recipe:
        """The recipe in use, with what is known of it."""
        return self.products.in_use.recipe

    @property
    def lessons(self) -> Lessons:
        """How what is known for the recipe in use is changed."""
        return self.products.in_use.lessons

    @property
    def drawing(self) -> Drawing:
        """Which parts of the recipe in use are drawn for a person's word."""
        return self.products.in_use.drawing

    def knowledge_state(self) -> str:
        """Say by a digest what is known, for all recipes; "none" where nothing ever was."""
        try:
            return hashlib.sha256(self._disk.read(SLOTS)).hexdigest()
        except Missing:
            return "none"

    def use(self, name: str, who: str = "program") -> None:
        """Inspect another product from now on, also after a restart.

        Args:
            name: of its recipe.
            who: the person or the program who asks for it.

        Raises:
            BadData: there is no such recipe.
            Unavailable: the disk fails; the product is the old one.
        """
        self.products.use(name)
        self.note("info", "recipe", "recipe_changed", f"{who} has the station inspect {name}", recipe=name, who=who)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def judge(self, frame: Frame | None, window: VibrationWindow | None = None, truth: str | None = None) -> Part:
        """Judge one part and record it; returns when the disk has it.

        Args:
            frame: its picture, or None.
            window: its vibration, or None.
            truth: class slug where the part's truth is known.

        Returns:
            The part as it is recorded.

        Raises:
            BadData: there is nothing to judge it by.
            DeviceFault: the device cannot compute.
            Unavailable: the disk fails; the verdict is not recorded.
        """
        started_s = self.clock.now()
        image = None if frame is None else frame.image
        samples, rate_hz = (None, 0.0) if window is None else (window.samples, window.rate_hz)
        missing = {Modality.IMAGE: frame is None, Modality.VIBRATION: window is None}
        words = tuple(
            f"no_{'frame' if m is Modality.IMAGE else 'window'}" for m in self.recipe.config.modalities if missing[m]
        )
        judge = self.recipe.judge
        embedding = judge.look(self._encoder_of(self.recipe.bundle).encode(image, samples, rate_hz, words))
        inferred_s = self.clock.now()
        self._number += 1
        part = Part(
            trigger=Trigger(self._series, self._number, started_s, truth),
            verdict=judge.judge(embedding),
            times=Times(
                started_s, started_s if frame is None else frame.time_s, started_s, inferred_s, self.clock.now()
            ),
            recipe=self.recipe.config.name,
            knowledge=judge.digest,
            embedding=embedding,
            decided_utc=self.clock.utc(),
        )
        receipt = self._committed(part)
        part = replace(part, id=receipt.id, times=replace(part.times, committed_s=receipt.committed_s))
        return replace(part, picture=self.keep(part, frame, window))

    def keeps(self, part: Part) -> bool:
        """Say whether the part's evidence is kept: by its answer, or because a person is to say what the part is."""
        outcomes = self.config.ledger.keep_evidence
        product = self.products.of(part)
        drawn = product.drawing.has(part.trigger.series, part.trigger.number)
        return part.verdict.outcome in outcomes or (drawn and bool(outcomes))

    def keep(self, part: Part, frame: Frame | None, window: VibrationWindow | None) -> str:
        """Keep the part's evidence where the configuration says so; give the picture's digest, "" without one."""
        if not self.keeps(part):
            return ""
        picture = keep(self.evidence, part, frame, window)
        if picture:
            self.ledger.offer(Pictured(part.trigger.series, part.trigger.number, picture))
        return picture

    def parts(self, since_utc: float | None = None) -> Iterator[Part]:
        """Give the recorded parts, oldest first, in constant memory.

        Args:
            since_utc: only those decided since [s since the epoch]; None for all.

        Yields:
            Parts.
        """
        with self.reader() as reader:
            yield from reader.parts(since_utc)

    def teach(
        self,
        label: str,
        examples: Sequence[Example],
        *,
        who: str = "program",
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Taught:
        """Learn a class from examples at once, without proof; every second good part is held out for calibration.

        Args:
            label: name of the class.
            examples: labelled parts.
            who: name of the person or the program, for the audit.
            progress: hears how many encodings of how many are done.

        Returns:
            What came of it.

        Raises:
            BadData: no example could be learned; nothing changed.
            Unavailable: the disk fails; nothing changed, or only the audit row of the change is missing.
        """
        started_s = self.clock.now()
        lesson = self._encoded_lesson(self.lessons.begin(label, examples, now=True), progress)
        self._committed(finished(self.lessons.learn(lesson, who)))
        return self.lessons.taught(lesson, self.clock.now() - started_s, promoted=True)

    def propose(
        self,
        label: str,
        examples: Sequence[Example],
        *,
        who: str = "program",
        golden: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Proposal:
        """Prove what the station would know with some examples; nothing changes before `promote`.

        Args:
            label: name of the class.
            examples: labelled parts.
            who: name of the person or the program, for the audit.
            golden: nothing is learned from them; they are asked about whenever knowledge is to change.
            progress: hears how many encodings of how many are done.

        Returns:
            What was taught, with the proof sheet.

        Raises:
            BadData: no example could be learned, or another change waits; nothing changed.
            Unavailable: the disk fails; nothing changed.
        """
        started_s = self.clock.now()
        lesson = self._encoded_lesson(self.lessons.begin(label, examples, golden=golden), progress)
        finished(self.lessons.propose(lesson, who))
        sheet = finished(self.lessons.sheet())
        return Proposal(self.lessons.taught(lesson, self.clock.now() - started_s, promoted=False), sheet)

    def promote(self, who: str = "program", *, overrule: bool = False) -> Changed:
        """Judge by what was proposed from now on; see `Lessons.promote`."""
        return self._changed(finished(self.lessons.promote(who, overrule=overrule)))

    def cancel(self, who: str = "program") -> None:
        """Drop what was proposed; see `Lessons.cancel`."""
        self._committed(self.lessons.cancel(who))

    def forget(
        self,
        what: str,
        who: str = "program",
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Changed:
        """Forget a class or samples as if they had never been learned; see `Lessons.forget`.

        Args:
            what: a class by name or slug, an id, or what a sample was taught from.
            who: name of the person or the program, for the audit.
            progress: hears how many examples of how many were looked at anew, where they have to be.

        Returns:
            The change.
        """
        return self._changed(finished(self.lessons.forget(what, who), progress))

    def undo(self, who: str = "program") -> Changed:
        """Go back to what was known before the last change; see `Lessons.undo`."""
        return self._changed(finished(self.lessons.undo(who)))

    def label(self, part_id: int, label: str | None, who: str) -> Part:
        """Record a person's word on a part.

        Args:
            part_id: the ledger's number of the part.
            label: what it is; None takes the last word back.
            who: the person.

        Returns:
            The part with the word that now holds.

        Raises:
            BadData: there is no such part, or nothing to take back.
        """
        word = self.word(part_id, label, who)
        self._committed(word)
        with self.reader() as reader:
            part = reader.part(part_id)
        self.products.of(part).hold_out_drawn()
        return part

    def word(self, part_id: int, label: str | None, who: str) -> Word:
        """Say what kind of word this is; raise `BadData` where it makes no sense."""
        with self.reader() as reader:
            part = reader.part(part_id)
            if label is None and part.operator_label is None:
                raise BadData(
                    f"nobody has said anything about part {part_id} that could be taken back",
                    hint=f"say what it is: edge-agent label {part_id} CLASS",
                )
            confirmed = label == part.verdict.label
        kind = WordKind.UNDO if label is None else WordKind.CONFIRM if confirmed else WordKind.CORRECT
        return Word(part_id, kind, label, self.clock.utc(), who)

    def hold_out_drawn(self) -> None:
        """For each product: see `Product.hold_out_drawn`."""
        for product in self.products:
            product.hold_out_drawn()

    def reader(self) -> Reader:
        """Open the reading side of the ledger."""
        return Reader(Path(self.config.station.state_dir))

    def last_number(self, series: str) -> int:
        """Give the highest trigger number of a series that has a row; 0 where none has."""
        with self.reader() as reader:
            return reader.last_number(series)

    def note(self, severity: str, component: str, kind: str, message: str, **data: object) -> None:
        """Record something that happened now."""
        self.record(Event(self.clock.utc(), severity, component, kind, message, data))

    def record(self, event: Event) -> None:
        """Record an event; the ledger counts those it has no room for. Safe from any thread."""
        self.ledger.offer(event)

    def close(self) -> bool:
        """Commit what waits and release everything; safe to call twice. False when the disk did not answer in time."""
        self.ledger.close()
        ended = self.ledger.join(self.clock.now() + CLOSE_TIMEOUT_S)
        while self._encoders:
            self._encoders.popitem()[1].close()
        return ended

    def _cross(self, product: Product) -> None:
        """Go on as configured, where the knowledge is of another bundle or pictures were looked at otherwise."""
        if (crossed := product.lessons.cross()) is not None:
            said, (*overruled, row) = crossed
            for before in overruled:
                self.recorder.offer(before)
            self.recorder.offer(row, lambda receipt: self._crossed(product, receipt))
            self.note("info", "recipe", "bundle_changed", said)
        self._settle(product)

    def _settle(self, product: Product) -> None:
        """Have on the disk what is judged by; the details of good parts can wait for a start with room on the disk."""
        try:
            settled = product.lessons.settle()
        except Unavailable as error:
            if product.recipe.looks_otherwise:
                raise
            said = f"what is known of good parts in detail is not stored; the next start tries again: {error.message}"
            self.note("error", "recipe", "details_unstored", said)
            return
        if settled is not None:
            said, rows = settled
            for row in rows:
                self.ledger.offer(row)
            self.note("info", "recipe", "look_changed", said)

    def _crossed(self, product: Product, receipt: Receipt) -> None:
        """Hear that the change of the bundle is on record; what was carried over is needed until then."""
        if isinstance(receipt, Committed):
            product.recipe.remove_carried()

    def _encoder_of(self, bundle: Bundle) -> Encoder:
        """Give the encoder of a bundle, loaded once; raises as `Encoder.load` does."""
        if bundle.digest not in self._encoders:
            self._encoders[bundle.digest] = Encoder.load(bundle, self.config.engine)
        return self._encoders[bundle.digest]

    def _encoded(self, example: Example) -> Embedding | BadData:
        try:
            return self._encoder_of(self.recipe.bundle).encode(example.image, example.samples, example.rate_hz)
        except BadData as error:
            return error

    def _encoded_lesson(self, lesson: Lesson, progress: Callable[[int, int], None]) -> Lesson:
        while (variant := lesson.next_variant()) is not None:
            lesson.take(self._encoded(variant))
            progress(lesson.done, lesson.total)
        return lesson

    def _changed(self, made: tuple[Changed, list[Teaching]]) -> Changed:
        changed, rows = made
        for row in rows:
            self._committed(row)
        return changed

    def _committed(self, item: Item) -> Committed:
        match self.recorder.commit(item, self.clock):
            case Committed() as committed:
                return committed
            case Rejected() as rejected:
                raise Unavailable(f"the ledger did not record it: {rejected.reason}", hint="see `edge-agent status`")
            case _:
                raise Unavailable(
                    f"the ledger cannot be written: {self.ledger.status().reason or 'it does not answer'}",
                    hint=f"check the disk of {self.config.station.state_dir}",
                )


def _config_of(config: Config | Path | str | None) -> Config:
    if isinstance(config, Config):
        return config
    return Config.defaults(Path("state")) if config is None else load_config(Path(config))
