"""Measures how a long outage is told: run it with Python, `--parts 864000` for ten days of one part a second.

    python tests/outage_bench.py --parts 864000 --per-s 10000

A ledger is filled, then told to mosquitto with its usual limits and no console; then a console comes, and new parts are
recorded at one a second until it has everything. What is printed goes to docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import msgspec  # noqa: E402
import numpy as np  # noqa: E402
from broker import broker  # noqa: E402
from console_book import ConsoleBook  # noqa: E402
from console_client import console  # noqa: E402
from ledger_parts import part  # noqa: E402
from outage import CLOCK, Told, fill, ids, settings, telling  # noqa: E402

from edge_agent.ledger import Acted  # noqa: E402
from edge_agent.records import Action  # noqa: E402

LIVE = "live"


def live(told: Told, stop: threading.Event, per_s: float) -> None:
    """Record new parts, acted on at once, until told to stop."""
    number = 0
    due_s = CLOCK.now()
    while not stop.is_set():
        number += 1
        told.writer.offer(replace(part(number, LIVE), decided_utc=CLOCK.utc()))
        told.writer.offer(Acted(LIVE, number, Action.PASS, CLOCK.now()))
        due_s += 1.0 / per_s
        CLOCK.wait(stop, due_s)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", type=int, default=20_000)
    parser.add_argument("--per-s", type=int, default=10_000)
    parser.add_argument("--live-per-s", type=float, default=1.0)
    parser.add_argument("--absent-s", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state_dir, book = folder / "state", ConsoleBook("station-1", lean=True)
        began_s = CLOCK.now()
        fill(state_dir, asked.parts)
        size = sum(file.stat().st_size for file in state_dir.glob("ledger.db*"))
        sys.stdout.write(
            f"filled {asked.parts} parts in {CLOCK.now() - began_s:.0f} s, {size / asked.parts:.0f} bytes each\n"
        )
        delays: list[float] = []
        began_utc: list[float] = []

        def heard(topic: str, payload: bytes) -> None:
            if topic.endswith("/evt/part") and b'"series":"live"' in payload and began_utc:
                utc = msgspec.json.decode(payload)["utc"]
                if utc > began_utc[0]:
                    delays.append(CLOCK.utc() - utc)

        stop = threading.Event()
        with broker(folder) as mosquitto, telling(settings(state_dir, mosquitto.port, asked.per_s), book) as told:
            pacer = threading.Thread(target=live, args=(told, stop, asked.live_per_s))
            pacer.start()
            try:
                CLOCK.wait(stop, CLOCK.now() + asked.absent_s)
                absent = told.status()
                sys.stdout.write(
                    f"without a console: told {absent.told}, refused {absent.refused}, waits {absent.waits}\n"
                )
                with console(mosquitto.port, book) as client:
                    client.heard = heard
                    arrived_s = CLOCK.now()
                    told.until(lambda: len(book.facts) > 0, 120.0)
                    first_s = CLOCK.now()
                    began_utc.append(CLOCK.utc())
                    told.until(lambda: told.status().acknowledged.get("part", 0) >= asked.parts, 36_000.0)
                    ended_s = CLOCK.now()
                    stop.set()
                    pacer.join()
                    CLOCK.wait(threading.Event(), CLOCK.now() + 5.0)
            finally:
                stop.set()
                pacer.join()
        stored = {name for name in book.facts if ".part." in name}
        again = len(book.arrived) - len(book.facts)
        took_s = ended_s - first_s
        ordered = [int(name.rpartition(".")[2]) for name in dict.fromkeys(book.arrived) if ".part." in name]
        backlog = [number for number in ordered if number <= asked.parts]
        spread = np.percentile(delays, (50, 99, 100)) if delays else (0.0, 0.0, 0.0)
        sys.stdout.write(
            f"console waited {first_s - arrived_s:.1f} s for the first; {asked.parts} parts in {took_s:.1f} s: "
            f"{asked.parts / took_s:.0f}/s; {again} came twice; in chain order: {backlog == sorted(backlog)}\n"
            f"live: {len(delays)} parts, delay p50 {spread[0]:.2f} s, p99 {spread[1]:.2f} s, worst {spread[2]:.2f} s\n"
            f"every part of the ledger is stored: {stored == ids(state_dir)}; gaps: {len(book.gaps)}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
