"""Answers the bench from inside a peer's environment: converts a model, loads it, times it.

`python service.py RUNTIME` reads one JSON request a line and writes one JSON answer a line, until its input ends.
RUNTIME is a module beside this file. It imports nothing of this project, which is not installed here.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time  # noqa: TID251 (this process measures itself; that is its purpose)
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

Arrays = list[NDArray[Any]]
Model = Callable[[Arrays], Arrays]


class Runtime(Protocol):
    """What a module beside this file offers."""

    PACKAGES: tuple[str, ...]

    def load(self, path: Path, precision: str, threads: int) -> tuple[Model, str]:
        """Give the loaded model, from arrays in the order of its inputs to arrays, and what a reader must know."""

    def convert(self, program: Path, target: Path) -> None:
        """Turn a program of torch into this runtime's own file; only where the runtime has one."""


class Service:
    """Holds the loaded parts of a subject.

    Args:
        runtime: what runs them.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._parts: list[tuple[Model, list[str], list[str]]] = []
        self._samples: list[dict[str, NDArray[Any]]] = []
        self._answers: list[str] = []

    def convert(self, subject: str, artefacts: str, suffix: str) -> dict[str, Any]:
        """Convert every part of the subject with the runtime's own tools."""
        for part in _described(subject)["parts"]:
            program = Path(subject) / f"{part['name']}.pt2"
            self._runtime.convert(program, Path(artefacts) / f"{part['name']}.{suffix}")
        return {}

    def load(self, subject: str, artefacts: str, suffix: str, precision: str, threads: int) -> dict[str, Any]:
        """Load every part and the samples; say what was loaded with what."""
        described, notes = _described(subject), set()
        self._answers = described["answers"]
        for part in described["parts"]:
            model, note = self._runtime.load(Path(artefacts) / f"{part['name']}.{suffix}", precision, threads)
            self._parts.append((model, part["inputs"], part["outputs"]))
            notes.add(note)
        with np.load(Path(subject) / "samples.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        count = len(next(iter(arrays.values())))
        self._samples = [{name: array[i] for name, array in arrays.items()} for i in range(count)]
        gc.collect()
        gc.freeze()
        return {
            "versions": {name: version(name) for name in self._runtime.PACKAGES},
            "note": "; ".join(sorted(notes - {""})),
        }

    def answer(self, path: str) -> dict[str, Any]:
        """Run every sample and store what the subject calls its answers, (samples, …) by name."""
        rows: dict[str, Arrays] = {name: [] for name in self._answers}
        for sample in self._samples:
            values = self._once(sample)
            for name, kept in rows.items():
                kept.append(np.array(values[name]))  # a copy: a runtime may give the same buffer every time
        answers: dict[str, Any] = {name: np.stack(kept) for name, kept in rows.items()}
        np.savez(path, allow_pickle=False, **answers)
        return {}

    def run(self, untimed: int, timed: int) -> dict[str, Any]:
        """Time single inferences [ns]; the first ones only wake caches and threads up."""
        for i in range(untimed):
            self._once(self._samples[i % len(self._samples)])
        spans_ns = []
        cpu_ns, wall_ns = time.process_time_ns(), time.perf_counter_ns()
        for i in range(timed):
            sample = self._samples[i % len(self._samples)]
            start_ns = time.perf_counter_ns()
            self._once(sample)
            spans_ns.append(time.perf_counter_ns() - start_ns)
        return {
            "ns": spans_ns,
            "cpu_ns": time.process_time_ns() - cpu_ns,
            "wall_ns": time.perf_counter_ns() - wall_ns,
        }

    def _once(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        values = dict(sample)
        for model, inputs, outputs in self._parts:
            values.update(zip(outputs, model([values[name] for name in inputs]), strict=True))
        return values


def _described(subject: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((Path(subject) / "subject.json").read_text())
    return described


def main() -> None:
    """Answer until the input ends; what the runtime prints goes to stderr, never between the answers."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    service: Service | None = None
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        try:
            if service is None:
                service = Service(cast(Runtime, importlib.import_module(sys.argv[1])))
            said = getattr(service, do)(**request)
        except Exception as error:  # the supervisor's boundary: whatever a runtime raises becomes its row
            said = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        answers.write(json.dumps(said) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
