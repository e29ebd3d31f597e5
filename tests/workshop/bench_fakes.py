"""Fakes for the tests of the bench: runtimes for every way to go wrong, and turns as a peer reports them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from models.workshop.bench import environment
from models.workshop.bench.figures import Turn
from models.workshop.bench.measure import Bench
from models.workshop.bench.peers import Environment, Peer
from models.workshop.bench.subject import REFERENCE, SAMPLES, Part, Subject

SAMPLE_COUNT = 8

RUNTIME = """
import os, signal, sys, time
from pathlib import Path
PACKAGES = ("numpy",)

def convert(program, target):
    if "{kind}" == "unconvertible":
        raise NotImplementedError("operator foo\\nis not known")
    target.write_bytes(program.read_bytes() * 2)

def load(path, precision, threads):
    kind, held, calls = "{kind}", [], [0]
    if kind == "refuses":
        raise ValueError(f"no {{precision}}\\nfor you")
    print("a runtime that prints", flush=True)
    os.write(1, b"and one that prints from C\\n")
    def run(inputs):
        calls[0] += 1
        if kind == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if kind == "hangs" and calls[0] > 30:
            Path("{folder}", "hanging").write_text(str(os.getpid()))
            time.sleep(60)
        answer = 0 * inputs[0] if kind == "constant" else 2 * inputs[0]
        if kind == "reuses":
            held[:] = held or [answer]
            held[0][...] = answer
            return held
        return [answer]
    return run, ""
"""
"""A runtime for every way to go wrong; the model doubles."""


def peer(name: str, title: str = "", *, converts: bool = False) -> Peer:
    """Give a peer whose runtime and environment are fakes of this kind."""
    suffix = "fake" if converts else "pt2"
    return Peer(name, title or name, f"runtime_{name}", Environment("fake", ()), suffix, "fp32", converts)


def bench(folder: Path, kinds: Iterable[str], converting: Sequence[str] = ()) -> Bench:
    """Give a bench on a doubling model of two parts, with fake runtimes of these kinds."""
    kinds = list(kinds)
    peers = [peer(kind, converts=kind in converting) for kind in kinds]
    library = folder / "library"
    library.mkdir()
    for kind in kinds:
        (library / f"runtime_{kind}.py").write_text(RUNTIME.format(kind=kind, folder=folder))
    made = environment.folder_of(Environment("fake", ()), folder / "envs")
    (made / "bin").mkdir(parents=True)
    (made / "installed.txt").write_text("numpy==1.0\n")
    python = made / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={library} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    subject = Subject(
        folder / "subject", "a model", (Part("one", ("x",), ("half",)), Part("two", ("half",), ("y",))), ("y",)
    )
    subject.folder.mkdir()
    samples = np.random.default_rng(0).standard_normal((SAMPLE_COUNT, 1, 5))
    np.savez(subject.folder / SAMPLES, x=samples)
    np.savez(subject.folder / REFERENCE, y=4 * samples)
    described = {
        "title": subject.title,
        "parts": [{"name": p.name, "inputs": p.inputs, "outputs": p.outputs} for p in subject.parts],
        "answers": subject.answers,
    }
    (subject.folder / "subject.json").write_text(json.dumps(described))
    for part in subject.parts:
        (subject.folder / f"{part.name}.pt2").write_bytes(b"12345")
    work = folder / "work"
    work.mkdir()
    return Bench(subject, peers, folder / "envs", work, lambda _text: None)


def turn(ms: float, count: int = 5) -> Turn:
    """Give a turn of equal inferences."""
    return Turn([round(ms * 1e6)] * count, round(ms * 1e6) * count, round(ms * 1e6) * count)
