"""The firmware as a program in real time: a terminal appears, a part comes every so often, samples flow."""

from __future__ import annotations

import dataclasses
import os
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcu_bench import CONFIG, SESSION, check_account, check_values, every, only
from mcu_drivers import CORE, FIRMWARE, SIM, compile_c

from firmware_bridge.codes import RejectResult
from firmware_bridge.layout import decode_message, encode_message
from firmware_bridge.messages import Arm, Block, Edge, Hello, Message, Ping, Pong, Reject, RejectAck, RejectDone, Status
from firmware_bridge.packet import PacketDecoder, encode_packet

pytestmark = pytest.mark.system
LIMIT_S = 60.0


class Terminal:
    """The station's side of the wire, as simple as can be."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self._decoder = PacketDecoder()
        self._seq = {True: 0, False: 0}
        self.heard: list[Message] = []

    def say(self, message: Message) -> None:
        packet = encode_message(message, 0)
        packet = encode_message(message, self._seq[packet.reliable])
        self._seq[packet.reliable] += 1
        os.write(self._fd, encode_packet(packet))

    def hear(self, kind: type[Message], count: int) -> None:
        """Listen until so many messages of a kind have come."""
        give_up_at = time.monotonic() + LIMIT_S
        while len(every(self.heard, kind)) < count:
            assert time.monotonic() < give_up_at, f"{count} {kind.__name__} expected: {self.heard}"
            if select.select([self._fd], [], [], 0.1)[0]:
                self.heard += map(decode_message, self._decoder.feed(os.read(self._fd, 65_536)))

    def pulse(self) -> int:
        """Ask until a pulse is accepted, on a busy computer not the first time; give its tick once it has begun."""
        for cmd_id in range(1, 20):
            self.say(Ping(cmd_id))
            self.hear(Pong, cmd_id)
            fire_ticks = every(self.heard, Pong)[-1].tx_ticks + 100_000 * cmd_id
            self.say(Reject(cmd_id, 1, fire_ticks, 1000, 0))
            self.hear(RejectAck, cmd_id)
            if every(self.heard, RejectAck)[-1].result == RejectResult.ACCEPTED:
                self.hear(RejectDone, 1)
                return fire_ticks
        raise AssertionError("no pulse was accepted")

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    program = compile_c(tmp_path / "sim", [FIRMWARE / name for name in CORE + SIM], "-O1")
    path = tmp_path / "mcu"
    process = subprocess.Popen([program, "--pty", path, "--boot-id", "77", "--part-ms", "40", "--width-ms", "10"])
    try:
        give_up_at = time.monotonic() + LIMIT_S
        while not path.is_symlink():
            assert time.monotonic() < give_up_at
            assert process.poll() is None
            time.sleep(0.01)
        terminal = Terminal(path)
        yield terminal
        terminal.close()
    finally:
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    assert not path.is_symlink()


def test_it_greets_samples_counts_parts_and_fires(terminal: Terminal) -> None:
    terminal.say(Hello(proto=1, firmware=0, boot_id=SESSION))
    terminal.hear(Status, 1)
    assert {hello.boot_id for hello in every(terminal.heard, Hello)} == {77}
    terminal.say(dataclasses.replace(CONFIG, rate_hz=26_667, block_samples=256, lease_ms=10_000))
    terminal.say(Arm())
    terminal.hear(Edge, 4)
    fire_ticks = terminal.pulse()

    terminal.hear(Block, 30)

    assert only(terminal.heard, RejectDone).actual_ticks >= fire_ticks
    blocks = every(terminal.heard, Block)
    check_account(blocks)
    check_values(blocks)
    parts = {edge.edge_seq: edge.ticks for edge in every(terminal.heard, Edge)}
    first, *_, last = sorted(parts)
    assert parts[last] - parts[first] == (last - first) * 40_000
