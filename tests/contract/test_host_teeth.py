"""The suite of host ends has teeth: a host that breaks one guard fails the test of that guard."""

from __future__ import annotations

from pathlib import Path

import pytest
import test_host as suite
from c_mutants import Mutant, mutated
from host_drivers import LIBRARY, CHost
from host_rig import Rig

MUTANTS = {
    "it takes a HELLO that was said before for an answer": Mutant(
        "host_session.c",
        "host->answered_hello = host->hello_sent;",
        "host->answered_hello = true;",
        suite.test_what_was_said_before_the_greeting_is_no_answer,
    ),
    "it goes on after STATUS alone": Mutant(
        "host_session.c",
        "host->state == EH_GREETING && host->answered_hello",
        "host->state == EH_GREETING",
        suite.test_what_was_said_before_the_greeting_is_no_answer,
    ),
    "it is up after one ping": Mutant(
        "host_clock.c",
        "FIRST_PINGS 10u",
        "FIRST_PINGS 1u",
        suite.test_a_session_is_up_after_ten_pings_that_were_answered,
    ),
    "a pong counts however often it comes": Mutant(
        "host_clock.c",
        "    if (!close_ping(host, eb_get_u64(payload)))\n        return false;",
        "",
        suite.test_an_answer_that_comes_twice_or_that_nobody_asked_for_counts_once_or_not,
    ),
    "it takes any protocol": Mutant(
        "host_session.c", "payload[0] != EB_PROTOCOL", "false", suite.test_another_protocol_is_refused
    ),
    "it takes a host for a board": Mutant(
        "host_session.c", "board.tick_hz == 0", "false", suite.test_another_host_is_refused
    ),
    "it goes on when the configuration was refused": Mutant(
        "host_session.c",
        "payload[0] != EB_CONFIG_OK",
        "false",
        suite.test_a_configuration_that_is_refused_ends_the_session,
        (1,),
    ),
    "it resets a slow board for ever": Mutant(
        "host_session.c",
        "{3000000u, 6000000u, 15000000u, 60000000u}",
        "{3000000u, 3000000u, 3000000u, 3000000u}",
        suite.test_each_greeting_that_nobody_answers_goes_on_for_longer,
    ),
    "it never gives up one that is silent": Mutant(
        "host_session.c",
        "SILENCE_US 2500000u",
        "SILENCE_US 25000000u",
        suite.test_a_board_that_says_nothing_is_given_up_after_two_and_a_half_seconds,
    ),
    "a message may have any length": Mutant(
        "host_session.c",
        "packet->length == length || (may_be_longer && packet->length > length)",
        "true",
        suite.test_a_message_of_the_wrong_length_means_nothing,
        (1,),
    ),
    "a ninth packet is unacknowledged": Mutant(
        "host.h", "EH_WINDOW 8u ", "EH_WINDOW 9u ", suite.test_at_most_eight_packets_are_unacknowledged
    ),
    "it repeats only the first": Mutant(
        "host_link.c",
        "    for (uint8_t i = 0; i < host->flying; i++)\n        send_packet(host, i, now);\n    host->counts",
        "    send_packet(host, 0, now);\n    host->counts",
        suite.test_what_is_not_acknowledged_is_sent_again_after_20_ms_with_all_behind_it,
    ),
    "it repeats for ever": Mutant(
        "host_link.c",
        "host->repeats == EH_REPEATS",
        "false",
        suite.test_after_three_repetitions_the_link_is_down,
    ),
    "it counts repetitions of what was acknowledged": Mutant(
        "host_link.c",
        "        host->repeats = 0;\n",
        "",
        suite.test_an_acknowledgement_begins_the_repetitions_anew,
    ),
    "an acknowledgement of anything empties the window": Mutant(
        "host_link.c",
        "taken > 0 && taken <= host->flying",
        "taken > 0 && ((taken = host->flying) || true)",
        suite.test_an_acknowledgement_of_what_is_not_in_the_window_says_nothing,
        (12,),
    ),
    "a gap is closed as often as it is told": Mutant(
        "host_link.c", "        host->gap_closed = true;\n", "", suite.test_a_gap_is_closed_at_once_and_only_once
    ),
    "numbers do not wrap": Mutant(
        "host_link.c",
        "    uint16_t taken = (uint16_t)(expected - host->reliable_seq);",
        "    uint32_t taken = (uint32_t)expected - host->reliable_seq;",
        suite.test_numbers_wrap,
    ),
    "it counts no gap": Mutant(
        "host_account.c",
        "    host->counts.samples_lost += block->missing - dropped;\n",
        "",
        suite.test_blocks_are_told_with_what_is_missing_before_them_and_everything_adds_up,
    ),
    "a block counts twice": Mutant(
        "host_account.c", "ahead >= HALF", "false", suite.test_a_block_that_comes_twice_or_out_of_order_is_stale
    ),
    "it believes any numbers of a block": Mutant(
        "host_account.c",
        "(ahead == 0 && block->missing != dropped)",
        "false",
        suite.test_a_block_whose_numbers_cannot_be_true_is_not_taken,
        (1, 5, 0),
    ),
    "an edge is told as often as it is said": Mutant(
        "host_account.c",
        "edge->seq <= host->last_edge",
        "false",
        suite.test_an_edge_is_told_once_however_often_it_is_said,
    ),
    "it counts no edge that never came": Mutant(
        "host_account.c",
        "    host->counts.edges_lost += edge->seq - host->last_edge - 1u;\n",
        "",
        suite.test_a_gap_in_the_edges_is_counted,
    ),
    "it gives an edge no time for its copy": Mutant(
        "host_account.c",
        "REPEAT_US 50000u",
        "REPEAT_US 0u",
        suite.test_an_edge_that_only_the_status_tells_of_is_lost_after_its_copy_had_time,
    ),
    "it tells of edges before it is up": Mutant(
        "host_account.c",
        "host->state != EH_IS_UP",
        "false",
        suite.test_what_comes_before_a_session_is_up_belongs_to_what_was_missed,
    ),
    "it asks again under a new number": Mutant(
        "host_rejects.c",
        "    if (slot->asked == ASKED || !say(host, slot)) {",
        "    slot->cmd_id = ++host->last_id;\n    if (slot->asked == ASKED || !say(host, slot)) {",
        suite.test_an_answer_that_does_not_come_is_asked_for_three_times_under_the_same_number,
    ),
    "all its pulses have one number": Mutant(
        "host_rejects.c",
        "host->last_id == UINT32_MAX ? 1u : host->last_id + 1u",
        "1u",
        suite.test_a_pulse_that_begins_is_done_and_each_has_a_number_of_its_own,
    ),
    "a pulse that is accepted is thought to be done": Mutant(
        "host_rejects.c",
        "        slot->answer_by_us = (now > slot->due_us ? now : slot->due_us) + ANSWER_US;\n",
        "        close_slot(host, slot, EH_DONE, slot->fire_ticks);\n",
        suite.test_a_pulse_that_was_accepted_is_asked_after_when_it_should_have_begun,
    ),
    "what was safe is asked for anew under its old number": Mutant(
        "host_rejects.c",
        "    host->counts.asked_anew++;\n",
        "    host->counts.asked_anew++;\n    host->last_id = slot->cmd_id - 1u;\n",
        suite.test_a_pulse_that_is_safe_before_its_tick_is_asked_for_anew_right_behind_arm,
    ),
    "what was safe is over": Mutant(
        "host_rejects.c",
        "    fate = strand(host, slot, EH_SAFE, now);\n",
        "    fate = EH_SAFE;\n",
        suite.test_a_pulse_that_is_safe_before_its_tick_is_asked_for_anew_right_behind_arm,
    ),
    "what is open is not said again behind arm": Mutant(
        "host_rejects.c",
        "slot->state == EH_SLOT_OPEN && slot->arming != host->armings",
        "false",
        suite.test_a_pulse_whose_safe_answer_was_lost_is_asked_for_anew_behind_arm,
    ),
    "what is said again behind arm counts as a question without an answer": Mutant(
        "host_rejects.c",
        "            say_first(host, slot, now);\n",
        "            say(host, slot);\n",
        suite.test_what_is_said_again_behind_arm_is_asked_for_three_times_like_a_new_one,
    ),
    "one more than may be stranded is thought to be past": Mutant(
        "host_rejects.c",
        "        return EH_FULL;\n    slot->before",
        "        return fate;\n    slot->before",
        suite.test_sixteen_are_stranded_and_one_more_is_refused_though_its_tick_is_to_come,
    ),
    "it strands in no order": Mutant(
        "host_rejects.c",
        "found == NULL || host->last_id - slot->cmd_id > host->last_id - found->cmd_id",
        "found == NULL",
        suite.test_of_more_than_sixteen_that_lose_their_wire_those_that_were_asked_for_first_are_kept,
    ),
    "an answer that crosses is asked for anew without end": Mutant(
        "host_rejects.c",
        "    if (slot->arming != host->armings) {",
        "    if (host->armings > 0) {",
        suite.test_an_answer_that_crosses_arm_is_asked_for_anew_once,
    ),
    "a wire that breaks ends every pulse": Mutant(
        "host_rejects.c",
        "        slot->state = EH_SLOT_FREE;\n        fate = strand(host, slot, EH_DOWN, now);\n",
        "        slot->state = EH_SLOT_FREE;\n        fate = EH_DOWN;\n",
        suite.test_what_is_to_come_when_the_wire_breaks_is_asked_for_anew_in_the_next_session,
    ),
    "what is past is asked for anew": Mutant(
        "host_rejects.c",
        "        if (slot->state == EH_SLOT_STRANDED && now >= slot->due_us)\n"
        "            close_slot(host, slot, (enum eh_fate)slot->before, 0);\n"
        "        if (slot->state == EH_SLOT_OPEN)\n"
        "            due = eh_min(due, slot->answer_by_us);\n"
        "        else if (slot->state == EH_SLOT_STRANDED)\n"
        "            due = eh_min(due, slot->due_us);\n",
        "        if (slot->state == EH_SLOT_OPEN)\n            due = eh_min(due, slot->answer_by_us);\n",
        suite.test_what_is_past_when_the_wire_is_back_was_down,
    ),
    "it ignores another start": Mutant(
        "host_session.c",
        "host->known && board.boot_id != host->board.boot_id",
        "false",
        suite.test_a_restart_ends_what_was_asked_for_and_begins_a_new_session,
    ),
    "it goes on counting packets after a restart": Mutant(
        "host_session.c",
        "        eh_link_reset(host);\n        greet_anew",
        "        greet_anew",
        suite.test_a_restart_ends_what_was_asked_for_and_begins_a_new_session,
    ),
    "it remembers edges of before a restart": Mutant(
        "host_session.c",
        "        eh_account_forget(host);",
        "",
        suite.test_a_restart_ends_what_was_asked_for_and_begins_a_new_session,
    ),
    "it sees a restart only within a session": Mutant(
        "host_session.c",
        "!host->known || host->greeting.boot_id != host->board.boot_id",
        "false",
        suite.test_a_restart_that_only_the_next_session_finds_out_is_told,
    ),
    "it arms by itself": Mutant(
        "host_rejects.c",
        "host->held && now - host->held_us <= lease_us / 2u",
        "true",
        suite.test_nobody_who_is_alive_arms_nothing,
    ),
    "it beats for a loop that stands still": Mutant(
        "host_rejects.c",
        "now - host->held_us <= lease_us / 2u",
        "true",
        suite.test_a_lease_is_extended_four_times_in_its_length_while_whoever_decides_is_alive,
    ),
    "it beats a lease that ran out": Mutant(
        "host_rejects.c",
        "    host->armed = armed;\n",
        "    host->armed = host->armed || armed;\n",
        suite.test_a_lease_that_ran_out_is_told_and_armed_anew_and_not_beaten,
    ),
    "it follows at once": Mutant(
        "host_rejects.c",
        "    host->from_us = at_us;\n",
        "",
        suite.test_a_host_that_is_to_follow_later_arms_then_and_not_before,
    ),
    "it looks after who is alive only in a quarter of a lease": Mutant(
        "host_rejects.c",
        "eh_min(lease_us / BEATS, LOOK_US)",
        "lease_us / BEATS",
        suite.test_who_is_alive_again_after_a_silence_is_followed_within_50_ms,
    ),
    "what was alive before arms the session": Mutant(
        "host_rejects.c",
        "    host->armed = host->held = false;\n",
        "    host->armed = false;\n",
        suite.test_what_was_alive_before_a_session_is_up_arms_nothing_in_it,
    ),
}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host-mutants")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_guard_is_noticed(name: str, workshop: Path, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    program = mutated(mutant, (*LIBRARY, "host_bench.c"), workshop, tmp_path)
    rig = Rig(lambda: CHost(program))
    try:
        with pytest.raises(AssertionError):
            mutant.noticed_by(rig, *mutant.arguments)
    finally:
        rig.host.kill()
