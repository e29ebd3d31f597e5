"""The station's bridge and the firmware in C on the two ends of a terminal, in real time and with sanitizers."""

from __future__ import annotations

import itertools
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mcu_drivers import sample_values, shared_folder, sim_program

from edge_agent.runtime.clock import SystemClock
from firmware_bridge.bridge import Bridge, Down, Pulse
from firmware_bridge.heard import Arrival, Heard, Samples, Up
from firmware_bridge.port import SerialPort
from firmware_bridge.reject import Fate, RejectReport
from firmware_bridge.session import Session
from tests.running_station import wait_until
from tests.wire_pair import CONFIG

pytestmark = pytest.mark.system

PART_S, TRAVEL_S = 0.1, 1.2
"""Between two parts, and from a part to its pulse: a machine may stand still for a while [s]."""


def test_the_bridge_and_the_firmware_account_for_every_sample_part_and_pulse(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    program = sim_program(shared_folder(tmp_path_factory))
    path, clock = tmp_path / "mcu", SystemClock()
    heard: list[Heard | Down] = []
    ids = itertools.count(1)
    session = Session(replace(CONFIG, lease_ms=10_000), lambda: next(ids))

    def hear(one: Heard | Down) -> None:
        heard.append(one)
        bridge.hold(clock.now())
        if isinstance(one, Arrival):
            bridge.pulse(Pulse(one.edge.edge_seq, TRAVEL_S, 1000, 0))

    bridge = Bridge(lambda: SerialPort(str(path), 2_000_000), session, clock.now, hear)

    def of(kind: type) -> list:
        return [one for one in list(heard) if isinstance(one, kind)]

    command = [program, "--pty", path, "--boot-id", "77", "--part-ms", str(int(1e3 * PART_S)), "--width-ms", "10"]
    with subprocess.Popen(command) as firmware:
        try:
            wait_until(path.is_symlink)
            bridge.start()
            wait_until(lambda: len([report for report in of(RejectReport) if report.fate is Fate.DONE]) >= 20)
        finally:
            bridge.stop()
            assert bridge.join(60.0)
            firmware.terminate()
        assert firmware.wait(60.0) == 0

    assert bridge.failure is None
    assert [up.series for up in of(Up)] == [f"{77:016x}"]
    samples, edges = session.samples, session.edges
    assert samples.received + samples.dropped + samples.lost == samples.spanned
    assert (samples.lost, edges.lost, samples.contradictory) == (0, 0, 0)
    for one in of(Samples):
        block = one.block
        np.testing.assert_array_equal(block.samples, sample_values(block.first_sample, len(block.samples)))
    times, uncertainties = np.array([(arrival.time_s, arrival.uncertainty_s) for arrival in of(Arrival)]).T
    assert (np.abs(np.diff(times) - PART_S) <= uncertainties[1:] + uncertainties[:-1]).all()
    fates = Counter(report.fate for report in of(RejectReport))
    assert set(fates) <= {Fate.DONE, Fate.DOWN}  # down: still on its way at the end
    assert fates[Fate.DONE] >= 20
    for report in of(RejectReport):
        assert report.actual_ticks is None or report.actual_ticks >= report.fire_ticks
