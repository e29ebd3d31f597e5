/* The simulated board. Sample i of axis a is (31 * i + 977 * a) mod 4001 - 2000, but each 4,096th sample is at the end of
 * the range; it is taken one period after the one before, the first when sampling begins. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static uint64_t now_ticks(void *context)
{
    return ((struct sim_board *)context)->now;
}

static void sample(void *context, uint32_t rate_hz, uint32_t range_mg)
{
    struct sim_board *board = context;

    (void)range_mg;
    board->rate_hz = rate_hz;
    board->sampling_since = board->now;
    board->taken = 0;
    board->losing = 0;
}

static int16_t value_of(uint64_t index, size_t axis)
{
    if (index % 4096u == 4095u)
        return INT16_MAX;
    return (int16_t)((int)((31u * index + 977u * axis) % 4001u) - 2000);
}

static size_t read_fifo(void *context, int16_t (*samples)[EB_AXES], size_t max, struct eb_reading *reading)
{
    struct sim_board *board = context;
    uint64_t there = board->rate_hz == 0 ? 0 : (board->now - board->sampling_since) * board->rate_hz / SIM_TICK_HZ + 1;
    uint64_t waiting = there > board->taken ? there - board->taken : 0;
    size_t count = waiting < max ? (size_t)waiting : max;

    if (board->losing > 0 || waiting > SIM_FIFO_SAMPLES) {
        uint64_t over = waiting > SIM_FIFO_SAMPLES ? waiting - SIM_FIFO_SAMPLES : 0;
        reading->lost = (uint32_t)over + board->losing;
        board->taken += over + board->losing;
        board->losing = 0;
        return 0;
    }
    /* Rounded up: the first tick at which this sample is there. */
    reading->first_ticks =
        board->sampling_since + (board->taken * SIM_TICK_HZ + board->rate_hz - 1) / (board->rate_hz ? board->rate_hz : 1);
    reading->temperature_cdeg = 2150;
    reading->fault = board->fault;
    for (size_t i = 0; i < count; i++)
        for (size_t axis = 0; axis < EB_AXES; axis++)
            samples[i][axis] = board->fault ? 0 : value_of(board->taken + i, axis);
    board->taken += count;
    return count;
}

static void set_output(void *context, uint8_t output, bool level)
{
    struct sim_board *board = context;
    uint8_t bit = (uint8_t)(1u << output);

    if (board->critical == 0 || output >= SIM_OUTPUTS)
        abort();
    if (((board->levels & bit) != 0) == level)
        return;
    board->levels = (uint8_t)(board->levels ^ bit);
    if (board->change_count == SIM_MAX_CHANGES)
        abort(); /* a test that does not look would count wrong */
    board->changes[board->change_count++] = (struct sim_change){board->now, output, level};
}

static void enter_critical(void *context)
{
    ((struct sim_board *)context)->critical++;
}

static void leave_critical(void *context)
{
    if (--((struct sim_board *)context)->critical < 0)
        abort();
}

void sim_board_init(struct sim_board *board, uint64_t boot_id, uint64_t now,
                     size_t (*write)(void *context, const uint8_t *bytes, size_t count))
{
    memset(board, 0, sizeof *board);
    board->hal = (struct eb_hal){board, now_ticks, write, sample, read_fifo, set_output, enter_critical, leave_critical};
    board->identity = (struct eb_identity){
        .firmware = 0x00010000u,
        .boot_id = boot_id,
        .tick_hz = SIM_TICK_HZ,
        .sensor = "simulated",
        .full_scale_mg = 16000,
        .rate_hz = 26667,
        .inputs = SIM_INPUTS,
        .outputs = SIM_OUTPUTS,
        .safe_levels = 0,
    };
    board->now = now;
    eb_init(&board->bridge, &board->hal, &board->identity);
    sim_step(board, now);
}

void sim_step(struct sim_board *board, uint64_t now)
{
    board->now = now;
    board->due = now + eb_step(&board->bridge);
    if (board->critical != 0)
        abort();
}
