"""Says far too much at a broker: PORT TOPIC MESSAGES_PER_SECOND BYTES, until it is ended; prints how many it said."""

from __future__ import annotations

import signal
import sys
import time

import paho.mqtt.client as paho

TURN_S = 0.01


def main(port: str, topic: str, per_s: str, size: str) -> None:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect("127.0.0.1", int(port))
    client.loop_start()
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopping.append(number))
    body, said, began_s = bytes(int(size)), 0, time.monotonic()
    while not stopping:
        due = int((time.monotonic() - began_s) * float(per_s))
        for _ in range(due - said):
            client.publish(topic, body)
        said = max(said, due)
        time.sleep(TURN_S)
    sys.stdout.write(f"{said} in {time.monotonic() - began_s:.1f} s\n")
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
