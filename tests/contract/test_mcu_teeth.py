"""The suite of microcontroller ends has teeth: a firmware that breaks one guard fails the test of that guard."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import test_mcu as suite
from c_mutants import Mutant, mutated
from mcu_bench import Bench
from mcu_drivers import BOARD, CORE, SIM, START_TICKS, CDriver, Driver, Start

from firmware_bridge.codes import ConfigResult

MUTANTS = {
    "the CRC is not checked": Mutant(
        "codec.c",
        "decoder->crc != CRC_RESIDUE",
        "false",
        suite.test_a_flipped_bit_costs_the_packet_it_hit_and_no_other,
    ),
    "another version is taken": Mutant(
        "codec.c",
        "decoder->kept[0] != EB_VERSION",
        "false",
        suite.test_a_packet_of_another_version_is_neither_taken_nor_damage,
    ),
    "a run without a zero byte begins again": Mutant(
        "codec.c",
        "    if (decoder->encoded > EB_MAX_ENCODED)\n        return EB_NOTHING;",
        "    if (decoder->encoded > EB_MAX_ENCODED) {\n        restart(decoder);\n        return EB_OVERSIZE;\n    }",
        suite.test_a_run_without_a_zero_byte_is_dropped_whole_and_counted_once,
    ),
    "it obeys before it is greeted": Mutant(
        "bridge.c",
        "!bridge->greeted && packet->type != EB_HELLO",
        "false",
        suite.test_until_a_host_says_hello_it_says_its_own_and_does_nothing,
    ),
    "messages that find no room leave no gap": Mutant(
        "transmit.c",
        "        transmit->seq++;\n        return;",
        "        return;",
        suite.test_a_wire_that_stalls_for_long_costs_messages_that_the_numbers_tell,
    ),
    "a repeated packet is delivered": Mutant(
        "bridge.c",
        "    } else if (ahead >= 0x8000u) {",
        "    } else if (ahead >= 0x8000u) {\n        deliver(bridge, now, packet);",
        suite.test_a_repeated_packet_is_acknowledged_again_and_not_delivered,
    ),
    "a packet that is ahead is delivered": Mutant(
        "bridge.c",
        "        bridge->out_of_order++;",
        "        bridge->out_of_order++;\n        deliver(bridge, now, packet);",
        suite.test_a_packet_that_is_ahead_is_refused_and_not_delivered,
    ),
    "numbers do not wrap": Mutant(
        "bridge.c",
        "    uint16_t ahead = (uint16_t)(packet->seq - bridge->expected);",
        "    uint32_t ahead = (uint32_t)packet->seq - bridge->expected;",
        suite.test_numbers_wrap,
    ),
    "a new session goes on counting packets": Mutant(
        "bridge.c", "    bridge->expected = 0;", "", suite.test_a_new_session_expects_reliable_packet_0
    ),
    "a new session goes on sending blocks": Mutant(
        "bridge.c", "    eb_blocks_stop(bridge);", "", suite.test_a_new_session_begins_anew
    ),
    "a new session remembers commands": Mutant(
        "outputs.c", "    outputs->answered = 0;", "", suite.test_a_new_session_begins_anew
    ),
    "a config that does not fit holds": Mutant(
        "bridge.c",
        "    if (result == EB_CONFIG_OK) {",
        "    if (true) {",
        suite.test_a_config_that_does_not_fit_changes_nothing,
        (ConfigResult.BAD_LEASE, {"lease_ms": 49}),
    ),
    "dropped samples are not told": Mutant(
        "blocks.c",
        "    blocks->untold += samples;",
        "",
        suite.test_what_a_stalled_wire_cannot_take_is_dropped_in_whole_blocks_and_counted,
        (0,),
    ),
    "samples lost by the sensor move nothing on": Mutant(
        "blocks.c",
        "        count_dropped(blocks, reading.lost);\n        return true;",
        "        return true;",
        suite.test_samples_that_the_sensor_loses_are_counted_too,
    ),
    "every change counts": Mutant(
        "edges.c",
        "edges->pending && now >= edges->since + edges->debounce_ticks",
        "edges->pending",
        suite.test_only_a_level_that_lasts_counts,
        (999, 0),
    ),
    "an edge has the ticks of the decision": Mutant(
        "edges.c",
        "record->ticks = edges->since;",
        "record->ticks = edges->since + edges->debounce_ticks;",
        suite.test_an_edge_is_said_when_it_has_lasted_and_again_5_ms_later,
    ),
    "an edge is said once": Mutant(
        "edges.c", "        edges->again = true;", "", suite.test_the_second_saying_comes_just_before_the_next_edge
    ),
    "the lease never runs out": Mutant(
        "outputs.c",
        "    outputs->lease_until = now + outputs->lease_ticks;",
        "    outputs->lease_until = UINT64_MAX;",
        suite.test_a_lease_that_runs_out_makes_the_outputs_safe_and_says_so,
    ),
    "a lease that runs out leaves the outputs alone": Mutant(
        "outputs.c",
        "        make_safe(bridge);\n        outputs->lapsed = true;",
        "        outputs->armed = false;\n        outputs->lapsed = true;",
        suite.test_a_lease_that_runs_out_makes_the_outputs_safe_and_says_so,
    ),
    "a lease that runs out is silent": Mutant(
        "outputs.c",
        "        say_safe(bridge);\n        eb_say_status",
        "        eb_say_status",
        suite.test_a_lease_that_runs_out_makes_the_outputs_safe_and_says_so,
    ),
    "a heartbeat arms": Mutant(
        "outputs.c", "holds = outputs->armed;", "holds = outputs->armed = true;", suite.test_a_heartbeat_never_arms
    ),
    "a late reject fires anyway": Mutant(
        "outputs.c",
        "wanted->ticks <= now",
        "false",
        suite.test_a_tick_that_is_not_in_the_future_is_late_and_never_fires,
        (0, suite.LATE),
    ),
    "a command said twice fires twice": Mutant(
        "outputs.c",
        "    answer = answer_to(outputs, wanted.cmd_id);",
        "    answer = NULL;",
        suite.test_a_command_that_has_fired_is_answered_with_when,
    ),
    "a command that waits is forgotten": Mutant(
        "outputs.c",
        "is_waiting(bridge, wanted->cmd_id)",
        "false",
        suite.test_a_command_that_waits_is_never_forgotten,
    ),
    "one command less is remembered": Mutant(
        "wire.h", "EB_MAX_ANSWERED 64u", "EB_MAX_ANSWERED 63u", suite.test_the_last_64_commands_are_remembered
    ),
    "one command more is remembered": Mutant(
        "wire.h", "EB_MAX_ANSWERED 64u", "EB_MAX_ANSWERED 65u", suite.test_the_last_64_commands_are_remembered
    ),
    "seventeen rejects wait": Mutant(
        "wire.h", "EB_MAX_WAITING 16u", "EB_MAX_WAITING 17u", suite.test_sixteen_rejects_wait
    ),
    "a pulse ends with the first": Mutant(
        "outputs.c",
        "now + slot->pulse_ticks > outputs->pulse_until[slot->output]",
        "true",
        suite.test_pulses_that_overlap_end_with_the_last_of_them,
        ([(10, 9_000), (12, 2_000)], 19),
    ),
    "pulses end before others begin": Mutant(
        "outputs.c",
        "        fire_due(bridge, now);",
        "        end_due(bridge, now);\n        fire_due(bridge, now);",
        suite.test_pulses_that_overlap_end_with_the_last_of_them,
        ([(10, 2_000), (12, 2_000)], 14),
    ),
    "a command that was taken back fires": Mutant(
        "outputs.c",
        "        if (found)\n            slot->state = EB_SLOT_FREE;",
        "",
        suite.test_a_command_that_waits_can_be_taken_back,
    ),
}


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutants")


def started(mutant: Mutant, workshop: Path, folder: Path) -> Start:
    program = mutated(mutant, CORE + SIM, workshop, folder)

    def start(*, boot_id: int = BOARD.boot_id, ticks: int = START_TICKS) -> Driver:
        return CDriver(program, boot_id, ticks)

    return start


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_guard_is_noticed(name: str, workshop: Path, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    start = started(mutant, workshop, tmp_path)
    if "start" in inspect.signature(mutant.noticed_by).parameters:
        with pytest.raises(AssertionError):
            mutant.noticed_by(start)
        return
    bench = Bench(start)
    try:
        with pytest.raises(AssertionError):
            mutant.noticed_by(bench, *mutant.arguments)
    finally:
        bench.mcu.close()
