"""A station reports its use to nobody: both runtimes are switched off before they are loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import edge_agent.engines
import edge_agent.engines.onnxruntime_engine, edge_agent.engines.openvino_engine
import os, sys, threading
assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
assert sys.modules["openvino_telemetry"] is None
assert [t.name for t in threading.enumerate()] == ["MainThread"], threading.enumerate()
print(sorted(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) for fd in os.listdir("/proc/self/fd")
      if os.path.exists(f"/proc/self/fd/{fd}")))
"""


@pytest.mark.system
def test_loading_both_runtimes_starts_no_thread_and_opens_no_socket() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert "socket" not in done.stdout
