"""Why a part was answered as it was: its recorded verdict, and what everything that it showed has to do with it.

The verdict is the one that is recorded; it is explained by what is known now, and where that has changed since, this is
said. What is not kept of the part is taken from its stored embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BadData
from edge_agent.inspection.explain import Explainer, Reference
from edge_agent.inspection.explanation import Explanation, Neighbour
from edge_agent.inspection.trace import Perceived, Trace, Tracer
from edge_agent.learning.exemplar import Exemplar, Role
from edge_agent.partview.onlooker import Onlooker
from edge_agent.records import Anomaly, Details, Embedding, Modality, Part, Verdict
from models.bundle import TOKENS
from models.embedding import dequantise
from models.errors import NotTaught
from models.head import Head
from models.shares import Margin, margin_of

REFERENCE: Final = 30
"""Good parts that a part is held against: their mean is then known to a fifth of their spread, within a second."""

FOREIGN: Final = 0.5
"""Embeddings of a part that are farther apart are of two bundles: what two runtimes make of it was up to 0.06 apart,
what two bundles make of it 1.3 and more, 0.86 and more in one modality; an embedding has length 1."""

Heard = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Why:
    """Why a part was answered as it was.

    Attributes:
        part: as it is recorded.
        known: digest of what is known now, "" for nothing.
        now: the verdict that it would get now; None where nothing was stored that could be judged.
        explanation: what everything has to do with it; None where nothing could be explained.
        unlike: where its picture is unlike good ones by what is known now, (rows, columns) [spreads]; None where that
            is not known, or the picture is not kept.
        nearest: the kept examples that the explanation names, in its order.
        image: the kept picture, BGR, (height, width, 3), uint8; None without one.
        notes: what is not there, or has changed.
    """

    part: Part
    known: str
    now: Verdict | None
    explanation: Explanation | None
    unlike: NDArray[np.float64] | None
    nearest: tuple[Exemplar, ...]
    image: NDArray[np.uint8] | None
    notes: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """What is known is not what the part was judged by."""
        return self.part.knowledge != self.known

    @property
    def anomaly(self) -> Anomaly | None:
        """How unlike good parts its details were when it was judged; None where nobody knew."""
        return None if self.part.embedding is None else self.part.embedding.anomaly

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain values, for JSON."""
        part, explanation = self.part, self.explanation
        return {
            "part": part.id,
            "series": part.trigger.series,
            "number": part.trigger.number,
            "decided_utc": part.decided_utc,
            "verdict": msgspec.to_builtins(part.verdict),
            "operator_label": part.operator_label,
            "knowledge": part.knowledge,
            "knowledge_now": self.known,
            "verdict_now": None if self.now is None else msgspec.to_builtins(self.now),
            "picture_kept": self.image is not None,
            "anomaly": None if self.anomaly is None else msgspec.to_builtins(self.anomaly),
            "anomaly_map": None if self.unlike is None else self.unlike.tolist(),
            "explanation": None if explanation is None else explanation.as_dict(),
            "notes": list(self.notes),
        }


def explained(onlooker: Onlooker, number: int, progress: Heard = lambda done, total: None) -> Why:
    """Explain a recorded part.

    Args:
        onlooker: sees the station.
        number: the part, as the ledger numbers it.
        progress: hears how many good parts of how many it has been held against.

    Returns:
        Why it was answered so.

    Raises:
        BadData: there is no such part, or another recipe or bundle judged it.
        ConfigError: the device cannot run the bundle.
        DeviceFault: it fails.
    """
    part, recipe = onlooker.part(number), onlooker.recipe
    image, seen = _image(onlooker, part), part.embedding
    notes = list(_changes(onlooker, part))
    why = Why(part, recipe.judge.digest, None, None, None, (), image, tuple(notes))
    if seen is None:
        return replace(why, notes=(*notes, "nothing of it was judged, so its cause is all there is to say"))
    d = recipe.space.d
    if len(seen.q) != d:
        raise _another_bundle(part, f"its embedding has {len(seen.q)} dimensions, {recipe.bundle.name} makes {d} now")
    why = replace(why, now=recipe.judge.judge(seen))
    head = _head(onlooker, seen)
    if head is None or recipe.bundle.normal not in head.classes:
        return replace(why, notes=(*notes, "what is known now says nothing about a part that was seen by this alone"))
    perceived = Perceived(image if Modality.IMAGE in seen.present else None)
    window = onlooker.window(part) if Modality.VIBRATION in seen.present else None
    if window is not None:
        perceived = Perceived(perceived.image, *window)
    notes += _not_kept(onlooker, part, seen, perceived)
    margin = _margin(part.verdict, head, seen, recipe.bundle.normal, notes)
    explanation, unlike = _explanation(onlooker, part, seen, perceived, margin, progress)
    found = {exemplar.id: exemplar for exemplar in recipe.learned.exemplars}
    nearest = tuple(found[neighbour.name] for neighbour in explanation.nearest)
    named = tuple(
        Neighbour(f"{onlooker.called(e.label)}: {e.source}", neighbour.distance)
        for e, neighbour in zip(nearest, explanation.nearest, strict=True)
    )
    notes += explanation.notes
    explanation = replace(explanation, nearest=named, notes=())
    return replace(why, explanation=explanation, unlike=unlike, nearest=nearest, notes=tuple(notes))


def _changes(onlooker: Onlooker, part: Part) -> Iterator[str]:
    """Say what has changed since the part was judged."""
    known = onlooker.recipe.judge.digest
    if part.knowledge == known:
        return
    before, now = part.knowledge[:12] or "nothing", known[:12] or "nothing"
    yield f"knowledge has changed since ({before} → {now}): this is explained by what is known now"
    if part.knowledge and part.knowledge not in onlooker.recipe.digests:
        yield "the knowledge that judged it is not kept any more, nor which bundle that was of"


def _not_kept(onlooker: Onlooker, part: Part, seen: Embedding, perceived: Perceived) -> Iterator[str]:
    """Say what of a part was judged and is not kept, and what is kept and was not judged."""
    kept = ", ".join(onlooker.config.ledger.keep_evidence) or "none"
    there = {Modality.IMAGE: perceived.image, Modality.VIBRATION: perceived.samples}
    names = {Modality.IMAGE: "picture", Modality.VIBRATION: "vibration window"}
    missing = [names[modality] for modality in Modality if modality in seen.present and there[modality] is None]
    if missing:
        are = "is" if len(missing) == 1 else "are"
        yield f"its {' and '.join(missing)} {are} not kept ([ledger] keep_evidence: {kept})"
    absent = [names[m] for m in onlooker.config.recipe.modalities if m not in seen.present]
    if absent:
        faults = ", ".join(part.verdict.degraded)
        yield f"it was judged without its {' and '.join(absent)}{f': {faults}' * bool(faults)}"


def _head(onlooker: Onlooker, seen: Embedding) -> Head | None:
    recipe = onlooker.recipe
    try:
        return recipe.learned.knowledge.head(recipe.space.prior(), sorted(seen.present), recipe.bundle.normal)
    except NotTaught:
        return None


def _margin(verdict: Verdict, head: Head, seen: Embedding, normal: str, notes: list[str]) -> Margin:
    """Give the margin that the recorded verdict is about."""
    z, label = dequantise(seen.q), verdict.label
    if label is None and verdict.cause == "not_normal":
        return Margin(head, None, normal)
    if label == normal:
        order = [head.classes[i] for i in np.argsort(-head.logits(z), kind="stable") if head.classes[i] != normal]
        return Margin(head, normal, order[0]) if order else Margin(head, None, normal)
    if label in head.classes:
        return Margin(head, label, normal)
    if label is not None:
        notes.append(f"the class {label} is not known any more")
    return margin_of(head, z, normal)


def _explanation(
    onlooker: Onlooker, part: Part, seen: Embedding, perceived: Perceived, margin: Margin, progress: Heard
) -> tuple[Explanation, NDArray[np.float64] | None]:
    """Give what everything has to do with a part, and where it is unlike good ones."""
    bundle, exemplars = onlooker.recipe.bundle, onlooker.recipe.learned.exemplars
    there = perceived.image is not None or perceived.samples is not None
    tracer = Tracer.load(bundle, onlooker.config.engine) if there else Tracer(bundle, {})
    explainer = Explainer(onlooker.recipe.space, tracer)
    try:
        reference = unlike = None
        if there:
            unlike = _unlike(onlooker, _retraced(onlooker, tracer, part, seen, perceived))
            reference = _reference(explainer, onlooker, progress)
        explanation = explainer.explain(
            perceived,
            margin,
            reference=reference,
            judged=seen.q,
            names=[exemplar.id for exemplar in exemplars],
            rows=np.stack([exemplar.rows[0] for exemplar in exemplars]) if exemplars else None,
        )
        return explanation, unlike
    finally:
        explainer.close()


def _retraced(onlooker: Onlooker, tracer: Tracer, part: Part, seen: Embedding, perceived: Perceived) -> Trace:
    """Run a part again; raises `BadData` where its stored embedding is not what this bundle makes of it."""
    trace = tracer.trace(perceived)
    tokens = trace.seen.get(TOKENS) if perceived.image is not None else None
    details = Details(None if tokens is None else tokens[0])
    again = onlooker.recipe.judge.look(Embedding(trace.q, seen.present, details=details)).q
    both = (again != 0) & (seen.q != 0)
    apart = float(np.linalg.norm(dequantise(again[both]) - dequantise(seen.q[both])))
    if apart > FOREIGN:
        raise _another_bundle(part, f"its embedding and the one that is made of it now are {apart:.2f} apart")
    return trace


def _unlike(onlooker: Onlooker, trace: Trace) -> NDArray[np.float64] | None:
    """Say where a picture is unlike good ones; None where that is not known."""
    good, tokens = onlooker.recipe.learned.good, trace.seen.get(TOKENS)
    if good is None or good.normality.seen is None or tokens is None:
        return None
    return good.normality.seen.anomaly(tokens[0])


def _reference(explainer: Explainer, onlooker: Onlooker, progress: Heard) -> Reference | None:
    """Look at good parts that were learned and are kept; None where there are none."""
    normal = onlooker.recipe.bundle.normal
    good = [
        exemplar
        for exemplar in onlooker.recipe.learned.exemplars
        if exemplar.label == normal and exemplar.role is Role.FIT and (exemplar.picture or exemplar.window)
    ]
    chosen = [good[i] for i in np.unique(np.linspace(0, len(good) - 1, REFERENCE).round().astype(int))] if good else []
    reference = explainer.reference(_examples(onlooker, chosen, progress))
    return reference if reference.pieces else None


def _examples(onlooker: Onlooker, exemplars: Sequence[Exemplar], progress: Heard) -> Iterator[Perceived]:
    for done, exemplar in enumerate(exemplars, 1):
        example = onlooker.example(exemplar)
        if example is not None:
            yield Perceived(example.image, example.samples, example.rate_hz)
        progress(done, len(exemplars))


def _image(onlooker: Onlooker, part: Part) -> NDArray[np.uint8] | None:
    png = onlooker.picture(part)
    image = None if png is None else cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else np.asarray(image, np.uint8)


def _another_bundle(part: Part, reason: str) -> BadData:
    return BadData(
        f"part {part.id} was judged with another bundle, or its picture was looked at otherwise: {reason}",
        hint="give the configuration of that time: -c FILE; [recipe] bundle and guided say which it is",
    )
