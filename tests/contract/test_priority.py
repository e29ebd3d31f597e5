"""What the kernel makes of a process that only wants idle time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge_agent.runtime import priority

SAID = """
import os, threading
from edge_agent.runtime.priority import run_when_idle
run_when_idle()
seen = []
thread = threading.Thread(target=lambda: seen.append(os.sched_getscheduler(0)))
thread.start()
thread.join()
print(os.sched_getscheduler(0) == os.SCHED_IDLE, seen == [os.SCHED_IDLE])
"""


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux only")
def test_the_process_and_its_threads_compute_only_when_idle() -> None:
    said = subprocess.run([sys.executable, "-c", SAID], capture_output=True, text=True, check=True, timeout=30)

    assert said.stdout.split() == ["True", "True"]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux only")
def test_where_it_is_forbidden_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbidden)
    priority.run_when_idle()


def test_where_there_is_no_such_thing_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setscheduler", raising=False)
    priority.run_when_idle()
