"""The session against a microcontroller that says what it should not, too late, or nothing at all."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
from cobs import cobs
from scripted_mcu import CONFIG, HELLO, Scripted

from firmware_bridge.codes import ConfigResult, RejectResult, StatusFlag
from firmware_bridge.errors import BridgeError, McuFault, PortRefused
from firmware_bridge.greeter import GREETINGS_S, HELLO_S, Greeter
from firmware_bridge.handshake import State
from firmware_bridge.heard import Armed, Arrival, Lapsed, Rebooted, Samples, Up
from firmware_bridge.messages import (
    Arm,
    Block,
    Config,
    ConfigAck,
    Edge,
    Hello,
    Log,
    Ping,
    Pong,
    Reject,
    RejectAck,
    RejectDone,
)
from firmware_bridge.packet import HEADER
from firmware_bridge.reject import Fate, RejectReport
from firmware_bridge.session import SETTLING_S, SILENCE_S, Session

OPEN = [State.GREETING, State.CONFIGURING, State.SYNCING, State.UP]


def packet_of_version(version: int) -> bytes:
    body = HEADER.pack(version, 1, 0, 0, 0, 0)
    return bytes(cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))) + b"\0"


def of(rig: Scripted, kind: type) -> list:
    return [heard for heard in rig.heard if isinstance(heard, kind)]


def ended_with(rig: Scripted, kind: type[BridgeError], seconds: float = 0.0) -> BridgeError:
    """Step until the session ends; give why."""
    with pytest.raises(kind) as caught:
        rig.step(seconds)
    return caught.value


def test_a_session_comes_up_by_greeting_configuring_and_ten_pings() -> None:
    rig = Scripted()

    rig.step()
    assert rig.hear() == [Hello(1, 0, 1)]
    rig.say(HELLO, rig.status(edges=41))
    assert rig.hear() == [CONFIG]
    rig.say(ConfigAck(ConfigResult.OK, 1000, 16_000, 64))
    rig.reach(State.UP, edges=41)

    assert of(rig, Up) == [Up(HELLO, ConfigAck(ConfigResult.OK, 1000, 16_000, 64), 41)]
    assert rig.session.clock.ready
    assert rig.now < 101.0


def test_a_greeting_is_repeated_four_times_a_second_with_the_same_number() -> None:
    rig = Scripted()
    for _ in range(8):
        rig.step(HELLO_S)

    assert rig.hear() == [Hello(1, 0, 1)] * 8


def test_another_version_is_refused_with_both_versions() -> None:
    rig = Scripted()
    rig.feed(packet_of_version(9))

    error = ended_with(rig, PortRefused)

    assert "version 9" in error.message and "version 1" in error.message
    assert "firmware" in error.hint


def test_another_protocol_is_refused() -> None:
    rig = Scripted()
    rig.say(replace(HELLO, proto=2))

    assert "protocol 2" in ended_with(rig, PortRefused).message


def test_another_host_is_refused_and_so_is_a_plug_that_echoes() -> None:
    rig = Scripted()
    rig.step()
    rig.feed(rig.session.take_output())

    assert "another host" in ended_with(rig, PortRefused).message


@pytest.mark.parametrize("result", [*list(ConfigResult)[1:], 99])
def test_each_refusal_of_the_configuration_says_what_cannot_be_done_and_what_is_offered(result: int) -> None:
    rig = Scripted()
    rig.reach(State.CONFIGURING)
    rig.say(ConfigAck(result, 0, 0, 0))

    error = ended_with(rig, PortRefused)

    word = ConfigResult(result).name.removeprefix("BAD_").lower() if result < 99 else "configuration"
    assert f"the {word} that" in error.message
    assert "up to 26667 Hz and 16000 mg, 2 inputs, 2 outputs" in error.message


def test_nobody_there_is_said_after_three_seconds() -> None:
    rig = Scripted()
    rig.step(GREETINGS_S[0] - 0.001)

    assert "nobody answers" in ended_with(rig, McuFault, 0.001).message


@pytest.mark.parametrize(
    "garbage", [b"\x00\x81\x12" * 50, b"\xf8\x1e\x7c" * 50, b"\xff" * 5000], ids=["", "no zero", "long"]
)
def test_bytes_that_are_never_a_packet_are_another_speed_or_another_device(garbage: bytes) -> None:
    rig = Scripted()
    rig.feed(garbage)

    error = ended_with(rig, McuFault, GREETINGS_S[0])

    assert "not this protocol" in error.message
    assert "source.wire.baud" in error.hint


def test_damage_in_an_earlier_session_does_not_make_the_port_a_wrong_one_now() -> None:
    rig = Scripted()
    rig.feed(b"\x05garbage\x00" * 3)
    rig.session.close(rig.now)
    rig.session.open(rig.now)

    assert "nobody answers" in ended_with(rig, McuFault, GREETINGS_S[0]).message


@pytest.mark.parametrize("state", [State.CONFIGURING, State.SYNCING])
def test_a_microcontroller_that_stops_half_way_is_given_up_after_three_seconds(state: State) -> None:
    rig = Scripted()
    rig.reach(state)
    rig.hear()
    rig.step(SETTLING_S - 0.001)

    assert "not enough to go on" in ended_with(rig, McuFault, 0.001).message


def test_silence_ends_a_session_after_two_and_a_half_seconds() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.step(SILENCE_S - 0.001)

    assert "said nothing" in ended_with(rig, McuFault, 0.001).message


def test_what_is_not_acknowledged_ends_a_session() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.session.lease.hold(rig.now)
    rig.step()
    for _ in range(3):
        rig.step(0.020)

    assert "does not acknowledge" in ended_with(rig, McuFault, 0.020).message


def test_a_flood_ends_a_session_and_the_answer_in_front_of_it_is_heard() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.say(*(Log(0, "x" * 200) for _ in range(500)), Log(2, "overheated"))

    assert rig.heard[-1] == Log(2, "overheated")
    assert "4 times what the samples need" in ended_with(rig, McuFault).message


def test_a_hello_that_was_there_before_the_greeting_is_no_answer() -> None:
    rig = Scripted()
    rig.say(HELLO, rig.status())

    assert rig.session.state is State.GREETING


def test_a_hello_of_a_start_is_no_answer_without_the_status_behind_it() -> None:
    rig = Scripted()
    rig.step()
    rig.say(HELLO)
    assert rig.session.state is State.GREETING

    rig.say(HELLO, rig.status())
    assert rig.session.state is State.CONFIGURING


@pytest.mark.parametrize("state", [State.CONFIGURING, State.SYNCING, State.UP])
def test_a_restart_in_any_state_leads_up_again_with_another_number(state: State) -> None:
    rig = Scripted()
    rig.reach(state, edges=30)
    rig.hello = replace(HELLO, boot_id=8)
    rig.link.reset()

    rig.say(rig.hello)
    assert rig.session.state is State.GREETING
    rig.reach(State.UP, edges=2)

    assert len(of(rig, Rebooted)) == 1
    assert of(rig, Up)[-1].edges == 2
    assert of(rig, Up)[-1].series == f"{8:016x}"


def test_a_hello_of_the_same_start_changes_nothing() -> None:
    rig = Scripted()
    rig.reach(State.UP)

    rig.say(HELLO)

    assert rig.session.state is State.UP
    assert of(rig, Rebooted) == []


def asked(rig: Scripted, number: int = 1, after_s: float = 0.5) -> RejectReport | None:
    return rig.session.reject(number, after_s, 5000, 0, rig.now)


def test_after_a_restart_what_was_asked_for_does_not_come_and_says_so_once() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.edge(1)
    assert asked(rig) is None

    rig.say(replace(HELLO, boot_id=8))

    assert [report.fate for report in of(rig, RejectReport)] == [Fate.REBOOTED]
    assert rig.session.close(rig.now) == []


def closing_answers(kind: type[Session] = Session) -> list[RejectReport]:
    """What is heard of a pulse whose answer comes in one piece with what ends the session."""
    rig = Scripted()
    rig.reach(State.UP)
    rig.edge(1)
    assert asked(rig) is None
    rig.session.__class__ = kind
    try:
        rig.say(RejectDone(1, 555), replace(HELLO, proto=2))
        rig.step()
    except PortRefused:
        pass
    return of(rig, RejectReport) + rig.session.close(rig.now)


def test_an_answer_that_comes_with_what_ends_the_session_is_heard() -> None:
    assert [(report.fate, report.actual_ticks) for report in closing_answers()] == [(Fate.DONE, 555)]


def test_a_session_that_ends_at_once_would_be_found_out() -> None:
    class Hasty(Session):
        def receive(self, data, now):
            heard = super().receive(data, now)
            if self._error is not None:
                raise self._error
            return heard

    assert closing_answers(Hasty) == []


def test_a_second_session_goes_on_counting_so_that_what_was_missed_between_is_known() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.edge(1)
    rig.edge(2)
    rig.session.close(rig.now)
    rig.session.open(rig.now)
    rig.reach(State.UP, edges=5)
    rig.edge(6)

    assert [up.edges for up in of(rig, Up)] == [0, 5]
    assert [arrival.edge.edge_seq for arrival in of(rig, Arrival)] == [1, 2, 6]
    account = rig.session.edges
    assert account.received + account.lost == account.last - of(rig, Up)[-1].edges == 1


def test_an_edge_before_the_session_is_up_belongs_to_what_was_missed() -> None:
    rig = Scripted()
    rig.reach(State.SYNCING, edges=4)
    rig.edge(5)
    rig.reach(State.UP, edges=4)

    assert of(rig, Up)[0].edges == 5
    assert of(rig, Arrival) == []
    assert rig.session.edges.received == 0


def test_an_edge_that_only_the_status_tells_of_is_lost_after_its_copy_had_time() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.say(rig.status(edges=2))
    rig.step(0.049)
    rig.edge(1)
    assert rig.session.edges.lost == 0

    rig.step(0.001)

    assert rig.session.edges.lost == 1


def rejects(rig: Scripted) -> list[Reject]:
    return [message for message in rig.hear() if isinstance(message, Reject)]


def armed(rig: Scripted) -> list[Reject]:
    """Let the session arm the outputs; give the rejects that it says behind ARM."""
    rig.session.lease.hold(rig.now)
    rig.step()
    said = [message for message in rig.hear() if isinstance(message, Arm | Reject)]
    assert isinstance(said[0], Arm)
    rig.say(rig.status(flags=StatusFlag.CONFIGURED | StatusFlag.ARMED))
    return said[1:]


def asked_through_a_break(kind: type[Session]) -> tuple[Scripted, int]:
    """Ask for one pulse before the wire breaks and one while it is down; be up again, not armed."""
    rig = Scripted()
    rig.reach(State.UP)
    rig.edge(1)
    rig.edge(2)
    fire_ticks = rig.ticks() + 900_000
    assert asked(rig, 1, 0.9) is None
    assert len(rejects(rig)) == 1
    rig.session.__class__ = kind
    assert rig.session.close(rig.now) == []
    assert asked(rig, 2, 0.9) is None
    rig.session.open(rig.now)
    rig.reach(State.UP, edges=2)
    return rig, fire_ticks


def assert_asked_anew(kind: type[Session]) -> None:
    rig, fire_ticks = asked_through_a_break(kind)

    anew = armed(rig)

    assert [(reject.cmd_id, reject.part_seq) for reject in anew] == [(2, 1), (3, 2)]
    assert max(abs(reject.fire_ticks - fire_ticks) for reject in anew) <= 1
    assert of(rig, RejectReport) == []
    assert rig.session.rejects.asked_anew == 2


def test_what_is_still_to_come_after_a_break_of_the_wire_is_asked_for_anew_behind_arm() -> None:
    assert_asked_anew(Session)


def test_a_session_that_gives_up_its_pulses_when_the_wire_breaks_is_noticed() -> None:
    class Resigned(Session):
        def close(self, now):
            return super().close(now) + list(self.rejects.abandoned())

    with pytest.raises(AssertionError):
        assert_asked_anew(Resigned)


def test_what_is_past_before_the_outputs_are_armed_anew_is_down_and_not_asked_for() -> None:
    rig, _ = asked_through_a_break(Session)
    rig.step(0.9)

    assert [(report.part_seq, report.fate) for report in of(rig, RejectReport)] == [(1, Fate.DOWN), (2, Fate.DOWN)]
    rig.session.lease.hold(rig.now + 0.2)
    rig.step(0.2)
    assert rejects(rig) == []


def test_what_the_lease_did_not_last_for_is_asked_for_anew_when_the_loop_turns_again() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    armed(rig)
    rig.edge(1)
    assert asked(rig) is None
    (reject,) = rejects(rig)
    rig.say(RejectAck(reject.cmd_id, RejectResult.ACCEPTED))
    rig.say(RejectAck(reject.cmd_id, RejectResult.SAFE), rig.status(flags=StatusFlag.CONFIGURED | StatusFlag.LAPSED))
    assert of(rig, RejectReport) == []

    (anew,) = armed(rig)

    assert replace(anew, cmd_id=reject.cmd_id) == reject
    assert anew.cmd_id != reject.cmd_id
    rig.say(RejectDone(anew.cmd_id, anew.fire_ticks))
    assert [report.fate for report in of(rig, RejectReport)] == [Fate.DONE]


def test_a_part_of_before_a_restart_cannot_be_asked_for() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.edge(1)
    rig.hello = replace(HELLO, boot_id=8)
    rig.say(rig.hello)
    assert asked(rig) is None  # it might have been a word that came late
    rig.reach(State.UP)

    assert [report.fate for report in of(rig, RejectReport)] == [Fate.REBOOTED]
    assert asked(rig).fate is Fate.FORGOTTEN


def test_a_restart_that_only_the_next_session_finds_out_says_so_too() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.edge(1)
    assert asked(rig) is None
    assert rig.session.close(rig.now) == []
    rig.session.open(rig.now)
    rig.hello = replace(HELLO, boot_id=8)
    rig.reach(State.UP)

    assert [report.fate for report in of(rig, RejectReport)] == [Fate.REBOOTED]


def test_a_pulse_for_an_edge_that_never_came_or_without_a_wire_says_why() -> None:
    rig = Scripted()
    assert asked(rig, number=0) == RejectReport(0, 0, Fate.DOWN, 0)
    rig.reach(State.UP)

    assert asked(rig, number=9) == RejectReport(9, 0, Fate.FORGOTTEN, 0)


def waits_s(kind: type[Greeter]) -> list[float]:
    """How long each greeting goes on that nobody answers."""
    rig = Scripted()
    rig.session._greeter.__class__ = kind
    waited = []
    for _ in range(5):
        begun_s = rig.now
        with pytest.raises(McuFault, match="nobody answers"):  # noqa: PT012
            while True:
                rig.step(0.25)
                rig.hear()
        waited.append(rig.now - begun_s)
        rig.session.close(rig.now)
        rig.session.open(rig.now)
    return waited


def test_each_greeting_that_nobody_answers_is_longer_than_the_one_before() -> None:
    assert waits_s(Greeter) == [3.0, 6.0, 15.0, 60.0, 60.0]


def test_a_session_that_would_reset_a_slow_board_for_ever_is_noticed() -> None:
    class Impatient(Greeter):
        _patience_s = 3.0

    with pytest.raises(AssertionError):
        assert waits_s(Impatient)[-1] > 30.0


def test_two_restarts_at_once_cost_no_count() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    expected = 0
    for boot_id in (8, 9, 10):
        rig.edge(1)
        rig.say(Block(0, 0, rig.ticks(), 0, 0, 2500, np.zeros((4, 3), np.int16)))
        expected += 1
        rig.hello = replace(HELLO, boot_id=boot_id)
        rig.link.reset()
        rig.say(rig.hello)
        rig.reach(State.UP)

    totals = rig.session.totals
    assert (totals.samples, totals.edges) == (4 * expected, expected)
    assert (rig.session.samples.received, rig.session.edges.received) == (0, 0)


def test_the_lease_follows_what_the_status_says() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.session.lease.hold(rig.now)
    rig.step()
    assert rig.hear() == [Arm()]

    rig.say(rig.status(flags=StatusFlag.CONFIGURED | StatusFlag.ARMED))
    rig.say(rig.status(flags=StatusFlag.CONFIGURED | StatusFlag.LAPSED))

    assert [type(heard) for heard in rig.heard if isinstance(heard, Armed | Lapsed)] == [Armed, Lapsed]


def test_a_pong_that_nobody_asked_for_or_that_comes_twice_does_not_touch_the_clock() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.step(1.0)
    ping = next(message for message in rig.hear() if isinstance(message, Ping))
    pong = Pong(ping.host_ns, rig.ticks(), rig.ticks())
    rig.say(pong)
    before = rig.session.clock.host_s(10**9)

    rig.say(pong, Pong(2**63, 5, 5), Pong(2**62, 5, 5), replace(pong, rx_ticks=1))

    assert rig.session.clock.host_s(10**9) == before
    assert rig.session.clock.ready
    assert rig.session.clock.steps == rig.session.clock.impossible == 0


def test_a_ping_of_no_use_is_followed_by_another_soon_and_never_in_step() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    sent_s = []
    for _ in range(4000):
        rig.step(0.001)
        for message in rig.hear():
            if isinstance(message, Ping):
                sent_s.append(rig.now)
                rig.now += 0.010
                rig.say(Pong(message.host_ns, rig.ticks(), rig.ticks()))
        rig.session.lease.hold(-1.0)

    pauses = np.diff(sent_s[1:]).round(3)
    assert len(pauses) > 15
    assert pauses.min() >= 0.1 and pauses.max() <= 0.25
    assert len(set(pauses)) > 8


def test_blocks_are_given_with_their_time_and_what_is_missing_before_them() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    for seq in (0, 2):
        rig.say(Block(seq, seq * 4, rig.ticks(), 0, 0, 2500, np.zeros((4, 3), np.int16)))

    first, second = of(rig, Samples)
    assert (first.missing, second.missing) == (0, 4)
    assert abs(second.start_s - rig.now) <= second.uncertainty_s


def test_what_only_a_host_says_is_ignored() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    before = list(rig.heard)

    rig.say(CONFIG, Arm(), Ping(1), ConfigAck(1, 1, 1, 1), RejectAck(9, RejectResult.LATE))

    assert rig.heard == before
    assert rig.session.state is State.UP


def assert_sleeps(kind: type[Session], state: State) -> None:
    """Right after a step nothing is due, or the thread would turn without a pause."""
    rig = Scripted()
    rig.reach(state)
    rig.session.__class__ = kind
    rig.step()
    rig.hear()

    assert rig.session.next_wake_s() > rig.now


@pytest.mark.parametrize("state", OPEN)
def test_there_is_always_a_pause_until_something_is_due(state: State) -> None:
    assert_sleeps(Session, state)


def test_a_session_that_waits_for_a_ping_it_will_not_send_would_be_found_out() -> None:
    class Restless(Session):
        def next_wake_s(self) -> float:
            return min(super().next_wake_s(), self._pinger.next_wake_s())

    with pytest.raises(AssertionError):
        assert_sleeps(Restless, State.CONFIGURING)


def test_asking_when_something_is_due_says_nothing() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.session.lease.hold(rig.now)
    rig.session.take_output()

    rig.session.next_wake_s()

    assert rig.session.take_output() == b""


def test_a_session_that_is_closed_says_and_wants_nothing() -> None:
    rig = Scripted()
    rig.session.close(rig.now)

    assert rig.session.close(rig.now) == []
    assert rig.session.step(rig.now) == []
    assert rig.session.next_wake_s() == float("inf")


def test_an_edge_is_heard_once_with_its_time() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    edge = Edge(1, rig.ticks(), 0, 1, 3)

    rig.say(edge, edge)

    (arrival,) = of(rig, Arrival)
    assert arrival.edge == edge
    assert abs(arrival.time_s - rig.now) <= arrival.uncertainty_s


def test_the_configuration_is_what_is_wanted() -> None:
    rig = Scripted()
    rig.reach(State.CONFIGURING)

    assert [message for message in rig.hear() if isinstance(message, Config)] == [CONFIG]


def test_damage_that_the_microcontroller_counts_is_taken_from_when_it_was_first_heard_and_over_its_restarts() -> None:
    rig = Scripted()
    rig.step()
    rig.hear()
    rig.say(HELLO, replace(rig.status(), corrupt=40))
    assert rig.session.state is State.CONFIGURING
    counted = []
    for corrupt in (40, 43, 43, 5):
        rig.say(replace(rig.status(), corrupt=corrupt))
        counted.append(rig.session.damaged_there.total)
    rig.hello = replace(HELLO, boot_id=HELLO.boot_id + 1)
    rig.say(rig.hello)
    rig.reach(State.UP)
    rig.say(replace(rig.status(), corrupt=2))

    assert counted == [0, 3, 3, 3]
    assert rig.session.damaged_there.total == 5


def test_another_version_that_was_heard_long_ago_does_not_refuse_a_microcontroller_that_starts_anew() -> None:
    rig = Scripted()
    rig.reach(State.UP)
    rig.feed(packet_of_version(9))
    rig.hello = replace(HELLO, boot_id=HELLO.boot_id + 1)
    rig.say(rig.hello)
    rig.reach(State.UP)

    assert len(of(rig, Up)) == 2
