"""What a station holds on its state directory, open: the products with what is known of each, the ledger, the evidence.

The running agent and a Python program are both built on it. It judges nothing and teaches nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.config import Config
from edge_agent.errors import BadData, EdgeAgentError, Unavailable
from edge_agent.learning.draw import Drawing
from edge_agent.learning.label import slug_of
from edge_agent.learning.slots import SLOTS
from edge_agent.ledger import Committed, EvidenceStore, LedgerWriter, Pictured, Reader, Word, WordKind, keep
from edge_agent.ledger.items import Receipt
from edge_agent.ledger.recorder import Recorder
from edge_agent.product.lessons import Lessons
from edge_agent.product.product import Product, Products
from edge_agent.product.recipe import Recipe
from edge_agent.records import Event, Frame, Part, VibrationWindow
from edge_agent.runtime.clock import Clock
from edge_agent.runtime.disk import Missing, RealDisk

CLOSE_TIMEOUT_S: Final = 5.0
"""How long the ledger may take to commit what waits when the station is closed."""


class Holdings:
    """What one station holds. Opens at once; `close` it.

    Attributes:
        found_knowledge: what was known when it was opened, before it went on as configured; see `knowledge_state`.

    Args:
        config: the resolved configuration.
        clock: tells the time.
        post: has a call run where receipts are wanted; at once, unless an agent has a loop to run it on.
        on_error: hears a bug that ended the ledger's thread.

    Raises:
        ConfigError: a person must change something.
        Unavailable: another agent uses the state directory, or the disk fails.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        post: Callable[[Callable[[], None]], None] = lambda call: call(),
        on_error: Callable[[str, Exception], object] = lambda name, error: None,
    ) -> None:
        self.config = config
        self.clock = clock
        state_dir = Path(config.station.state_dir)
        self._disk = disk = RealDisk(state_dir)
        self.recorder = Recorder(post)
        self.evidence = EvidenceStore(disk, config.ledger.evidence_max_mb * 10**6)
        self.ledger = LedgerWriter(
            state_dir,
            clock,
            deliver=self.recorder.deliver,
            on_error=on_error,
            queue=config.ledger.commit_queue,
            make_room=self.evidence.make_room,
            max_bytes=config.ledger.max_mb * 10**6,
        )
        self.recorder.write_to(self.ledger)
        self.products = Products(config, disk, self.reader, clock)
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

    def word(self, part_id: int, label: str | None, who: str) -> Word:
        """Say what kind of word this is, of a class by name or slug; raise `BadData` where it makes no sense."""
        label = None if label is None else slug_of(label)
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
        return self.ledger.join(self.clock.now() + CLOSE_TIMEOUT_S)

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
