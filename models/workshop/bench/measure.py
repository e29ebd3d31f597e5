"""Measures peers: each is a process that holds its model; they take turns, so that all see the same minutes.

What a turn means in figures is `figures`' business, how it looks is `report`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from models.workshop.bench import environment
from models.workshop.bench.child import Child, PeerFailed
from models.workshop.bench.figures import Measured, Row, Turn, compared, rows_of
from models.workshop.bench.peers import Peer
from models.workshop.bench.subject import Subject, read_arrays

HERE: Final = Path(__file__).parent
SERVICE: Final = HERE / "runner" / "service.py"

CONVERT_TIMEOUT_S: Final = 900.0
LOAD_TIMEOUT_S: Final = 180.0
TURN_TIMEOUT_S: Final = 120.0

UNTIMED: Final = 3
"""Inferences at the beginning of a turn that only bring caches and threads back."""

TIMED: Final = 20
"""Inferences of a turn that count."""


class Loaded(msgspec.Struct):
    """What a runner says when its model is loaded.

    Attributes:
        versions: of what runs it.
        note: what a reader of its figures must know.
    """

    versions: dict[str, str]
    note: str


class Done(msgspec.Struct):
    """What a runner says when there is nothing to say."""


@dataclass
class Bench:
    """One measurement of one subject.

    Attributes:
        subject: what is measured.
        peers: on what.
        environments: folder of the virtual environments.
        work: folder of this measurement's files.
        step: told what begins now.
        failures: why a peer has no figures, by its name.
    """

    subject: Subject
    peers: Sequence[Peer]
    environments: Path
    work: Path
    step: Callable[[str], None]
    failures: dict[str, str] = field(default_factory=dict)

    def steps(self, threads: Sequence[int], rounds: int) -> int:
        """Give how often `step` will be called if nothing fails."""
        kinds = len({peer.environment for peer in self.peers})
        converted = sum(peer.converts for peer in self.peers)
        return kinds + converted + len(threads) * (len(self.peers) + rounds)

    def prepare(self) -> None:
        """Make the environments and convert the model; what fails costs that peer only."""
        broken: dict[str, str] = {}
        for env in dict.fromkeys(peer.environment for peer in self.peers):
            made = environment.is_made(env, self.environments)
            self.step(f"{env.name}: {'installed' if made else 'installing, which takes minutes the first time'}")
            try:
                environment.make(env, self.environments, self.work / f"{env.name}.install.log")
            except PeerFailed as failure:
                broken[env.name] = f"cannot be installed: {failure}"
        self.failures |= {p.name: broken[p.environment.name] for p in self.peers if p.environment.name in broken}
        for peer in self.peers:
            if peer.converts and peer.name not in self.failures:
                self.step(f"{peer.title}: converting")
                try:
                    self._convert(peer)
                except PeerFailed as failure:
                    self.failures[peer.name] = f"cannot convert: {failure}"

    def run(self, threads: int, rounds: int) -> list[Row]:
        """Measure every peer that is left, with so many threads; give a row for every peer."""
        measured: dict[str, Measured] = {}
        failures = dict(self.failures)
        with ExitStack() as stack:
            children: dict[str, Child] = {}
            for peer in self.peers:
                if peer.name not in failures:
                    self.step(f"{peer.title}: loading, {_threads(threads)}")
                    try:
                        child = stack.enter_context(self._started(peer, f"threads-{threads}.log"))
                        measured[peer.name] = self._loaded(child, peer, threads)
                        children[peer.name] = child
                    except PeerFailed as failure:
                        failures[peer.name] = str(failure)
            turns = take_turns(children, failures, rounds, lambda n: self.step(f"round {n}, {_threads(threads)}"))
        sizes = {peer.name: self._bytes(peer) for peer in self.peers}
        return rows_of(self.peers, threads, measured, turns, failures, sizes)

    def _convert(self, peer: Peer) -> None:
        request = {
            "do": "convert",
            "subject": self.subject.folder,
            "artefacts": self._artefacts(peer),
            "suffix": peer.suffix,
        }
        with self._started(peer, "convert.log") as child:
            child.ask(request, Done, CONVERT_TIMEOUT_S)

    def _loaded(self, child: Child, peer: Peer, threads: int) -> Measured:
        request = {
            "do": "load",
            "subject": self.subject.folder,
            "artefacts": self._artefacts(peer),
            "suffix": peer.suffix,
            "precision": peer.precision,
            "threads": threads,
        }
        loaded = child.ask(request, Loaded, LOAD_TIMEOUT_S)
        answers = self._folder(peer) / "answers.npz"
        child.ask({"do": "answer", "path": answers}, Done, LOAD_TIMEOUT_S)
        return Measured(compared(read_arrays(answers), self.subject.reference()), loaded.versions, loaded.note)

    def _started(self, peer: Peer, log: str) -> Child:
        python = environment.python_of(peer.environment, self.environments)
        folder = self._folder(peer)
        return Child((python, SERVICE, peer.runner), folder, folder / log)

    def _folder(self, peer: Peer) -> Path:
        folder = self.work / peer.name
        folder.mkdir(exist_ok=True)
        return folder

    def _artefacts(self, peer: Peer) -> Path:
        return self._folder(peer) if peer.converts else self.subject.folder

    def _bytes(self, peer: Peer) -> int | None:
        files = self.subject.artefacts(self._artefacts(peer), peer.suffix)
        return sum(file.stat().st_size for file in files) if all(file.exists() for file in files) else None


def take_turns(
    children: Mapping[str, Child], failures: dict[str, str], rounds: int, begins: Callable[[int], None]
) -> dict[str, list[Turn]]:
    """Let the children compute in turns, one at a time, each round beginning with another one.

    Args:
        children: by peer.
        failures: gains the peers that fail on the way; they get no further turn.
        rounds: how many turns each gets.
        begins: told the number of the round that begins, from 1.

    Returns:
        The turns of those that had all of theirs.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in children}
    for number in range(rounds):
        begins(number + 1)
        first = number % max(1, len(turns))
        for name in [*list(turns)[first:], *list(turns)[:first]]:
            try:
                turn = children[name].ask({"do": "run", "untimed": UNTIMED, "timed": TIMED}, Turn, TURN_TIMEOUT_S)
                turns[name].append(turn)
            except PeerFailed as failure:
                failures[name] = f"in round {number + 1}: {failure}"
                del turns[name]
    return turns


def _threads(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
