"""Shows what a device gains by doing jobs together, in simulated time: run it with Python.

    python tests/batch_bench.py

Parts come at random, on average so many a second, and each has 140 ms. The device is a model: a run takes 8 ms, and
each piece of it 1 ms; or, like a CPU, 9 ms for each piece. Dispatcher, lane and encoder are the station's own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from gpu_line import Line, Modelled  # noqa: E402

WITHIN_S = 0.140
DEVICES = {"GPU": Modelled(0.008, 0.001), "CPU": Modelled(0.0, 0.009)}
RATES_PER_S = (20, 50, 100, 150, 200, 400)


def run(device: Modelled, rate_per_s: float, parts: int, *, batches: bool) -> tuple[float, float, int]:
    """Run a line; give the parts that were in time [1/s], the share that was not, and the jobs done together."""
    line = Line(device, batches=batches)
    gaps_s = np.random.default_rng(1).exponential(1.0 / rate_per_s, parts)
    began_s = line.clock.now()
    for number, gap_s in enumerate(gaps_s):
        line.run_until(line.clock.now() + float(gap_s))
        line.submit(str(number), WITHIN_S)
    took_s = line.clock.now() - began_s
    line.run_until(line.clock.now() + 1.0)
    done = len(line.in_time())
    return done / took_s, 1.0 - done / parts, line.dispatcher.counts.together


def main() -> None:
    """Run each device at each rate with and without batches, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=2000)
    parts = parser.parse_args().parts
    for name, device in DEVICES.items():
        for rate_per_s in RATES_PER_S:
            said = [
                f"{way}: {per_s:6.1f} parts/s in time, {100 * missed:5.1f} % missed"
                for way, batches in (("one by one", False), ("together", True))
                for per_s, missed, _ in [run(device, rate_per_s, parts, batches=batches)]
            ]
            sys.stdout.write(f"{name} {rate_per_s:4d} parts/s   {'   '.join(said)}\n")


if __name__ == "__main__":
    main()
