"""A bench that is killed leaves no process behind that takes the processor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HOSTILE = """
import time
from edge_agent.bench.loads import hostile
with hostile(1):
    print("running", flush=True)
    time.sleep(60)
"""

GONE_WITHIN_S = 10.0


def test_the_processes_that_take_every_core_end_with_a_bench_that_is_killed() -> None:
    if not Path("/proc/self/task").exists():
        pytest.skip("no proc(5) here")
    with subprocess.Popen([sys.executable, "-c", HOSTILE], stdout=subprocess.PIPE) as bench:
        assert bench.stdout is not None and bench.stdout.readline() == b"running\n"
        (child,) = Path(f"/proc/{bench.pid}/task/{bench.pid}/children").read_text().split()
        bench.kill()
    until = time.monotonic() + GONE_WITHIN_S
    while _runs(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: str) -> bool:
    """Say whether a process is there and is not only waiting to be heard of."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return False
    return state not in "ZX"


def test_a_bench_that_is_asked_to_end_leaves_no_folder(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "edge_agent", "bench", "--line", "10", "--minutes", "5", "--bundle", "castings"]
    with subprocess.Popen(words, env=os.environ | {"TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE) as bench:
        until = time.monotonic() + 60.0
        while not list(tmp_path.glob("edge-agent-bench-*/*")) and time.monotonic() < until:
            time.sleep(0.05)
        bench.terminate()
        _, said = bench.communicate(timeout=30.0)
    assert said.decode().endswith("edge-agent: interrupted\n")
    # CPython ends by the signal itself where that came while a module was read; a shell makes 130 of either.
    assert bench.returncode in (130, -signal.SIGINT)
    assert not list(tmp_path.iterdir())
