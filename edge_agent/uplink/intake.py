"""What a broker sends, cut into whole packets and let through at a pace. Pure.

A message of QoS 0 beyond the pace is dropped, as its sender agreed to; one of QoS 1 waits, and what is behind it waits
with it. Everything else passes: what the broker answers to the station never stands in a queue behind a flood.
"""

from __future__ import annotations

from typing import Final

from edge_agent.errors import Unavailable
from edge_agent.uplink.pace import TokenBucket

PUBLISH: Final = 0x30
QOS_BITS: Final = 0x06
LENGTH_BYTES: Final = 4
"""How long the length of a packet may be at most [bytes] (MQTT 5, 1.5.5)."""


class Intake:
    """Whole packets that may be taken, in order.

    Args:
        pace: how many messages may pass.
        largest_bytes: what a message may be with its header; a larger one is skipped, never held.
    """

    def __init__(self, pace: TokenBucket, largest_bytes: int) -> None:
        self._pace = pace
        self._largest_bytes = largest_bytes
        self._raw = bytearray()
        self._whole = bytearray()
        self._skip_bytes = 0
        self._waits = False
        self.passed = self.dropped = self.oversize = 0
        self._refused: list[int] = []

    @property
    def ready(self) -> bool:
        """Something may be taken."""
        return bool(self._whole)

    @property
    def waits(self) -> bool:
        """A message waits for its turn: nothing more should be read meanwhile."""
        return self._waits

    def wait_s(self, now: float) -> float:
        """Say when the message that waits may pass [s from now]."""
        return self._pace.wait_s(now)

    def take(self, size: int) -> bytes:
        """Take at most `size` bytes of whole packets."""
        taken = bytes(self._whole[:size])
        del self._whole[:size]
        return taken

    def refused(self) -> list[int]:
        """Take the identifiers of messages of QoS 1 that were skipped: nobody will acknowledge them otherwise."""
        refused, self._refused = self._refused, []
        return refused

    def feed(self, chunk: bytes, now: float) -> None:
        """Take in what was read, or b"" to let pass what has waited.

        Args:
            chunk: as it came.
            now: host monotonic time [s].

        Raises:
            Unavailable: this is not MQTT.
        """
        skipped = min(self._skip_bytes, len(chunk))
        self._skip_bytes -= skipped
        self._raw += chunk[skipped:]
        at = 0
        spent = False
        self._waits = False
        while (span := self._span(at)) is not None:
            body, end = span
            if end - at > self._largest_bytes:
                if not self._skip(at, body, end):
                    break
                at = min(end, len(self._raw))
                continue
            if end > len(self._raw):
                break
            if self._raw[at] & 0xF0 == PUBLISH and (spent or not self._pace.take(now)):
                spent = True
                if self._raw[at] & QOS_BITS:
                    self._waits = True
                    break
                self.dropped += 1
            else:
                self._whole += self._raw[at:end]
                self.passed += 1
            at = end
        del self._raw[:at]

    def _span(self, at: int) -> tuple[int, int] | None:
        """Give where the packet at `at` has its body, and where it ends; None as long as that is not known."""
        length = 0
        for index in range(LENGTH_BYTES):
            position = at + 1 + index
            if position >= len(self._raw):
                return None
            length |= (self._raw[position] & 0x7F) << (7 * index)
            if not self._raw[position] & 0x80:
                return position + 1, position + 1 + length
        raise Unavailable("what the broker sends is not MQTT", hint="check the host and port in uplink.broker")

    def _skip(self, at: int, body: int, end: int) -> bool:
        """Pass over a message that is too large, remembering its identifier; False as long as that has not come."""
        if self._raw[at] & 0xF0 != PUBLISH:
            raise Unavailable(
                f"the broker sends a packet of {end - at} bytes that is no message",
                hint="check the host and port in uplink.broker",
            )
        if self._raw[at] & QOS_BITS:
            if body + 2 > len(self._raw):
                return False
            identifier = body + 2 + int.from_bytes(self._raw[body : body + 2], "big")
            if identifier + 2 > end:
                raise Unavailable("what the broker sends is not MQTT", hint="check the host and port in uplink.broker")
            if identifier + 2 > len(self._raw):
                return False
            self._refused.append(int.from_bytes(self._raw[identifier : identifier + 2], "big"))
        self._skip_bytes = max(0, end - len(self._raw))
        self.oversize += 1
        return True
