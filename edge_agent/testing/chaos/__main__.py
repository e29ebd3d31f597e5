"""`python -m edge_agent.testing.chaos LISTEN TARGET`: a bad network between a station and its broker, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
from math import inf

from edge_agent.testing.chaos import ChaosProxy, Step

EXAMPLE = """example:
  python -m edge_agent.testing.chaos 127.0.0.1:1884 192.168.1.20:1883 --latency 200 --jitter 50 --bandwidth 10000
  and in the station's file: broker = "mqtt://127.0.0.1:1884"
"""


def _place(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def script_of(options: argparse.Namespace) -> tuple[Step, ...]:
    """Give the script that the options ask for: how it is, and how it ends."""
    bad = Step(
        direction=options.direction,
        latency_s=options.latency / 1000.0,
        jitter_s=options.jitter / 1000.0,
        bandwidth_bytes_s=options.bandwidth or inf,
        piece_bytes=options.piece,
        for_s=options.after,
        for_bytes=options.after_bytes,
    )
    return (bad,) if options.then is None else (bad, Step(kind=options.then))


def parser() -> argparse.ArgumentParser:
    """Give what may be typed."""
    made = argparse.ArgumentParser(
        prog="python -m edge_agent.testing.chaos",
        description="A bad network between a station and its broker.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("listen", metavar="LISTEN", type=_place, help="where to listen, as 127.0.0.1:1884")
    made.add_argument("target", metavar="TARGET", type=_place, help="the broker, as 192.168.1.20:1883")
    made.add_argument("--latency", metavar="MS", type=float, default=0.0, help="everything comes so much later")
    made.add_argument("--jitter", metavar="MS", type=float, default=0.0, help="and at random so much later at most")
    made.add_argument("--bandwidth", metavar="BYTES", type=float, default=0.0, help="so much passes in a second")
    made.add_argument(
        "--piece", metavar="BYTES", type=int, default=65_536, help="in pieces of at most so much; 1 drips"
    )
    made.add_argument("--direction", choices=("both", "up", "down"), default="both", help="up is to the broker")
    made.add_argument("--then", choices=("stall", "swallow", "reset"), help="what each connection comes to in the end")
    made.add_argument("--after", metavar="S", type=float, default=inf, help="that is after so many seconds")
    made.add_argument("--after-bytes", metavar="BYTES", type=float, default=inf, help="or after so many bytes")
    made.add_argument("--seed", type=int, default=0, help="of what is random")
    return made


def main() -> int:
    """Run until a signal; return the exit code."""
    options = parser().parse_args()
    stops = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    with ChaosProxy(options.target, script_of(options), options.listen, options.seed) as proxy:
        sys.stderr.write(f"listening at port {proxy.port}; Ctrl-C ends it\n")
        signal.sigwait(stops)
    return 0


if __name__ == "__main__":
    sys.exit(main())
