"""Whatever becomes of a peer's process becomes its row, and no process is left behind. Runtimes here are fakes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bench_fakes import bench, peer

from models.workshop.bench import environment, measure
from models.workshop.bench.child import Child, PeerFailed, last_words, run_to_end, shortened
from models.workshop.bench.figures import Turn
from models.workshop.bench.peers import Environment

ROOT = Path(__file__).parents[2]

PATIENCE_S = 200.0
"""For what takes a moment on a machine that has nothing else to do."""


def test_whatever_becomes_of_a_peer_becomes_its_row(tmp_path: Path) -> None:
    converting = ("converts", "unconvertible")
    kinds = ("fine", "reuses", "constant", "refuses", "crashes", *converting)
    made = bench(tmp_path, kinds, converting)
    made.prepare()
    got = {row.peer: row for row in made.run(threads=1, rounds=2)}

    assert [*got] == [*kinds]
    assert {name: row.error for name, row in got.items() if row.error} == {
        "refuses": "ValueError: no fp32 for you",
        "crashes": "ended by SIGSEGV: and one that prints from C",
        "unconvertible": "cannot convert: NotImplementedError: operator foo is not known",
    }
    agreeing = {name: row.figures.agreement.is_close for name, row in got.items() if row.figures is not None}
    assert agreeing == {"fine": True, "reuses": True, "constant": False, "converts": True}
    assert got["fine"].figures is not None
    assert got["fine"].figures.runs == 40
    assert got["fine"].versions == {"numpy": np.__version__}
    assert {name: got[name].artefact_bytes for name in ("fine", "unconvertible", "converts")} == {
        "fine": 10,
        "unconvertible": None,
        "converts": 20,
    }


def test_a_peer_that_hangs_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "TURN_TIMEOUT_S", 1.0)
    made = bench(tmp_path, ("hangs",))
    (row,) = made.run(threads=1, rounds=1)

    assert row.error == "in round 1: no answer within 1 s"


def test_it_says_beforehand_how_many_steps_there_are(tmp_path: Path) -> None:
    said: list[str] = []
    made = bench(tmp_path, ("fine", "converts"), ("converts",))
    made.step = said.append
    made.prepare()
    for threads in (1, 2):
        made.run(threads, rounds=3)

    assert len(said) == made.steps((1, 2), rounds=3)


def test_an_answer_that_makes_no_sense_fails_the_peer(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "input(); print('[1, 2]', flush=True)")

    with Child(command, tmp_path, tmp_path / "log") as child, pytest.raises(PeerFailed, match="makes no sense"):
        child.ask({"do": "run"}, Turn, PATIENCE_S)


def test_a_peer_that_cannot_even_be_started_has_a_row(tmp_path: Path) -> None:
    made = bench(tmp_path, ("fine", "reuses"))
    made.peers = [made.peers[0], replace(made.peers[1], environment=Environment("gone", ()))]
    got = {row.peer: row for row in made.run(threads=1, rounds=1)}

    assert got["fine"].figures is not None
    assert got["reuses"].error.startswith("cannot be started: [Errno 2] No such file or directory")


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    script = """
import json, subprocess
sleeper = subprocess.Popen(["sleep", "60"])
print(json.dumps({"pid": sleeper.pid}), flush=True)
input()
"""
    with Child((sys.executable, "-c", script), tmp_path, tmp_path / "log") as child:
        grandchild = child.ask({}, dict[str, int], PATIENCE_S)["pid"]

    assert is_gone(grandchild)


def test_after_ctrl_c_no_child_is_left(tmp_path: Path) -> None:
    bench(tmp_path, ("hangs",))  # the files of one; the process below makes it from them
    script = f"""
import sys
from pathlib import Path
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from models.workshop.bench.measure import Bench
from models.workshop.bench.subject import Part, Subject
from bench_fakes import peer
parts = (Part("one", ("x",), ("half",)), Part("two", ("half",), ("y",)))
subject = Subject(Path("subject").absolute(), "a model", parts, ("y",))
Bench(subject, [peer("hangs")], Path("envs").absolute(), Path("work").absolute(), lambda text: None).run(1, 5)
"""
    process = subprocess.Popen((sys.executable, "-c", script), cwd=tmp_path, stderr=subprocess.PIPE)
    hanging = tmp_path / "hanging"
    while not hanging.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)

    assert b"KeyboardInterrupt" in said
    assert is_gone(int(hanging.read_text()))


def is_gone(pid: int) -> bool:
    """Say whether a process ends."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_command_that_fails_or_takes_too_long_says_so_in_one_line(tmp_path: Path) -> None:
    shout = "import sys; print('ERROR: no such package'); sys.exit('a long story')"

    with pytest.raises(PeerFailed, match=r"^ended with 1: ERROR: no such package$"):
        run_to_end((sys.executable, "-c", shout), tmp_path, tmp_path / "log", PATIENCE_S)
    with pytest.raises(PeerFailed, match=r"python\S* did not end within 0.2 s$"):
        run_to_end((sys.executable, "-c", "import time; time.sleep(60)"), tmp_path, tmp_path / "other", 0.2)


def test_a_log_is_summed_up_by_its_last_error_or_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text, words in (("ERROR: this\nand so on\n", "ERROR: this"), ("one\ntwo\n\n", "two"), ("", "")):
        log.write_text(text)

        assert last_words(log) == words


def test_a_long_reason_is_cut() -> None:
    assert len(shortened("word " * 1_000)) == 300
    assert shortened(" two\n lines ") == "two lines"


# Environments


def test_an_environment_that_cannot_be_installed_costs_its_peers_only_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    nowhere = Environment("nowhere", ("a-package-that-is-nowhere==1.0",))
    made = bench(tmp_path, ("fine",))
    made.peers = [*made.peers, replace(peer("lost"), environment=nowhere)]
    made.prepare()
    got = {row.peer: row for row in made.run(threads=1, rounds=1)}

    assert got["fine"].error == ""
    assert got["lost"].error == (
        "cannot be installed: ended with 1: ERROR: No matching distribution found for a-package-that-is-nowhere==1.0"
    )
    assert not environment.folder_of(nowhere, tmp_path / "envs").exists()


def test_an_environment_is_made_once_and_again_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[str] = []

    def run(command: Sequence[str | Path], folder: Path, log: Path, timeout_s: float) -> None:
        commands.append(" ".join(map(str, command)))
        if interrupted and "install" in command:
            raise KeyboardInterrupt
        log.write_text("WARNING: something\nnumpy==2.0\n")
        environment.python_of(wanted, tmp_path).parent.mkdir(exist_ok=True)
        environment.python_of(wanted, tmp_path).touch()

    monkeypatch.setattr(environment, "run_to_end", run)
    wanted = Environment("wanted", ("numpy==2.0",))
    interrupted = True
    with pytest.raises(KeyboardInterrupt):
        environment.make(wanted, tmp_path, tmp_path / "log")
    assert not environment.is_made(wanted, tmp_path)
    interrupted = False
    environment.make(wanted, tmp_path, tmp_path / "log")
    so_far = len(commands)
    environment.make(wanted, tmp_path, tmp_path / "log")

    assert len(commands) == so_far
    assert environment.installed(wanted, tmp_path) == ["numpy==2.0"]

    environment.python_of(wanted, tmp_path).unlink()  # as when the Python that it was made with is gone
    assert not environment.is_made(wanted, tmp_path)


def test_other_versions_have_another_environment(tmp_path: Path) -> None:
    folders = {environment.folder_of(Environment("e", (f"numpy=={v}",)), tmp_path) for v in ("1", "2")}

    assert len(folders) == 2
