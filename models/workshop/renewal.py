"""A bundle in the place of an older one, without a training: what stays, and what is proven anew."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.bundle import Bundle
from models.errors import BundleRefused
from models.workshop.agreement import agreement
from models.workshop.build import AGREES, CALIBRATION, TOLERANCE_FACTOR, Parts, Proof, proof_text, stratified
from models.workshop.card import CARD
from models.workshop.collect import collect
from models.workshop.corpus import Corpus
from models.workshop.courses import Course, named
from models.workshop.data import ordered_classes
from models.workshop.errors import WorkshopError
from models.workshop.learn import VERSION, Choice
from models.workshop.pack import Contents, write_bundle
from models.workshop.runner import RUNTIMES

PROVEN: Final = 3 * CALIBRATION
"""Samples that agreement is proven on; a third of them calibrates."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What a bundle is proven on.

    Attributes:
        corpus: samples of the side of training.
        exact: their embeddings in float32, (n, d).
        z: the same in INT8.
    """

    corpus: Corpus
    exact: NDArray[np.float64]
    z: NDArray[np.float64]


def replaced(
    old: Bundle,
    parts: dict[str, onnx.ModelProto],
    proven: Samples,
    prior: NDArray[np.float64],
    program: str,
    how: str,
) -> Bundle:
    """Put a bundle with other parts in the place of an old one.

    Args:
        old: whose place it takes.
        parts: by role.
        proven: that the parts are one model in float32 and in INT8.
        prior: covariance inside the classes.
        program: of `models.workshop` that does it.
        how: line of the card.

    Returns:
        The bundle.

    Raises:
        WorkshopError: INT8 gives too many samples another class.
    """
    corpus, exact, z = proven.corpus, proven.exact, proven.z
    agrees = agreement(exact, z, np.arange(len(corpus)), corpus.labels, corpus.lines)
    if agrees < AGREES:
        raise WorkshopError(
            f"INT8 gives {1 - agrees:.1%} of {len(corpus)} samples another class, at most {1 - AGREES:.0%} may be",
            hint="train it anew: python -m models.workshop.learn",
        )
    cosine = (exact * z).sum(axis=1) / np.square(exact).sum(axis=1)
    vectors, apart = _golden(old, parts)
    tolerance = round(max(TOLERANCE_FACTOR * apart, 0.002), 4)
    proof = Proof(agrees, (float(np.median(cosine)), float(np.quantile(cosine, 0.01))), apart, tolerance)
    facts = re.sub(r"(?m)^- \*\*(INT8 against|OpenVINO against).*\n", "", facts_of(old))
    manifest = old.manifest
    contents = Contents(
        name=manifest.name,
        version=VERSION,
        licence=manifest.licence,
        origin=manifest.origin,
        created_by=f"models.workshop.{program} {VERSION} of {manifest.version} ({manifest.created_by})",
        opset=manifest.opset,
        normal=manifest.label_policy.normal,
        blocks=manifest.blocks,
        picture=manifest.picture,
        vibration=manifest.vibration,
        parts=parts,
        prior=prior,
        strength=old.prior().strength,
        golden=vectors,
        tolerance=proof.tolerance,
        fitted_on=manifest.fitted_on,
        card=f"{facts}{how}\n{proof_text(proof)}\n",
    )
    return write_bundle(contents, old.folder)


def facts_of(old: Bundle) -> str:
    """Give the card of a bundle for the new version, without what was measured of the old one."""
    facts = (old.folder / CARD).read_text().partition("\n## ")[0]
    facts = re.sub(r"\A# .*", f"# {old.name} {VERSION}", facts)
    return f"{facts.rstrip()}\n"


def samples(course: Course, choice: Choice) -> Corpus:
    """Collect samples of the side of training, of every class and line alike, as a model of `choice` perceives them."""
    side, classes = course.training, ordered_classes(course.training.dataset.classes)
    labels = np.array([classes.index(entry.label) for entry in side.entries])
    lines = np.unique([course.line_of(entry) for entry in side.entries], return_inverse=True)[1].astype(np.int64)
    entries = [side.entries[i] for i in stratified(labels, lines, PROVEN, choice.seed)]
    model = choice.model(classes, course.vibration)
    return collect(side.dataset, entries, model, shows=course.shows, line_of=course.line_of, varied=True)


def _golden(old: Bundle, parts: dict[str, onnx.ModelProto]) -> tuple[dict[str, NDArray[Any]], float]:
    """Let the new parts see the old golden sources; say how far the two runtimes are apart."""
    golden, blocks = old.golden(), old.blocks
    here, there = (Parts(parts, blocks, runtime) for runtime in RUNTIMES)
    names = {block.modality: parts[block.modality].graph.input[0].name for block in blocks}
    made, apart = [], 0.0
    for i, before in enumerate(golden.z):
        given = {b.modality: golden.sources[names[b.modality]][i] for b in blocks if before[b.start : b.stop].any()}
        z = here.embed(given)
        apart = max(apart, float(np.linalg.norm(z - there.embed(given))))
        made.append(z.astype(np.float32))
    return {**golden.sources, "z": np.stack(made)}, apart


def command(does: str | None, make: Callable[[Bundle, Course, int], Bundle]) -> int:
    """Replace a bundle that a command line names.

    Args:
        does: what it does, for people.
        make: replaces a bundle; has what it was trained on and the seed.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description=does, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="folder of the bundle, which is replaced")
    parser.add_argument("data", help="what it was trained on: castings, drawn, steel, a folder, or a .csv")
    parser.add_argument("--pictures", type=Path, help="folder of X-SDD, for steel")
    parser.add_argument("--recordings", type=Path, help="folder of CWRU, for steel")
    parser.add_argument("--seed", type=int, default=Choice.seed, help="that it was trained with (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        course = named(arguments.data, arguments.pictures, arguments.recordings, arguments.seed)
        bundle = make(Bundle.load(arguments.bundle), course, arguments.seed)
    except (BundleRefused, WorkshopError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{bundle.name} {VERSION} {bundle.digest[:12]}; how exact it is: {bundle.folder / CARD}\n")
    return 0
