"""What only the host library in C can get wrong: an integrator who opens twice, and a port that takes half a packet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from c_mutants import Mutant, mutated
from host_drivers import LIBRARY, NOBODY, NOT_PACKETS, CHost, start_c
from host_rig import SECOND, Rig
from mcu_drivers import shared_folder

from firmware_bridge.messages import Reject
from firmware_bridge.packet import PacketDecoder


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_folder(tmp_path_factory)


@pytest.fixture
def rig(workshop: Path) -> Iterator[Rig]:
    rig = Rig(start_c(workshop))
    yield rig
    rig.host.end()


def opened_twice(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    past, to_come = rig.accepted(after_us=20_000), rig.accepted(after_us=2 * SECOND)
    rig.host.advance(40_000)
    rig.open()
    assert rig.events("report") == [("report", 1, "down", past.fire_ticks, 0)]
    rig.up(edges=1)

    (anew,) = [message for message in rig.arm() if isinstance(message, Reject)]
    assert anew.fire_ticks == to_come.fire_ticks
    assert anew.cmd_id not in (past.cmd_id, to_come.cmd_id)


def half_a_packet_and_a_restart(rig: Rig) -> None:
    rig.up()
    rig.edge(1)
    rig.host.take()
    assert isinstance(rig.host, CHost)
    rig.host.accept(9)
    rig.host.reject(1, SECOND)
    assert len(rig.host.take()) == 9
    rig.reboot(8)
    rig.host.accept(10_000)
    decoder = PacketDecoder()
    decoder.feed(b"\x05half")  # what the board has of the packet before

    said = decoder.feed(rig.host.take())

    assert [packet.type for packet in said] == [1]


def noise_after_a_restart(rig: Rig) -> None:
    rig.up()
    rig.reboot(8)
    assert isinstance(rig.host, CHost)
    rig.host.advance(SECOND)
    rig.host.feed(b"\x81\x12\xf8" * 50)
    rig.host.advance(3 * SECOND)
    assert rig.host.reasons == [NOT_PACKETS]


def silence_after_a_restart(rig: Rig) -> None:
    rig.up()
    rig.reboot(8)
    assert isinstance(rig.host, CHost)
    rig.host.advance(4 * SECOND)
    assert rig.host.reasons == [NOBODY]


RULES = (opened_twice, half_a_packet_and_a_restart, noise_after_a_restart, silence_after_a_restart)


@pytest.mark.parametrize("rule", RULES)
def test_the_library_keeps(rule: Callable[[Rig], None], rig: Rig) -> None:
    rule(rig)


MUTANTS = {
    "what was open goes on": Mutant(
        "host_session.c",
        "        eh_close(host);\n    eh_link_open",
        "        (void)0;\n    eh_link_open",
        opened_twice,
    ),
    "the greeting is glued to half a packet": Mutant(
        "host_link.c", "    host->out_used = 1;\n", "    host->out_used = 0;\n", half_a_packet_and_a_restart
    ),
    "packets of before a restart count": Mutant(
        "host_session.c", "    host->any_bytes = host->any_packet = false;\n", "", noise_after_a_restart
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_guard_is_noticed(name: str, workshop: Path, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    folder = tmp_path / "objects"
    folder.mkdir()
    rig = Rig(lambda: CHost(mutated(mutant, (*LIBRARY, "host_bench.c"), folder, tmp_path)))
    try:
        with pytest.raises(AssertionError):
            mutant.noticed_by(rig)
    finally:
        assert isinstance(rig.host, CHost)
        rig.host.kill()
