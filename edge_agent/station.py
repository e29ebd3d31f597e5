"""The station for a Python program: judge a part, read the ledger, teach a class; no loop and no source needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from edge_agent.config import Config
from edge_agent.config.file import load_config
from edge_agent.errors import BadData, Unavailable
from edge_agent.holdings import Holdings
from edge_agent.inspection.encode import Encoder
from edge_agent.learning.example import Example
from edge_agent.learning.lesson import Lesson
from edge_agent.learning.outcome import Changed, Proposal, Taught
from edge_agent.ledger import Committed, Item, Reader, Rejected, Teaching
from edge_agent.product.lessons import Lessons
from edge_agent.product.recipe import Recipe
from edge_agent.records import Embedding, Frame, Modality, Part, Times, Trigger, VibrationWindow
from edge_agent.runtime.clock import Clock, SystemClock
from edge_agent.runtime.steps import finished
from models import Bundle


class Station:
    """One station on one state directory. Opens at once; `close` it, or use it in a `with` statement.

    Attributes:
        holdings: its products, its ledger and its evidence, as a running agent has them too.

    Args:
        config: the configuration, the path of its file, or None for the defaults with the state in `./state`.
        clock: tells the time.

    Raises:
        ConfigError: a person must change something.
        Unavailable: another agent uses the state directory, or the disk fails.
    """

    def __init__(self, config: Config | Path | str | None = None, *, clock: Clock | None = None) -> None:
        self.holdings = Holdings(_config_of(config), clock or SystemClock())
        self.clock = self.holdings.clock
        self._encoders: dict[str, Encoder] = {}
        self._series = f"program-{int(self.clock.utc() * 1e3):x}"
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def config(self) -> Config:
        """The configuration, resolved."""
        return self.holdings.config

    @property
    def recipe(self) -> Recipe:
        """The recipe in use, with what is known of it."""
        return self.holdings.recipe

    @property
    def lessons(self) -> Lessons:
        """How what is known for the recipe in use is changed."""
        return self.holdings.lessons

    def use(self, name: str, who: str = "program") -> None:
        """Inspect another product from now on, also after a restart; see `Holdings.use`."""
        self.holdings.use(name, who)

    def reader(self) -> Reader:
        """Open the reading side of the ledger."""
        return self.holdings.reader()

    def close(self) -> bool:
        """Commit what waits and release everything; safe to call twice. False when the disk did not answer in time."""
        ended = self.holdings.close()
        while self._encoders:
            self._encoders.popitem()[1].close()
        return ended

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
        return replace(part, picture=self.holdings.keep(part, frame, window))

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
            label: what it is, by name or slug; None takes the last word back.
            who: the person.

        Returns:
            The part with the word that now holds.

        Raises:
            BadData: there is no such part, or nothing to take back.
        """
        word = self.holdings.word(part_id, label, who)
        self._committed(word)
        with self.reader() as reader:
            part = reader.part(part_id)
        self.holdings.products.of(part).hold_out_drawn()
        return part

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
        match self.holdings.recorder.commit(item, self.clock):
            case Committed() as committed:
                return committed
            case Rejected() as rejected:
                raise Unavailable(f"the ledger did not record it: {rejected.reason}", hint="see `edge-agent status`")
            case _:
                raise Unavailable(
                    f"the ledger cannot be written: {self.holdings.ledger.status().reason or 'it does not answer'}",
                    hint=f"check the disk of {self.config.station.state_dir}",
                )


def _config_of(config: Config | Path | str | None) -> Config:
    if isinstance(config, Config):
        return config
    return Config.defaults(Path("state")) if config is None else load_config(Path(config))
