"""Measures what the uplink costs: run it with Python.

    python tests/uplink_cost_bench.py --seconds 30

In turn without and with it, a few times each: the commit of a part, and a station on the simulated line that decides
while a backlog is told at the usual pace; and such a station while 10,000 messages a second come on its topic for
requests. A broker takes everything and a subscriber hears it; its word counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import numpy as np  # noqa: E402
from broker import Broker, broker  # noqa: E402
from console_book import ConsoleBook  # noqa: E402
from ledger_parts import part  # noqa: E402
from outage import CLOCK, fill, settings, telling  # noqa: E402
from running_station import running  # noqa: E402

from edge_agent.config import Config  # noqa: E402
from edge_agent.ledger import LedgerWriter, Reader  # noqa: E402

ROUNDS = 3
FLOOD_PER_S, FLOOD_BYTES = 10_000, 100
PACE_S = 0.02


@contextmanager
def subscriber(mosquitto: Broker) -> Iterator[None]:
    command = ["mosquitto_sub", "-p", str(mosquitto.port), "-q", "1", "-i", "ear", "-t", "insp/#"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def committed(writer: LedgerWriter, first: int, count: int) -> tuple[list[float], float]:
    """Commit parts one by one; give how long each took [s], and the CPU of the process for each [s]."""
    times, cpu_s = [], time.process_time()
    for number in range(first, first + count):
        began_s = CLOCK.now()
        before = writer.status().committed
        writer.offer(replace(part(number, "cost"), decided_utc=CLOCK.utc() - 5.0))
        while writer.status().committed == before:
            time.sleep(0.0002)
        times.append(CLOCK.now() - began_s)
        time.sleep(max(0.0, PACE_S - (CLOCK.now() - began_s)))
    return times, (time.process_time() - cpu_s) / count


def commits(folder: Path, mosquitto: Broker, count: int) -> None:
    state_dir, first = folder / "cost", 1
    fill(state_dir, 1)
    found: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for on in (False, True):
            if on:
                config = settings(state_dir, mosquitto.port, 10_000, acknowledge="broker")
                with telling(config, ConsoleBook("station-1")) as told:
                    told.until(lambda told=told, first=first: told.status().acknowledged.get("part", 0) >= first)
                    times, each_s = committed(told.writer, first, count)
            else:
                writer = LedgerWriter(
                    state_dir, CLOCK, deliver=lambda receipt: None, on_error=lambda name, error: None, queue=4096
                )
                writer.open()
                times, each_s = committed(writer, first, count)
                writer.close()
                writer.join(CLOCK.now() + 5.0)
            first += count
            found[on] += times
            cpu[on].append(each_s)
    for on in (False, True):
        p50, p99 = np.percentile(found[on], (50, 99)) * 1e3
        sys.stdout.write(
            f"commit {'with' if on else 'without'} the uplink: p50 {p50:.2f} ms, p99 {p99:.2f} ms, "
            f"CPU of the process {1e3 * min(cpu[on]):.2f} to {1e3 * max(cpu[on]):.2f} ms a part "
            f"({len(found[on])} parts)\n"
        )


def decisions(folder: Path, mosquitto: Broker, seconds: float) -> None:
    for turn in range(2):
        for on in (False, True):
            state_dir = folder / f"station-{turn}-{on}"
            fill(state_dir, 60_000)
            plain = Config.defaults(state_dir)
            config = settings(state_dir, mosquitto.port, 200, acknowledge="broker") if on else plain
            with running(config) as (agent, _):
                CLOCK.wait(threading.Event(), CLOCK.now() + seconds)
                told = 0 if agent.uplink is None else agent.uplink.status().told
                counts = agent.inspector.counts
            with closing(Reader(state_dir)) as reader:
                hops = {latency.hop: latency for latency in reader.latencies(int(4 * seconds))}
            said = ", ".join(
                f"{hop} p50 {hops[hop].p50_ms:.1f} p99 {hops[hop].p99_ms:.1f} max {hops[hop].max_ms:.1f} ms"
                for hop in ("paired-committed", "trigger-decided")
            )
            sys.stdout.write(
                f"station {'with' if on else 'without'} a drain: {said}; {hops['paired-committed'].parts} parts, "
                f"late {counts.late}, overdue {counts.overdue}; told {told}\n"
            )


@contextmanager
def flood(port: int, topic: str, on: bool) -> Iterator[list[str]]:
    said: list[str] = []
    if not on:
        yield said
        return
    command = [sys.executable, str(Path(__file__).with_name("flooder.py"))]
    arguments = [str(port), topic, str(FLOOD_PER_S), str(FLOOD_BYTES)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        yield said
    finally:
        process.terminate()
        said.append(process.communicate()[0].strip())


def floods(folder: Path, mosquitto: Broker, seconds: float) -> None:
    for turn in range(2):
        for on in (False, True):
            state_dir = folder / f"flooded-{turn}-{on}"
            config = settings(state_dir, mosquitto.port, 200, acknowledge="broker")
            with running(config) as (agent, _):
                CLOCK.wait(threading.Event(), CLOCK.now() + 5.0)
                before, cpu_s = replace(agent.inspector.counts), time.process_time()
                with flood(mosquitto.port, f"insp/v1/{config.station.name}/cmd/status/req", on) as said:
                    CLOCK.wait(threading.Event(), CLOCK.now() + seconds)
                    counts, cpu_s = replace(agent.inspector.counts), time.process_time() - cpu_s
                requests = agent.desk.counts.requests
            with closing(Reader(state_dir)) as reader:
                hops = {latency.hop: latency for latency in reader.latencies(counts.triggers - before.triggers)}
            hop = hops["trigger-decided"]
            core = 100 * cpu_s / seconds
            sys.stdout.write(
                f"station {'in' if on else 'without'} a flood ({''.join(said) or 'nothing'} said, {requests} requests "
                f"taken): trigger to verdict p50 {hop.p50_ms:.1f} p99 {hop.p99_ms:.1f} max {hop.max_ms:.1f} ms, "
                f"{counts.triggers - before.triggers} parts, late {counts.late - before.late}, "
                f"overdue {counts.overdue - before.overdue}; CPU of the process {core:.0f} % of a core\n"
            )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--parts", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with broker(folder) as mosquitto, subscriber(mosquitto):
            commits(folder, mosquitto, asked.parts)
            decisions(folder, mosquitto, asked.seconds)
            floods(folder, mosquitto, asked.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
