/* Bytes nobody would send, through the decoder and the whole receive path. An input is a list of steps; some are raw
 * bytes, some a packet that is rightly framed, so that what stands behind the CRC is reached too. Built with libFuzzer by
 * `make fuzz`; with -DEB_REPLAY it is a program that runs the files it is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bridge.h"

#define MAX_STEP_BYTES 255u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t now;
static uint64_t read_at;
static size_t room;
static int critical;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static uint64_t now_ticks(void *context)
{
    (void)context;
    return now;
}

static size_t uart_write(void *context, const uint8_t *bytes, size_t count)
{
    size_t taken = count < room ? count : room;

    (void)context;
    for (size_t i = 0; i + 1 < taken; i++)
        require(bytes[i] != 0 || i + 1 == count); /* zero only ends a packet */
    room -= taken;
    return taken;
}

static void sample(void *context, uint32_t rate_hz, uint32_t range_mg)
{
    (void)context;
    require(rate_hz <= 26667 && range_mg <= 16000);
}

static size_t read_fifo(void *context, int16_t (*samples)[EB_AXES], size_t max, struct eb_reading *reading)
{
    size_t count = max < 40 ? max : 40;

    (void)context;
    require(max > 0 && max <= EB_MAX_BLOCK_SAMPLES);
    if (read_at == now)
        return 0;
    read_at = now;
    if (now % 7 == 0) {
        reading->lost = (uint32_t)(now % 1000) + 1;
        return 0;
    }
    reading->first_ticks = now;
    memset(samples, (int)(now & 0x7F), count * sizeof *samples);
    return count;
}

static void set_output(void *context, uint8_t output, bool level)
{
    (void)context;
    (void)level;
    require(critical > 0 && output < 4);
}

static void enter_critical(void *context)
{
    (void)context;
    critical++;
}

static void leave_critical(void *context)
{
    (void)context;
    require(--critical >= 0);
}

static void check(const struct eb_bridge *bridge)
{
    const struct eb_outputs *outputs = &bridge->outputs;

    require(critical == 0);
    require(bridge->transmit.used <= EB_MESSAGE_BYTES && bridge->transmit.sent <= bridge->transmit.length);
    require(bridge->blocks.waiting <= EB_BLOCK_BUFFERS && bridge->edges.waiting <= EB_EDGE_BUFFERS);
    require(outputs->answered <= EB_MAX_ANSWERED && outputs->next_answer < EB_MAX_ANSWERED);
    require(outputs->armed || outputs->pulsing == 0);
    require(!outputs->armed || bridge->configured);
    require(bridge->configured || !bridge->blocks.sampling);
}

/* Bytes of exactly this length, so that a sanitizer sees a read beyond them. */
static void receive(struct eb_bridge *bridge, const uint8_t *bytes, size_t count)
{
    uint8_t *copy = malloc(count > 0 ? count : 1);

    require(copy != NULL);
    memcpy(copy, bytes, count);
    eb_receive(bridge, copy, count);
    free(copy);
}

static void receive_packet(struct eb_bridge *bridge, uint8_t type, uint8_t class, const uint8_t *payload, uint8_t count)
{
    static uint8_t wire[EB_MAX_WIRE];
    struct eb_encoder encoder;
    bool reliable = (class & 1u) != 0;
    uint16_t seq = (uint16_t)(bridge->expected + (class >> 6) - (class >> 7) * 3);

    eb_encoder_begin(&encoder, wire, type, reliable, seq, count);
    eb_encoder_put(&encoder, payload, count);
    receive(bridge, wire, eb_encoder_end(&encoder));
}

/* The room for packets is part of the input too: a fuzzer soon finds what a stalled wire does. */
static size_t run_step(struct eb_bridge *bridge, const uint8_t *data, size_t size)
{
    uint8_t kind = data[0];
    uint8_t count = data[1];
    const uint8_t *rest = data + 2;

    if (count > size - 2)
        count = (uint8_t)(size - 2);
    switch (kind % 6u) {
    case 0:
        receive(bridge, rest, count);
        return 2u + count;
    case 1: /* ticks pass; at any tick a timer may fire */
        now += (uint64_t)data[1] * data[1] * data[1];
        eb_fire(bridge, now);
        break;
    case 2:
        require(eb_step(bridge) <= 1000000u);
        break;
    case 3:
        eb_edge(bridge, data[1] & 1u, (data[1] & 2u) != 0, now + (data[1] >> 4));
        break;
    case 4:
        room = (size_t)data[1] * 64;
        break;
    default:
        if (count > 0)
            receive_packet(bridge, kind / 6u % 20u, rest[0], rest + 1, (uint8_t)(count - 1u));
        return 2u + count;
    }
    return 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct eb_bridge bridge;
    static const struct eb_hal hal = {NULL,       now_ticks,      uart_write,     sample, read_fifo,
                                      set_output, enter_critical, leave_critical};
    static const struct eb_identity identity = {
        .boot_id = 1, .tick_hz = 1000000, .full_scale_mg = 16000, .rate_hz = 26667, .inputs = 2, .outputs = 4};

    now = 1;
    read_at = 0;
    room = SIZE_MAX;
    eb_init(&bridge, &hal, &identity);
    while (size >= 2) {
        size_t taken = run_step(&bridge, data, size);
        check(&bridge);
        data += taken;
        size -= taken;
    }
    return 0;
}

#ifdef EB_REPLAY
#include "fuzz_replay.h"
#endif
