"""What people are told about teaching: what came of a lesson, of a change, and what is known. Frozen records."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.learning.carry import Loss
from edge_agent.learning.proof import ProofSheet


@dataclass(frozen=True)
class Taught:
    """What came of a lesson.

    Attributes:
        label: slug of the class.
        taught: examples that were learned, by source.
        refused: examples that could not be, each with its reason.
        samples: how many samples of the class are known with it.
        calibration: how many held-out good parts there are with it.
        knowledge: digest of the knowledge with it.
        seconds: how long it took [s].
        promoted: the line is judged by it; otherwise it waits to be promoted.
    """

    label: str
    taught: tuple[str, ...]
    refused: tuple[str, ...]
    samples: int
    calibration: int
    knowledge: str
    seconds: float
    promoted: bool


@dataclass(frozen=True)
class Proposal:
    """What was taught, and what is known of it before it is promoted.

    Attributes:
        taught: what came of the lesson.
        proof: the proof sheet; None where more of the lesson is to come, or it was promoted unproven.
    """

    taught: Taught
    proof: ProofSheet | None


@dataclass(frozen=True)
class Adopted:
    """What came of carrying over to another bundle.

    Attributes:
        bundle: name and version of the bundle.
        instead_of: name and version of the bundle that is used.
        examples: how many were carried over.
        losses: examples that could not be.
        knowledge: digest of the knowledge with the bundle.
        seconds: how long it took [s].
        carried: it is on the disk, and the next start with the bundle judges by it.
        overruled: the reasons against it, which somebody overruled.
    """

    bundle: str
    instead_of: str
    examples: int
    losses: tuple[Loss, ...]
    knowledge: str
    seconds: float
    carried: bool
    overruled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changed:
    """A change of what the line is judged by.

    Attributes:
        action: `teach`, `forget` or `undo`.
        slug: the class; "" where it was several.
        sources: the examples, as people know them.
        before: digest of the knowledge before, "" where nothing was known.
        after: digest of the knowledge from then on.
        overruled: the reasons against it, which somebody overruled.
        name: what people call the class, or called it before it was forgotten; "" where it was several.
    """

    action: str
    slug: str
    sources: tuple[str, ...]
    before: str
    after: str
    overruled: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class SampleKnown:
    """One kept sample, for people.

    Attributes:
        id: names it.
        source: where it came from.
        role: what it is for: `fit`, `ring` (held out) or `golden`.
        who: who taught it.
        utc: when [s since the epoch].
    """

    id: str
    source: str
    role: str
    who: str
    utc: float


@dataclass(frozen=True)
class ClassKnown:
    """One class, for people.

    Attributes:
        slug: its slug.
        name: what people call it.
        fitted: samples that its statistics are made of.
        held_out: good parts that only say how far good parts lie from good.
        golden: samples that are only asked about when knowledge is to change.
        samples: those that are kept; what came without its samples is not there.
    """

    slug: str
    name: str
    fitted: int
    held_out: int
    golden: int
    samples: tuple[SampleKnown, ...]
