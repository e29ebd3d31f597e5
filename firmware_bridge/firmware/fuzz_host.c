/* Bytes nobody would send, through the host library. An input is a list of steps; some are raw bytes, some a packet that is
 * rightly framed. Built with libFuzzer by `make fuzz-host`; with -DEB_REPLAY it is a program that runs the files it is given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct eh_host host;
static uint64_t now;
static size_t room;
static int64_t open_pulses; /* asked for, and not reported */

static void require(bool holds)
{
    if (!holds)
        abort();
}

static size_t said_pulses(void)
{
    size_t said = 0;

    for (size_t i = 0; i < EH_REJECTS; i++)
        said += host.slots[i].state == EH_SLOT_OPEN;
    return said;
}

static uint64_t now_us(void *context)
{
    (void)context;
    return now;
}

static uint64_t new_id(void *context)
{
    (void)context;
    return now | 1u;
}

static size_t write_wire(void *context, const uint8_t *bytes, size_t count)
{
    size_t taken = count < room ? count : room;

    (void)context;
    (void)bytes;
    require(count > 0);
    room -= taken;
    return taken;
}

/* An integrator may, whatever is heard. */
static void ask_at_once(uint32_t edge)
{
    size_t before = said_pulses();

    open_pulses += eh_reject(&host, edge, 1000000u, 100, 0) == EH_ASKED;
    require(host.state == EH_IS_UP || said_pulses() == before);
}

static void heard(void *context, const struct eh_event *event)
{
    (void)context;
    if (event->kind == EH_REPORT) {
        require(event->of.report.fate != EH_ASKED);
        open_pulses--;
        ask_at_once(event->of.report.part_seq);
    } else if (event->kind == EH_BLOCK) {
        require(event->of.block.count > 0 && event->of.block.count <= EB_MAX_BLOCK_SAMPLES);
        (void)eh_sample(&event->of.block, (uint16_t)(event->of.block.count - 1u), EB_AXES - 1u);
    } else if (event->kind == EH_LOG) {
        require(event->of.log.length <= EB_MAX_PACKET);
    } else if (event->kind == EH_ENDED) {
        require(host.state == EH_CLOSED);
    } else if (event->kind == EH_HAS_REBOOTED) {
        require(host.state == EH_GREETING);
        ask_at_once(1);
    } else if (event->kind == EH_UP) {
        eh_follow_from(&host, now + 1000u);
        ask_at_once(0);
    }
}

static void check(void)
{
    uint8_t stranded = 0;
    int64_t open = 0;

    require(host.state == EH_IS_UP || said_pulses() == 0);
    require(host.out_used <= EH_OUT_BYTES && host.flying <= EH_WINDOW && host.flying <= host.queued);
    require(host.queued <= EH_WINDOW + EH_WAITING && host.first < EH_WINDOW + EH_WAITING);
    require(host.pings <= EH_PINGS_OPEN && host.next_edge < EH_EDGES_KEPT && host.repeats <= EH_REPEATS);
    for (size_t i = 0; i < EH_REJECTS; i++) {
        stranded = (uint8_t)(stranded + (host.slots[i].state == EH_SLOT_STRANDED));
        open += host.slots[i].state != EH_SLOT_FREE;
    }
    require(stranded <= EH_STRANDED);
    require(open == open_pulses); /* each has one report, or is open */
    require(!host.armed || host.state == EH_IS_UP);
}

/* Bytes of exactly this length, so that a sanitizer sees a read beyond them. */
static void receive(const uint8_t *bytes, size_t count)
{
    uint8_t *copy = malloc(count > 0 ? count : 1);

    require(copy != NULL);
    memcpy(copy, bytes, count);
    eh_receive(&host, copy, count);
    free(copy);
}

static void receive_packet(uint8_t type, const uint8_t *payload, uint8_t count)
{
    static uint8_t wire[EB_MAX_WIRE];
    struct eb_encoder encoder;

    eb_encoder_begin(&encoder, wire, type, false, host.peer_seq, count);
    eb_encoder_put(&encoder, payload, count);
    receive(wire, eb_encoder_end(&encoder));
}

/* What a board would answer to what was said last, so that an input soon comes to a session that is up. */
static void receive_answer(uint8_t value)
{
    uint8_t payload[EB_HELLO_BYTES] = {0};

    switch (host.state) {
    case EH_GREETING:
        payload[0] = EB_PROTOCOL;
        payload[5] = value & 1u;
        eb_put_u32(payload + 13, 1000000u);
        receive_packet(EB_HELLO, payload, EB_HELLO_BYTES);
        memset(payload, 0, sizeof payload);
        receive_packet(EB_STATUS, payload, EB_STATUS_BYTES);
        break;
    case EH_CONFIGURING:
        receive_packet(EB_CONFIG_ACK, payload, EB_CONFIG_ACK_BYTES);
        break;
    default:
        if (host.pings > 0)
            eb_put_u64(payload, host.pings_us[host.pings - 1u] * 1000u);
        receive_packet(EB_PONG, payload, EB_PONG_BYTES);
        break;
    }
    eb_put_u16(payload, (uint16_t)(host.reliable_seq + host.flying));
    receive_packet(EB_ACK, payload, EB_ACK_BYTES);
}

static size_t run_step(const uint8_t *data, size_t size)
{
    uint8_t kind = data[0], value = data[1];
    const uint8_t *rest = data + 2;
    uint8_t count = value > size - 2 ? (uint8_t)(size - 2) : value;

    switch (kind % 9u) {
    case 0:
        receive(rest, count);
        return 2u + count;
    case 1:
        now += (uint64_t)value * value * value;
        break;
    case 2:
        require(eh_step(&host) <= 1000000u);
        break;
    case 3:
        open_pulses += eh_reject(&host, value & 3u, value * 5000u, 100, value >> 6) == EH_ASKED;
        break;
    case 4:
        room = (size_t)value * 16u;
        break;
    case 5:
        eh_hold(&host);
        break;
    case 6:
        if (value < 16)
            eh_close(&host);
        if (host.state == EH_CLOSED || value >= 240)
            eh_open(&host);
        break;
    case 7:
        receive_answer(value);
        break;
    default:
        receive_packet(kind / 9u, rest, count);
        return 2u + count;
    }
    return 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct eh_hal hal = {NULL, now_us, write_wire, new_id, heard};
    static const struct eh_config config = {.rate_hz = 1000, .range_mg = 16000, .block_samples = 64, .lease_ms = 500};

    now = 1;
    room = SIZE_MAX;
    open_pulses = 0;
    eh_init(&host, &hal, &config);
    eh_open(&host);
    while (size >= 2) {
        size_t taken = run_step(data, size);
        check();
        data += taken;
        size -= taken;
    }
    return 0;
}

#ifdef EB_REPLAY
#include "fuzz_replay.h"
#endif
