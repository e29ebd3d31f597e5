"""Every pulse gets exactly one report: lost answers are asked for again, and what nobody answers is unknown."""

from dataclasses import replace

import pytest

from firmware_bridge.codes import RejectResult
from firmware_bridge.messages import Cancel, Reject, RejectAck, RejectDone
from firmware_bridge.reject import ANSWER_S, ASKED, STRANDED, Fate, RejectBook, RejectReport

T = 1000.0
DUE_S = T + 2.0


class Rig:
    """A book, what it said, and whether that can be taken."""

    def __init__(self, kind: type[RejectBook] = RejectBook) -> None:
        self.said: list[Reject | Cancel] = []
        self.takes = True
        self.book = kind(self._send)

    def ask(self, part_seq: int = 7) -> RejectReport | None:
        return self.book.ask(part_seq, 123_456, 5000, 0, T, DUE_S)

    def answered(self, cmd_id: int, result: int, now: float = T) -> list[RejectReport]:
        return list(self.book.answered(RejectAck(cmd_id, result), now))

    def _send(self, message: Reject | Cancel, now: float) -> bool:
        if self.takes:
            self.said.append(message)
        return self.takes


def asked(kind: type[RejectBook] = RejectBook) -> Rig:
    rig = Rig(kind)
    assert rig.ask() is None
    return rig


def test_a_pulse_that_is_accepted_and_begins_is_done_at_the_tick_that_was_told() -> None:
    rig = asked()

    assert rig.answered(1, RejectResult.ACCEPTED) == []
    assert list(rig.book.done(RejectDone(1, 123_460))) == [RejectReport(7, 0, Fate.DONE, 123_456, 123_460)]
    assert rig.book.waiting == 0


@pytest.mark.parametrize(
    ("result", "fate"),
    [
        (RejectResult.LATE, Fate.LATE),
        (RejectResult.FULL, Fate.FULL),
        (RejectResult.CANCELLED, Fate.CANCELLED),
        (RejectResult.BAD_OUTPUT, Fate.BAD_OUTPUT),
        (200, Fate.UNKNOWN),
    ],
)
def test_a_refusal_is_the_fate(result: int, fate: Fate) -> None:
    rig = asked()

    assert rig.answered(1, result) == [RejectReport(7, 0, fate, 123_456)]
    assert rig.book.step(T + 60) == []


def test_one_that_cannot_even_be_said_is_reported_at_once_and_never_again() -> None:
    rig = Rig()
    rig.takes = False

    assert rig.ask() == RejectReport(7, 0, Fate.FULL, 123_456)
    assert rig.book.waiting == 0
    assert rig.book.step(T + 60) == []


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_number() -> None:
    rig = asked()

    assert rig.book.next_wake_s() == T + ANSWER_S
    assert rig.book.step(T + ANSWER_S - 0.001) == []
    assert rig.book.step(T + ANSWER_S) == []

    assert rig.said[0] == rig.said[1]
    assert rig.book.asked_again == 1
    assert rig.answered(1, RejectResult.DUP, T + ANSWER_S) == []
    assert [report.fate for report in rig.book.done(RejectDone(1, 123_456))] == [Fate.DONE]


def test_a_done_that_is_lost_is_asked_for_after_the_pulse_was_due() -> None:
    rig = asked()
    rig.answered(1, RejectResult.ACCEPTED)

    assert rig.book.next_wake_s() == DUE_S + ANSWER_S
    assert rig.book.step(DUE_S + ANSWER_S) == []
    assert rig.answered(1, RejectResult.DUP, DUE_S + 0.11) == []
    assert [report.fate for report in rig.book.done(RejectDone(1, 123_456))] == [Fate.DONE]


def test_a_done_that_overtakes_its_acceptance_counts_and_the_acceptance_then_says_nothing() -> None:
    rig = asked()

    assert len(list(rig.book.done(RejectDone(1, 123_456)))) == 1
    assert rig.answered(1, RejectResult.ACCEPTED) == []


def unknown_after(kind: type[RejectBook]) -> tuple[int, list[RejectReport]]:
    rig, reports = asked(kind), []
    for tenth in range(1, 100):
        reports += rig.book.step(T + tenth * ANSWER_S)
    return len(rig.said), reports


def test_what_nobody_answers_three_times_is_unknown_once() -> None:
    said, reports = unknown_after(RejectBook)

    assert (said, ASKED) == (3, 3)
    assert [report.fate for report in reports] == [Fate.UNKNOWN]


def test_a_book_that_asks_for_ever_would_be_found_out() -> None:
    class Patient(RejectBook):
        def step(self, now: float) -> list[RejectReport]:
            for one in self._open.values():
                one.asked = 1
            return super().step(now)

    said, reports = unknown_after(Patient)

    assert (said, reports) != (3, [RejectReport(7, 0, Fate.UNKNOWN, 123_456)])


def test_one_that_cannot_be_asked_again_is_unknown() -> None:
    rig = asked()
    rig.takes = False

    assert [report.fate for report in rig.book.step(T + ANSWER_S)] == [Fate.UNKNOWN]


def test_what_the_microcontroller_has_forgotten_has_its_fate_once() -> None:
    rig = asked()
    rig.ask(8)

    fates = [(report.part_seq, report.fate) for report in rig.book.rebooted()]

    assert fates == [(7, Fate.REBOOTED), (8, Fate.REBOOTED)]
    assert list(rig.book.rebooted()) == []
    assert rig.answered(1, RejectResult.LATE) == []
    assert list(rig.book.done(RejectDone(2, 1))) == []


def unarmed(kind: type[RejectBook] = RejectBook) -> Rig:
    """A pulse that was answered SAFE before it was due."""
    rig = asked(kind)
    assert rig.answered(1, RejectResult.SAFE) == []
    assert rig.book.waiting == 1
    assert rig.book.awaited == 0
    return rig


def assert_asked_anew_once(kind: type[RejectBook]) -> None:
    rig = unarmed(kind)

    assert rig.book.armed(T + 1.0) == []

    assert rig.said[1] == replace(rig.said[0], cmd_id=2)
    assert rig.book.armed(T + 1.5) == []
    assert [command.cmd_id for command in rig.said] == [1, 2, 2]


def test_what_was_safe_before_it_was_due_is_asked_for_under_another_number_when_the_outputs_are_armed() -> None:
    assert_asked_anew_once(RejectBook)


def test_a_book_that_asks_anew_under_the_old_number_is_noticed() -> None:
    class Thrifty(RejectBook):
        def _anew(self, one, now):
            self._last_id -= 1
            return super()._anew(one, now)

    with pytest.raises(AssertionError):
        assert_asked_anew_once(Thrifty)


def test_what_is_not_armed_before_its_tick_was_safe_at_it() -> None:
    rig = unarmed()

    assert rig.book.next_wake_s() == DUE_S
    assert rig.book.step(DUE_S - 0.001) == []
    assert rig.book.step(DUE_S) == [RejectReport(7, 0, Fate.SAFE, 123_456)]
    assert rig.book.waiting == 0


def test_what_is_asked_for_anew_and_late_was_safe_at_its_tick() -> None:
    rig = unarmed()
    rig.book.armed(T + 1.0)

    assert rig.answered(2, RejectResult.LATE) == [RejectReport(7, 0, Fate.SAFE, 123_456)]


def test_an_answer_that_crossed_the_arm_is_asked_for_anew_at_once() -> None:
    rig = asked()
    rig.book.armed(T + 0.001)
    assert rig.said == [rig.said[0]] * 2

    assert rig.answered(1, RejectResult.SAFE) == []
    assert [command.cmd_id for command in rig.said] == [1, 1, 2]
    assert rig.answered(1, RejectResult.SAFE) == []
    assert rig.answered(2, RejectResult.SAFE) == []  # not armed after all: it waits
    assert len(rig.said) == 3


def assert_a_lost_safe_is_found(kind: type[RejectBook]) -> None:
    rig = asked(kind)
    rig.answered(1, RejectResult.ACCEPTED)
    rig.book.armed(T + 0.6)
    rig.book.step(T + 0.65)

    assert rig.said == [rig.said[0]] * 2
    assert rig.answered(1, RejectResult.SAFE, T + 0.7) == []
    assert rig.said[2] == replace(rig.said[0], cmd_id=2)


def test_a_pulse_whose_safe_answer_was_lost_is_found_behind_the_next_arm() -> None:
    assert_a_lost_safe_is_found(RejectBook)


def test_a_book_that_asks_anew_only_for_what_it_knows_is_stranded_is_noticed() -> None:
    class Trusting(RejectBook):
        def armed(self, now):
            opened, self._open = self._open, {}
            reports = super().armed(now)
            self._open = opened | self._open
            return reports

    with pytest.raises(AssertionError):
        assert_a_lost_safe_is_found(Trusting)


def test_what_cannot_be_said_again_behind_an_arm_is_asked_for_a_little_later() -> None:
    rig = asked()
    rig.answered(1, RejectResult.ACCEPTED)
    rig.takes = False
    rig.book.armed(T + 0.6)
    rig.takes = True

    assert rig.book.next_wake_s() == T + 0.6 + ANSWER_S
    assert rig.book.step(T + 0.6 + ANSWER_S) == []
    assert rig.said == [rig.said[0]] * 2


def test_a_wire_that_breaks_strands_what_is_to_come_and_ends_what_was_due() -> None:
    rig = asked()
    rig.book.ask(8, 1, 5000, 0, T, T + 0.5)

    assert rig.book.broken(T + 1.0) == [RejectReport(8, 0, Fate.DOWN, 1)]
    assert rig.book.step(DUE_S) == [RejectReport(7, 0, Fate.DOWN, 123_456)]


def test_one_more_than_may_be_stranded_is_refused_and_one_that_is_past_has_its_fate() -> None:
    rig = Rig()
    for part in range(STRANDED):
        assert rig.book.strand(part, 1, 5000, 0, T, DUE_S) is None

    assert rig.book.strand(99, 1, 5000, 0, T, DUE_S) == RejectReport(99, 0, Fate.FULL, 1)
    assert rig.book.strand(99, 1, 5000, 0, DUE_S, DUE_S) == RejectReport(99, 0, Fate.DOWN, 1)


def test_what_is_abandoned_keeps_the_fate_that_is_known() -> None:
    rig = unarmed()
    rig.ask(8)

    assert [(r.part_seq, r.fate) for r in rig.book.abandoned()] == [(8, Fate.DOWN), (7, Fate.SAFE)]
    assert rig.book.waiting == 0


def test_that_nothing_waits_under_a_number_is_no_fate_and_what_was_taken_back_has_one() -> None:
    rig = asked()

    assert rig.answered(1, RejectResult.UNKNOWN) == []
    assert [report.fate for report in rig.answered(1, RejectResult.CANCELLED)] == [Fate.CANCELLED]


def test_an_answer_to_a_number_that_was_never_said_is_nobodys() -> None:
    rig = asked()

    assert rig.answered(99, RejectResult.LATE) == []
    assert list(rig.book.done(RejectDone(99, 1))) == []
    assert rig.book.waiting == 1


def test_numbers_of_commands_start_at_1_and_leave_0_out_when_they_wrap() -> None:
    rig = Rig()
    rig.book._last_id = 2**32 - 2
    rig.ask()
    rig.ask()

    assert [command.cmd_id for command in rig.said] == [2**32 - 1, 1]
