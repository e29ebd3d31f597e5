"""A host as a process of its own, for tests that kill or stop it: holds the lease, says what it hears line by line."""

import secrets
import signal
import sys
import threading
import time

from firmware_bridge.bridge import Bridge
from firmware_bridge.messages import Config
from firmware_bridge.port import SerialPort
from firmware_bridge.session import Session

CONFIG = Config(26_667, 16_000, 256, 300, 500, 0, 1, 0b01, 0b01)
"""A lease of 300 ms; output 0 pulses high, and is high when nobody holds the lease."""
QUIET = {"Samples", "Status", "Arrival"}


def main(path: str) -> int:
    """Serve the device until a signal ends the process."""

    def hear(heard: object) -> None:
        if type(heard).__name__ not in QUIET:
            sys.stdout.write(f"{type(heard).__name__}\n")
            sys.stdout.flush()

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    session = Session(CONFIG, lambda: secrets.randbits(64))
    bridge = Bridge(lambda: SerialPort(path, 2_000_000), session, time.monotonic, hear)
    bridge.start()
    while not ended.wait(0.02):
        bridge.hold(time.monotonic())
    bridge.stop()
    return 0 if bridge.join(5.0) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
