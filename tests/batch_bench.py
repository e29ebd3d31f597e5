"""Shows what a device gains by doing jobs together, in simulated time: run it with Python.

    python tests/batch_bench.py

Parts come at random, on average so many a second, and each has 140 ms. The device is a model: a run takes 8 ms, and
each piece of it 1 ms; or, like a CPU, 9 ms for each piece. At last the GPU is disturbed: a run
after a fifth of the parts takes 0.12 s longer. Dispatcher, lane and encoder are the station's own.
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
WAYS = {"one by one": False, "together": True}
DISTURBED_PER_S = 380
DISTURBED_S = 0.120


def run(
    device: Modelled, rate_per_s: float, parts: int, *, batches: bool, disturbed_s: float = 0.0
) -> tuple[float, float, float]:
    """Run a line.

    Args:
        device: what it runs on.
        rate_per_s: parts that come, on average [1/s].
        parts: how many.
        batches: whether the device does several together.
        disturbed_s: so much longer takes a run after a fifth of the parts [s].

    Returns:
        The parts that were in time [1/s], the share that was not, and that of the last fifth.
    """
    line = Line(device, batches=batches)
    gaps_s = np.random.default_rng(1).exponential(1.0 / rate_per_s, parts)
    began_s = line.clock.now()
    for number, gap_s in enumerate(gaps_s):
        if number == parts // 5:
            line.disturb(disturbed_s)
        line.run_until(line.clock.now() + float(gap_s))
        line.submit(str(number), WITHIN_S)
    took_s = line.clock.now() - began_s
    line.run_until(line.clock.now() + 1.0)
    done = line.in_time()
    last = [str(number) in done for number in range(parts - parts // 5, parts)]
    return len(done) / took_s, 1.0 - len(done) / parts, 1.0 - sum(last) / len(last)


def main() -> None:
    """Run each device at each rate with and without batches, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=2000)
    parts = parser.parse_args().parts
    for name, device in DEVICES.items():
        for rate_per_s in RATES_PER_S:
            said = [
                f"{way}: {per_s:6.1f} parts/s in time, {100 * missed:5.1f} % missed"
                for way, batches in WAYS.items()
                for per_s, missed, _ in [run(device, rate_per_s, parts, batches=batches)]
            ]
            sys.stdout.write(f"{name} {rate_per_s:4d} parts/s   {'   '.join(said)}\n")
    said = [
        f"{way}: {100 * missed:5.1f} % missed, {100 * last:5.1f} % of the last fifth"
        for way, batches in WAYS.items()
        for _, missed, last in [run(DEVICES["GPU"], DISTURBED_PER_S, parts, batches=batches, disturbed_s=DISTURBED_S)]
    ]
    sys.stdout.write(f"GPU {DISTURBED_PER_S:4d} parts/s, disturbed   {'   '.join(said)}\n")


if __name__ == "__main__":
    main()
