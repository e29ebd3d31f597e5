"""Small states of knowledge in six dimensions, and sheets made of them, for the tests of the proof sheet."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.learning.exemplar import Chunk, Exemplar, Role
from edge_agent.learning.learned import Learned
from edge_agent.learning.proof.comparison import State, prove
from edge_agent.learning.proof.sheet import Occasion, ProofSheet
from edge_agent.records import Embedding, Modality, Outcome, Part, Times, Trigger, Verdict
from edge_agent.runtime.steps import finished
from models import Knowledge
from models.embedding import quantise
from models.head import Prior
from models.manifest import Block

BLOCKS = (Block("image", 0, 4, 0.5, "a"), Block("vibration", 4, 6, 0.5, "b"))
BUNDLE = "0" * 64
PRIOR = Prior(np.eye(6) * 1e-3, 5.0)
OCCASION = Occasion("station-1", "rings", "generic 1", "learn pit from 5 examples", "Anna", 1_777_000_000.0)
CENTRES = {
    "good": (1.0, 0.0, 0.0, 0.0, 1.0, 0.1),
    "pit": (0.0, 1.0, 0.0, 0.0, 1.0, 0.1),
    "scratch": (0.0, 0.0, 1.0, 0.0, 1.0, 0.1),
    "crack": (1.0, 0.0, 0.0, 0.1, 0.1, 1.0),
}


def rows_of(centre: Sequence[float], seed: int, variants: int = 4, spread: float = 0.02) -> NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    z = np.asarray(centre) + spread * rng.normal(size=6) + 0.2 * spread * rng.normal(size=(variants, 6))
    for block in BLOCKS:
        own = z[:, block.start : block.stop]
        own *= block.weight**0.5 / np.linalg.norm(own, axis=1, keepdims=True)
    return quantise(z)


def exemplar(label: str, seed: int, role: Role = Role.FIT, looks_like: str = "", **changed: object) -> Exemplar:
    name = f"{label} {seed} {role}"
    rows = rows_of(CENTRES[looks_like or label], seed=int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]))
    picture = hashlib.sha256(f"picture of {name}".encode()).hexdigest()
    values = {"id": picture[:16], "label": label, "role": role, "rows": rows, "source": f"{label}/{seed}.png"}
    return Exemplar(**{**values, "who": "Anna", "utc": 1.0, "picture": picture, **changed})


def several(label: str, count: int, role: Role = Role.FIT, start: int = 0, looks_like: str = "") -> list[Exemplar]:
    return [exemplar(label, seed, role, looks_like) for seed in range(start, start + count)]


def line(defects: int = 6, good: int = 12) -> list[Exemplar]:
    """Give what a station knows that tells good, pit and crack apart."""
    held_out = several("good", good, Role.RING, start=good)
    return [*several("good", good), *held_out, *several("pit", defects), *several("crack", defects)]


def learned(exemplars: Iterable[Exemplar], bundle: str = BUNDLE) -> Learned:
    kept = tuple(exemplars)
    chunks = [Chunk("rings", bundle, kept)] if kept else []
    return Learned.of(Knowledge.empty("rings", bundle, BLOCKS), chunks, {"pit": "Loch"})


def part(number: int, q: NDArray[np.int16] | None = None, person: str | None = None, picture: str = "") -> Part:
    seen = Embedding(np.full(6, number, np.int16) if q is None else q, frozenset(Modality))
    return Part(
        trigger=Trigger("a", number, 0.0),
        verdict=Verdict(Outcome.OK),
        times=Times(0.0),
        recipe="rings",
        embedding=seen,
        picture=picture,
        id=number,
        decided_utc=1_000.0 + number,
        operator_label=person,
    )


def ok(embedding: Embedding) -> Verdict:
    return Verdict(Outcome.OK, "good")


def sheet_of(
    before: Iterable[Exemplar] | Learned,
    after: Iterable[Exemplar] | Learned,
    protected: Collection[str] = (),
    parts: Sequence[Part] = (),
    judges: tuple = (ok, ok),
) -> ProofSheet:
    states = [known if isinstance(known, Learned) else learned(known) for known in (before, after)]
    return finished(
        prove(
            *(State(known, PRIOR, judge) for known, judge in zip(states, judges, strict=True)),
            normal="good",
            protected=protected,
            parts=parts,
            occasion=OCCASION,
            clock=iter([10.0, 12.5]).__next__,
        )
    )


def whole_sheet() -> ProofSheet:
    """Give a sheet with something in every place."""
    before = [*line(), *several("good", 4, Role.GOLDEN, 90), *several("pit", 2, Role.GOLDEN, 90)]
    lesson = [*several("scratch", 4), exemplar("scratch", 9, looks_like="pit")]

    def judge(embedding: Embedding) -> Verdict:
        number = int(embedding.q[0])
        return Verdict((Outcome.OK, Outcome.NG, Outcome.UNSURE)[number % 3], ("good", "pit", None)[number % 3])

    def later(embedding: Embedding) -> Verdict:
        number = int(embedding.q[0])
        return Verdict(Outcome.NG, "scratch") if number % 4 == 0 else judge(embedding)

    persons = {12: "good", 16: "scratch"}
    parts = [part(number, person=persons.get(number), picture=f"{number:064x}") for number in range(60)]
    return sheet_of([*before, exemplar("crack", 77)], [*before, *lesson], ("pit",), parts, (judge, later))
