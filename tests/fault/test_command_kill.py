"""The station is cut at every step of a command: what was asked happens once, and whoever asked hears one answer."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journal_rig import ID, Life, World, live, request

from edge_agent.commands import Resource
from edge_agent.runtime.clock import SystemClock
from edge_agent.uplink.message import Outgoing

Effects = Callable[[World], int]

CHILD = textwrap.dedent(
    """
    import base64, json, os, queue, signal, sys, traceback
    from pathlib import Path
    from types import SimpleNamespace
    import journal_rig as rig
    from edge_agent.commands import Resource
    from edge_agent.ledger import LedgerWriter
    from edge_agent.ledger.recorder import Recorder
    from edge_agent.runtime.clock import SystemClock
    from edge_agent.uplink.message import Inbound

    def tell(word, payload):
        os.write(1, (word + " " + base64.b64encode(payload).decode() + "\\n").encode())

    class Killed(rig.Life):
        def open(self):
            self.calls = queue.Queue()
            self.waiting = 0
            recorder = Recorder(self.calls.put)
            self.writer = LedgerWriter(
                folder, self.clock, deliver=recorder.deliver, on_error=lambda name, error: os._exit(9), queue=64
            )
            recorder.write_to(self.writer)
            self.writer.open()
            self.recorder = recorder

        def cross(self):
            self.crossed += 1
            if self.crossed > cut_at >= 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def record(self, item, then):
            self.cross()
            self.waiting += 1
            def hear(receipt):
                self.waiting -= 1
                self.cross()
                then(receipt)
            return self.recorder.offer(item, hear)

        def say(self, outgoing):
            self.cross()
            tell("said", outgoing.payload)
            self.cross()
            self.pending.append(lambda: self.desk.delivered(outgoing))
            return True

        def acknowledge(self, inbound):
            self.cross()
            tell("acknowledged", str(inbound.mark).encode())
            self.cross()

        def change(self, resource):
            self.cross()
            with open(folder / "effects", "ab") as file:
                file.write(b"x")
                file.flush()
                os.fsync(file.fileno())
            self.cross()

        def fingerprint(self, resource):
            return str(os.path.getsize(folder / "effects")) if resource is Resource.RECIPE else ""

        def turn(self):
            super().turn()
            while self.waiting:
                self.calls.get(timeout=20)()
                super().turn()

    def live(given):
        came = [Inbound(topic, base64.b64decode(payload), 1, False, True, SystemClock().now(), reply_to, b"c-1", mark)
                for topic, payload, reply_to, mark in given]
        world = SimpleNamespace(
            folder=folder, clock=SystemClock(), unacknowledged=came, synchronised=True, begun_utc=0.0
        )
        life = Killed(world)
        life.run()
        life.writer.close()
        life.writer.join(SystemClock().now() + 10)
        tell("points", str(life.crossed).encode())

    for line in sys.stdin:
        where, cut_at, given = json.loads(line)
        folder = Path(where)
        child = os.fork()
        if child == 0:
            try:
                live(given)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        tell("ended", str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())
    """
)

COMMANDS: dict[str, tuple[dict[str, object], Effects]] = {
    "use": ({"recipe": "bolts"}, lambda world: world.state[Resource.RECIPE]),
    "gate": ({"to": "bypass"}, lambda world: world.state[Resource.GATE]),
    "label": ({"part": 1, "label": "pit"}, lambda world: world.rows("SELECT count(*) FROM labels")[0][0]),
    "identify": ({}, lambda world: world.rows("SELECT count(*) FROM events WHERE kind = 'identified'")[0][0]),
}


def points(folder: Path, name: str) -> int:
    """How many points an undisturbed command crosses."""
    folder.mkdir()
    world = World(folder)
    world.send(request(name, COMMANDS[name][0], clock=world.clock))
    return live(world)[0]


def swept(folder: Path, name: str, cut_at: int, second_cut: int | None = None, **wrong: bool) -> None:
    """Cut a life at one point, perhaps the next too, then live on; raise `AssertionError` where a promise breaks."""
    arguments, effects = COMMANDS[name]
    folder.mkdir(parents=True)
    world = World(folder)
    world.send(request(name, arguments, clock=world.clock))
    for cut in (cut_at, second_cut, None):
        live(world, cut, **wrong)
        world.clock.advance(1.0)

    assert effects(world) == 1
    (answer,) = world.answers()
    assert answer["code"] == "OK"
    assert world.unacknowledged == []
    assert world.codes() == ["OK"]
    world.send(request(name, arguments, clock=world.clock))  # who asks again hears the same, and nothing is done
    live(world, **wrong)
    assert effects(world) == 1
    assert world.answers() == [answer]
    assert world.rows("SELECT count(*) FROM commands WHERE told = 0")[0][0] == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_wherever_it_is_cut_a_command_happens_once_and_has_one_answer(tmp_path: Path, name: str) -> None:
    steps = points(tmp_path / "whole", name)

    assert steps >= 11  # arrival, two of each: store, acknowledgement, answer, its telling, the note of that
    for cut_at in range(steps):
        swept(tmp_path / str(cut_at), name, cut_at)


@pytest.mark.parametrize("name", ["use", "label"])
def test_wherever_it_is_cut_twice_as_well(tmp_path: Path, name: str) -> None:
    steps = points(tmp_path / "whole", name)
    for cut_at in range(steps):
        for second in range(1, steps, 4):
            swept(tmp_path / f"{cut_at}-{second}", name, cut_at, second)


@pytest.mark.parametrize(
    ("wrong", "name"), [("acknowledge_first", "use"), ("two_transactions", "label"), ("no_fingerprint", "use")]
)
def test_the_sweep_has_teeth(tmp_path: Path, wrong: str, name: str) -> None:
    """Acknowledged before it is stored, effect and answer in two transactions, no fingerprint: each is found."""
    steps = points(tmp_path / "whole", name) + 2
    broken = []
    for cut_at in range(steps):
        try:
            swept(tmp_path / str(cut_at), name, cut_at, **{wrong: True})
        except (AssertionError, ValueError):
            broken.append(cut_at)

    assert broken


def test_the_gate_that_was_tried_is_not_tried_again(tmp_path: Path) -> None:
    """Nothing shows afterwards whether it moved: it is said that nobody knows, rather than to move it twice."""
    tmp_path.joinpath("whole").mkdir()
    for cut_at in range(14):
        folder = tmp_path / f"cut{cut_at}"
        folder.mkdir()
        world = World(folder)
        world.send(request("gate", {"to": "try"}, clock=world.clock))
        for cut in (cut_at, None, None):
            live(world, cut)
        assert world.state[Resource.GATE] <= 1
        (answer,) = world.answers()
        assert answer["code"] == ("OK" if "moved" in answer["result"] else "E_INTERNAL")


@pytest.mark.parametrize("looks_first", [True, False])
def test_what_the_start_itself_changes_is_not_taken_for_the_command(tmp_path: Path, looks_first: bool) -> None:
    """As a start does with another bundle; who looks only afterwards takes what was not done for done."""
    world = World(tmp_path)
    world.send(request("forget", {"what": "pit"}, clock=world.clock))
    assert live(world, 4) == (5, True)  # stored, acknowledged, not begun
    life = Life(world)
    if looks_first:
        life.left_by_the_life_before[Resource.KNOWLEDGE] = life.fingerprint(Resource.KNOWLEDGE)
    world.state[Resource.KNOWLEDGE] += 1
    life.run()
    life.end()

    assert [held.command.name for held in life.held] == (["forget"] if looks_first else [])
    assert [answer["code"] for answer in world.answers()] == ([] if looks_first else ["OK"])


@pytest.mark.parametrize("dropped", [True, False])
def test_what_cancels_is_not_done_again(tmp_path: Path, dropped: bool) -> None:
    """It may have been meant for a lesson, which is gone; to do it now would drop a change that waits."""
    world = World(tmp_path)
    world.send(request("cancel", clock=world.clock))
    assert live(world, 2)[1]
    world.state[Resource.KNOWLEDGE] += dropped
    life = Life(world)
    life.handlers["cancel"] = lambda request, now: life.held.append(request)
    life.run()
    life.end()

    assert life.held == []
    assert [answer["code"] for answer in world.answers()] == ["OK" if dropped else "E_INTERNAL"]


def test_what_ran_out_while_the_station_was_away_is_not_done(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(request("use", {"recipe": "bolts"}, clock=world.clock))
    assert live(world, 4) == (5, True)  # stored, acknowledged, not begun
    assert world.rows("SELECT answer FROM commands") == [(None,)]
    world.clock.advance(31.0)
    live(world)

    assert world.state[Resource.RECIPE] == 0
    assert [answer["code"] for answer in world.answers()] == ["E_EXPIRED"]


def test_what_happened_before_the_cut_is_said_to_have(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(request("use", {"recipe": "bolts"}, clock=world.clock))
    life = Life(world)
    life.handlers["use"] = lambda made, now: life.change(Resource.RECIPE)  # done, and cut before it says so
    life.run()
    life.end()
    live(world)

    assert world.state[Resource.RECIPE] == 1
    (answer,) = world.answers()
    assert (answer["code"], answer["result"]) == ("OK", {"after_restart": True})
    assert json.loads(world.rows("SELECT body FROM audit")[0][0])["id"] == ID


def test_a_restart_is_answered_by_the_life_after_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.send(request("restart", clock=world.clock))
    live(world)
    assert [answer["phase"] for answer in map(json.loads, (m.payload for m in world.said))] == ["accepted"]
    world.state[Resource.STATION] += 1
    live(world)

    assert [answer["code"] for answer in world.answers()] == ["OK"]


class Processes:
    """Lives of a station in a process each, which begin with everything imported."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.points = 0

    def live(self, world: World, cut_at: int = -1) -> int:
        """Let one live with what waits at the broker; give how its process ended."""
        assert self.process.stdin is not None and self.process.stdout is not None
        given = [(m.topic, base64.b64encode(m.payload).decode(), m.reply_to, m.mark) for m in world.unacknowledged]
        self.process.stdin.write(json.dumps([str(world.folder), cut_at, given]) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            word, said = line.split()
            payload = base64.b64decode(said)
            if word == "ended":
                return int(payload)
            if word == "points":
                self.points = int(payload)
            elif word == "acknowledged":
                world.unacknowledged = [m for m in world.unacknowledged if m.mark != int(payload)]
            else:
                world.said.append(Outgoing("rsp", payload))
        raise AssertionError("the process that makes processes has ended")


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes()
    with made.process:
        yield made


def asked(folder: Path, name: str) -> World:
    folder.mkdir()
    (folder / "effects").touch()
    world = World(folder)
    clock = SystemClock()
    world.send(request(name, COMMANDS[name][0], clock=clock, issued_at=clock.utc(), ttl_ms=600_000))
    return world


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["use", "label"])
def test_wherever_the_process_is_killed_it_happens_once_and_has_one_answer(
    tmp_path: Path, name: str, processes: Processes
) -> None:
    assert processes.live(asked(tmp_path / "whole", name)) == 0
    assert processes.points >= 11
    for cut_at in range(processes.points):
        world = asked(tmp_path / str(cut_at), name)
        assert processes.live(world, cut_at) == -signal.SIGKILL
        assert processes.live(world) == 0
        effects = world.folder / "effects"
        done = len(effects.read_bytes()) if name == "use" else COMMANDS[name][1](world)

        assert done == 1
        assert [answer["code"] for answer in world.answers()] == ["OK"]
        assert world.unacknowledged == []
        assert world.codes() == ["OK"]
