"""The proof sheet: what is known of a change before anybody agrees to it, as plain frozen values.

`proof` fills it in; `proof_text` and `proof_page` show it. `msgspec` writes it as JSON and reads it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_agent.proportion import Proportion
from edge_agent.records import Outcome


@dataclass(frozen=True)
class Occasion:
    """What the sheet is about.

    Attributes:
        station: its name.
        recipe: the product.
        bundle: name and version of the bundle.
        change: what would be done, one phrase ("learn Kratzer from 5 examples").
        who: the person who asked for it.
        utc: when [s since the epoch].
    """

    station: str
    recipe: str
    bundle: str
    change: str
    who: str
    utc: float


@dataclass(frozen=True)
class Recall:
    """How the samples of one class are called by knowledge that does not contain them, before and after.

    Attributes:
        slug: the class.
        asked: samples that were asked about.
        there: samples that could have been; more than `asked` where a choice was made.
        before: share that was recognised; None where the class was not known or no sample could be asked about.
        after: the same with the change.
        lost: samples that were recognised before and are not after.
        gained: samples that were not recognised before and are after.
        paired: samples with an answer before and after.
        called_before: how many samples were called what; "" where nothing that was taught bears on them.
        called_after: the same with the change.
    """

    slug: str
    asked: int
    there: int
    before: Proportion | None
    after: Proportion | None
    lost: int
    gained: int
    paired: int
    called_before: dict[str, int]
    called_after: dict[str, int]


@dataclass(frozen=True)
class Count:
    """How much is known of one class.

    Attributes:
        slug: the class.
        before: samples that it was taught with.
        after: the same with the change.
        held_out: samples that are kept and took no part in teaching, with the change.
        golden: samples that are kept for nothing but proof, with the change.
        unseen: samples, with the change, that came as sums alone and cannot be asked about.
    """

    slug: str
    before: int
    after: int
    held_out: int
    golden: int
    unseen: int


@dataclass(frozen=True)
class Call:
    """What knowledge calls a sample.

    Attributes:
        label: the most probable class; "" where nothing that was taught bears on the sample.
        probability: of that class, 0 to 1.
    """

    label: str
    probability: float


@dataclass(frozen=True)
class Shown:
    """One example of the change, or one that suffers from it.

    Attributes:
        id: its digest.
        label: the class that a person gave it.
        source: where it came from.
        picture: digest of its picture, "" where none is kept.
        before: what it is called by what was known, without it; None where it was all that was known of its class.
        after: the same with the change.
        golden: it is kept for proof and was never taught.
    """

    id: str
    label: str
    source: str
    picture: str
    before: Call | None
    after: Call | None
    golden: bool = False


@dataclass(frozen=True)
class Suspect:
    """A new example that the rest of what is known calls something else.

    Attributes:
        example: what it is and what it is called.
        others: other samples of its class that were asked about; 0 where none were.
        right_with: how many of them are recognised with the example.
        right_without: how many of them are recognised without it.
    """

    example: Shown
    others: int = 0
    right_with: int = 0
    right_without: int = 0


@dataclass(frozen=True)
class PartChange:
    """A part that would be answered differently.

    Attributes:
        number: the ledger's number of the part.
        picture: digest of its picture, "" where none is kept.
        before: the answer before.
        after: the answer after.
        label_before: the class before; None where no class won.
        label_after: the class after.
        person: what a person said it is; None where nobody did.
        right: whether the change is towards what the person said; None where nobody did.
    """

    number: int
    picture: str
    before: Outcome
    after: Outcome
    label_before: str | None
    label_after: str | None
    person: str | None
    right: bool | None


@dataclass(frozen=True)
class Renamed:
    """Parts with the same answer and another class.

    Attributes:
        before: the class before; None where no class won.
        after: the class after.
        parts: how many.
    """

    before: str | None
    after: str | None
    parts: int


@dataclass(frozen=True)
class Rejudged:
    """Past parts, answered again from their stored embeddings.

    Attributes:
        parts: how many.
        first_utc: when the first of them was made [s since the epoch].
        last_utc: when the last of them was made.
        examples: parts that were left aside because they are examples themselves.
        unstored: parts that were left aside because nothing of them is stored.
        older: parts that were left aside because there were newer ones enough.
        table: number of parts by answer before and answer after.
        changes: parts that are answered differently, the worst first.
        more: changed parts that are not in that list.
        right: changed parts that a person labelled, where the change is right.
        wrong: changed parts that a person labelled, where the change is wrong.
        renamed: parts with the same answer and another class, the most frequent first.
        by_embedding: what is known of good parts in detail changes too, and the parts' details are not stored; so they
            are judged by their embeddings alone, before and after.
    """

    parts: int
    first_utc: float
    last_utc: float
    examples: int
    unstored: int
    older: int
    table: dict[Outcome, dict[Outcome, int]]
    changes: tuple[PartChange, ...]
    more: int
    right: int
    wrong: int
    renamed: tuple[Renamed, ...]
    by_embedding: bool = False


@dataclass(frozen=True)
class Refusal:
    """Why the change is refused.

    Attributes:
        slug: the class that suffers.
        reason: one sentence with the numbers.
    """

    slug: str
    reason: str


@dataclass(frozen=True)
class ProofSheet:
    """Evidence for and against one change of knowledge.

    Attributes:
        occasion: what it is about.
        bundle_before: digest of the bundle that made the embeddings before.
        bundle_after: digest of the bundle that made those after.
        digest_before: the knowledge before.
        digest_after: the knowledge after.
        normal: slug of the class of good parts.
        protected: slugs of the classes that must not suffer, good parts first.
        names: what people call a class, by slug.
        counts: how much is known of each class, good parts first.
        recalls: each class asked about its samples, one left out at a time.
        golden: each class asked about its golden samples.
        taken: what the samples that would be forgotten are called, by the class they had.
        shown: new examples, as many as a page holds.
        shown_more: new examples that are not in that list.
        examined: new examples that were looked at for a wrong label.
        suspects: those whose label is doubtful, the most doubtful first.
        suspects_more: doubtful ones that are not in that list.
        lost: samples that were recognised before and are not after, as many as a page holds; protected classes
            first, and golden samples before others.
        shift: past parts judged again; None where there were none.
        refused: why the change is refused; empty where it is not.
        remarks: what a reader should know about the figures.
        took_s: how long the sheet took [s].
        lots: how many lots of good parts are held against each other with the change; 0 where all are of one time.
        version: of this record.
    """

    occasion: Occasion
    bundle_before: str
    bundle_after: str
    digest_before: str
    digest_after: str
    normal: str
    protected: tuple[str, ...]
    names: Mapping[str, str]
    counts: tuple[Count, ...]
    recalls: tuple[Recall, ...]
    golden: tuple[Recall, ...]
    taken: tuple[Recall, ...]
    shown: tuple[Shown, ...]
    shown_more: int
    examined: int
    suspects: tuple[Suspect, ...]
    suspects_more: int
    lost: tuple[Shown, ...]
    shift: Rejudged | None
    refused: tuple[Refusal, ...]
    remarks: tuple[str, ...]
    took_s: float
    lots: int = 0
    version: int = field(default=1)

    def name(self, slug: str | None) -> str:
        """Give what people call a class; None and "" are none."""
        return self.names.get(slug, slug) if slug else "no class"
