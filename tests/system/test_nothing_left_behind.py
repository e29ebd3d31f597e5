"""The rules for every test are rules only if breaking them fails: pytest is run on tests that break each one."""

import os
import subprocess
import sys
from pathlib import Path

LEAKY = """
import socket, subprocess, sys, tempfile, threading, time

kept = []

def test_leaves_a_thread():
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, daemon=True)
    thread.start()
    kept.extend([gate, thread])

def test_leaves_a_child():
    kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))

def test_leaves_a_file(tmp_path):
    kept.append(open(tmp_path / "left", "w"))

def test_leaves_a_socket():
    kept.append(socket.socket())

def test_sleeps():
    time.sleep(0.001)

def test_cleans_up(tmp_path):
    thread = threading.Thread(target=print)
    thread.start()
    thread.join()
    with open(tmp_path / "left", "w"), socket.socket():
        pass
    subprocess.run([sys.executable, "-c", ""], check=True)

def teardown_module():
    for thing in kept:
        getattr(thing, "set", getattr(thing, "kill", getattr(thing, "close", int)))()
"""


def test_every_rule_is_enforced(tmp_path: Path) -> None:
    rules = (Path(__file__).parents[1] / "conftest.py").read_text()
    assert "GRACE_S = 2.0" in rules
    (tmp_path / "conftest.py").write_text(rules.replace("GRACE_S = 2.0", "GRACE_S = 0.2"))
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "test_leaky.py").write_text(LEAKY)
    options = ["-rA", "-p", "no:cacheprovider", "-p", "no:randomly", f"--rootdir={tmp_path}"]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "200"},  # the summary cuts its lines to the terminal
        check=False,
    )
    summary = ran.stdout[ran.stdout.index("short test summary info") :]

    def told(verdict: str, test: str, reason: str) -> bool:
        return any(
            line.startswith(f"{verdict} ") and f"::{test}" in line and reason in line for line in summary.splitlines()
        )

    assert told("ERROR", "test_leaves_a_thread", "the test left behind: thread"), ran.stdout
    assert told("ERROR", "test_leaves_a_child", "the test left behind: child process"), ran.stdout
    assert told("ERROR", "test_leaves_a_file", "the test left behind: open file"), ran.stdout
    assert told("ERROR", "test_leaves_a_socket", "the test left behind: open file"), ran.stdout
    assert told("FAILED", "test_sleeps", "a unit test sleeps"), ran.stdout
    assert told("PASSED", "test_cleans_up", ""), ran.stdout
    assert not told("ERROR", "test_cleans_up", ""), ran.stdout
