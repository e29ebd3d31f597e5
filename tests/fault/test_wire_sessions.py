"""A whole session over wires from clean to bad: whatever they do, samples, edges and pulses are accounted for."""

from dataclasses import replace

import pytest

from firmware_bridge.account import EdgeAccount, SampleAccount
from firmware_bridge.errors import McuFault
from firmware_bridge.heard import Lapsed
from firmware_bridge.port import largest_block, largest_rate_hz
from firmware_bridge.reject import Fate
from firmware_bridge.sim.wire import BAD_CABLE, CLEAN, NOISY_USB, QUIET_USB, Faults
from tests.wire_pair import CONFIG, WirePair


def assert_accounted(pair: WirePair) -> None:
    samples, edges = pair.session.samples, pair.session.edges
    assert samples.received + samples.dropped + samples.lost == samples.spanned
    assert edges.received + edges.lost == edges.last - pair.ups[-1].edges
    assert len({a.edge.edge_seq for a in pair.arrivals}) == len(pair.arrivals)
    asked = len(pair.arrivals)
    assert len(pair.reports) + pair.session.rejects.waiting == asked


@pytest.mark.parametrize("faults", [CLEAN, QUIET_USB, NOISY_USB], ids=["clean", "quiet usb", "noisy usb"])
def test_a_whole_wire_loses_nothing(faults: Faults) -> None:
    pair = WirePair(faults)

    pair.run(8.0)

    assert_accounted(pair)
    assert pair.session.samples.lost == pair.session.samples.dropped == pair.session.edges.lost == 0
    assert {report.fate for report in pair.reports} == {Fate.DONE}
    assert len(pair.arrivals) >= 70


@pytest.mark.parametrize("seed", range(5))
def test_a_bad_cable_costs_packets_and_every_one_is_accounted_for(seed: int) -> None:
    pair = WirePair(BAD_CABLE, seed=seed)

    pair.run(20.0)

    assert_accounted(pair)
    assert pair.to_host.harmed > 10
    assert pair.session.samples.lost > 0
    assert {report.fate for report in pair.reports} == {Fate.DONE}


def test_every_pulse_begins_at_the_tick_that_was_asked_for() -> None:
    pair = WirePair(NOISY_USB)

    pair.run(10.0)

    done = [report for report in pair.reports if report.fate is Fate.DONE]
    assert done
    assert all(report.actual_ticks == report.fire_ticks for report in done)
    changes = {change.ticks for change in pair.mcu.outputs.changes if change.output == 0 and change.level == 1}
    assert {report.actual_ticks for report in done} <= changes


def test_a_pulse_for_a_tick_that_is_past_is_late_and_never_fires() -> None:
    pair = WirePair(NOISY_USB, pulse_after_s=0.0001)

    pair.run(5.0)

    assert {report.fate for report in pair.reports} == {Fate.LATE}
    assert not [change for change in pair.mcu.outputs.changes[4:] if change.output == 0]


def test_a_host_that_does_not_say_it_is_alive_loses_the_outputs() -> None:
    pair = WirePair()
    pair.run(2.0)
    assert pair.session.lease.armed

    pair.alive = False
    pair.run(1.0)

    assert pair.of(Lapsed)
    assert pair.mcu.outputs.lapsed
    assert pair.reports[-1].fate is Fate.SAFE

    pair.alive = True
    pair.run(1.0)

    assert pair.session.lease.armed
    assert pair.reports[-1].fate is Fate.DONE


def test_after_a_reset_what_was_pending_does_not_come_and_the_count_begins_anew() -> None:
    pair = WirePair(pulse_after_s=0.5)
    pair.run(3.0)
    before = pair.ups[0]

    pair.mcu = pair.boot(8)
    pair.run(3.0)

    assert Fate.REBOOTED in {report.fate for report in pair.reports}
    assert [up.series for up in pair.ups] == [before.series, f"{8:016x}"]
    assert pair.ups[1].edges < 5 < pair.ups[1].edges + len(pair.arrivals) - 20


TRAVEL_S, PULSE_S = 0.3, 0.005


def passed_unjudged(guard_s: float) -> tuple[int, int]:
    """Break the wire for longer than a lease; give how many parts nobody judged, and how many of those passed."""
    pair = WirePair(QUIET_USB, pulse_after_s=None)
    pair.run(3.0)
    broken_s = pair.now
    pair.alive = False
    pair.session.close(pair.now)
    pair.to_host.faults = pair.to_mcu.faults = Faults(lost_share=1.0)
    pair.run(1.2)
    pair.to_host.faults = pair.to_mcu.faults = QUIET_USB
    pair.session.open(pair.now)
    while len(pair.ups) < 2:
        pair.run(0.001)
    pair.session.lease.follow_from(pair.now + guard_s)
    from_s, pair.alive = pair.now, True
    pair.run(1.5)
    lapsed_s = next(c.ticks for c in pair.mcu.outputs.changes if c.ticks > pair.ticks(broken_s))
    unjudged = [edge for edge in pair.edges_true if lapsed_s - TRAVEL_S * 1e6 < edge < pair.ticks(from_s)]

    def level(ticks: float) -> int:
        return next(c.level for c in reversed(pair.mcu.outputs.changes) if c.output == 0 and c.ticks <= ticks)

    assert pair.session.lease.armed
    assert level(pair.ticks(pair.now)) == 0
    return len(unjudged), sum(level(edge + TRAVEL_S * 1e6) == 0 for edge in unjudged)


def test_no_part_that_nobody_judged_passes_a_gate_that_is_armed_anew() -> None:
    unjudged, passed = passed_unjudged(TRAVEL_S + PULSE_S)

    assert unjudged > 10
    assert passed == 0


def test_a_gate_that_follows_at_once_lets_some_pass() -> None:
    _, passed = passed_unjudged(0.0)

    assert passed >= 1


@pytest.mark.parametrize("seed", range(3))
def test_an_edge_whose_first_copy_is_lost_is_heard_all_the_same(seed: int) -> None:
    pair = WirePair(
        Faults(lost_share=0.10), pulse_after_s=None, seed=seed
    )  # a tenth lost ends a session that asks often

    pair.run(20.0)

    told = pair.session.edges
    assert told.received + told.lost == told.last - pair.ups[-1].edges
    assert told.lost <= 0.03 * (told.received + told.lost)


def test_the_time_of_an_edge_is_known_to_its_stated_uncertainty() -> None:
    pair = WirePair(NOISY_USB)

    pair.run(20.0)

    off_s = [abs(pair.ticks(a.time_s) - a.edge.ticks) / 1e6 for a in pair.arrivals]
    assert all(off <= a.uncertainty_s for off, a in zip(off_s, pair.arrivals, strict=True))
    assert max(a.uncertainty_s for a in pair.arrivals) < 0.005


def over_a_uart(baud: int, block_samples: int) -> WirePair:
    config = replace(CONFIG, rate_hz=min(26_667, largest_rate_hz(baud, block_samples)), block_samples=block_samples)
    pair = WirePair(Faults(baud=baud), config=config, rate_error=0.0)
    pair.run(10.0)
    return pair


@pytest.mark.parametrize("baud", [115_200, 460_800, 1_000_000, 2_000_000])
def test_a_uart_with_blocks_that_are_short_enough_carries_its_largest_rate_and_the_link_holds(baud: int) -> None:
    pair = over_a_uart(baud, largest_block(baud))

    assert_accounted(pair)
    assert pair.session.samples.lost == pair.session.samples.dropped == pair.session.edges.lost == 0
    assert {report.fate for report in pair.reports} == {Fate.DONE}


def test_blocks_that_are_too_long_for_a_uart_hold_up_the_acknowledgements_until_the_link_is_down() -> None:
    with pytest.raises(McuFault, match="does not acknowledge"):
        over_a_uart(115_200, 256)


def test_the_accounts_would_notice() -> None:
    """An account that forgets what is missing breaks the rule that the tests hold sessions to."""

    class Forgetful(SampleAccount):
        def add(self, block):
            missing = super().add(block)
            self.lost = 0
            return missing

    class Trusting(EdgeAccount):
        def add(self, edge):
            self.last = edge.edge_seq
            self.received += 1
            return True

    pair = WirePair(BAD_CABLE, seed=1)
    pair.run(1.0)
    pair.session.samples = Forgetful()
    pair.session.edge_book.account = Trusting(pair.session.edges.last)
    pair.run(19.0)

    with pytest.raises(AssertionError):
        assert_accounted(pair)
