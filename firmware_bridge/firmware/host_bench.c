/* The host library as a program for tests: virtual time over standard input and output. A request is one letter and little
 * endian fields; each is answered with what happened since the last one:
 *
 *   O                                 open a session
 *   X                                 close it: the port is gone
 *   A us u64                          run on to this time
 *   F count u32, bytes                these bytes come over the wire now
 *   H alive u8                        whoever decides about parts is alive from now on (1), or not (0)
 *   G us u64                          follow from this time on
 *   R edge u32, after_us u32, pulse_us u32, output u8
 *   N seq u16                         let the next reliable packet have this number, as if there had been so many
 *   W count u32                       the port takes so many bytes more; 0xFFFFFFFF: any number
 *   C                                 say the counts
 *
 *   count u32, bytes on the wire, count u32, bytes of events: kind u8 and its fields, see `heard`
 *
 * The end of the input ends the program. */
#include <stdio.h>
#include <stdlib.h>

#include "host.h"

#define MAX_SENT (1u << 20)
#define MAX_IDLE_STEPS 1000u
#define ANY_NUMBER 0xFFFFFFFFu

static struct eh_host host;
static uint64_t now, due, ids;
static uint8_t sent[MAX_SENT], events[MAX_SENT];
static size_t sent_count, event_count;
static bool alive;
static uint32_t room = ANY_NUMBER;

static uint64_t now_us(void *context)
{
    (void)context;
    return now;
}

static uint64_t new_id(void *context)
{
    (void)context;
    return ++ids;
}

static size_t write_wire(void *context, const uint8_t *bytes, size_t count)
{
    size_t taken = room == ANY_NUMBER || count < room ? count : room;

    (void)context;
    if (taken > MAX_SENT - sent_count)
        abort();
    for (size_t i = 0; i < taken; i++)
        sent[sent_count++] = bytes[i];
    if (room != ANY_NUMBER)
        room -= (uint32_t)taken;
    return taken;
}

static void put(uint64_t value, size_t bytes)
{
    uint8_t number[8];

    eb_put_u64(number, value);
    if (bytes > MAX_SENT - event_count)
        abort();
    for (size_t i = 0; i < bytes; i++)
        events[event_count++] = number[i];
}

static void put_report(const struct eh_report *report)
{
    put(EH_REPORT, 1);
    put(report->part_seq, 4);
    put(report->fate, 1);
    put(report->fire_ticks, 8);
    put(report->actual_ticks, 8);
}

/* Each sample is read, so that a sanitizer sees one that is not there. */
static uint64_t sum(const struct eh_block *block)
{
    uint64_t total = 0;

    for (uint16_t i = 0; i < block->count; i++)
        for (uint8_t axis = 0; axis < EB_AXES; axis++)
            total += (uint64_t)(int64_t)eh_sample(block, i, axis);
    return total;
}

static void heard(void *context, const struct eh_event *event)
{
    (void)context;
    if (event->kind == EH_REPORT) {
        put_report(&event->of.report);
        return;
    }
    put(event->kind, 1);
    switch (event->kind) {
    case EH_UP:
        put(host.board.boot_id, 8);
        put(event->of.edges, 4);
        break;
    case EH_ENDED:
        put(event->of.reason, 1);
        break;
    case EH_EDGE:
        put(event->of.edge.seq, 4);
        put(event->of.edge.ticks, 8);
        break;
    case EH_BLOCK:
        put(event->of.block.first_sample, 8);
        put(event->of.block.missing, 8);
        put(event->of.block.count, 2);
        put(sum(&event->of.block), 8);
        break;
    case EH_PONG:
        put(event->of.pong.sent_us, 8);
        put(event->of.pong.received_us, 8);
        put(event->of.pong.rx_ticks, 8);
        break;
    case EH_LOG:
        put(event->of.log.level, 1);
        put(event->of.log.length, 2);
        for (uint16_t i = 0; i < event->of.log.length; i++)
            put((uint8_t)event->of.log.text[i], 1);
        break;
    default:
        break;
    }
}

static void read_exactly(uint8_t *to, size_t count)
{
    if (fread(to, 1, count, stdin) != count)
        exit(0);
}

static uint64_t read_number(size_t bytes)
{
    uint8_t number[8] = {0};

    read_exactly(number, bytes);
    return eb_get_u64(number);
}

static void step(void)
{
    if (alive)
        eh_hold(&host);
    due = now + eh_step(&host);
}

static void advance(uint64_t until)
{
    size_t idle = 0;

    do {
        uint64_t next = until < due ? until : due;
        idle = next == now ? idle + 1 : 0;
        if (idle > MAX_IDLE_STEPS)
            abort(); /* it asks to be called for ever and does nothing */
        now = next > now ? next : now;
        step();
    } while (now < until || due <= until);
}

static void feed(void)
{
    size_t count = (size_t)read_number(4);
    /* Of the exact size, so that a sanitizer sees a read beyond it. */
    uint8_t *bytes = malloc(count > 0 ? count : 1);

    if (bytes == NULL)
        abort();
    read_exactly(bytes, count);
    eh_receive(&host, bytes, count);
    free(bytes);
}

static void reject(void)
{
    struct eh_report report = {.part_seq = (uint32_t)read_number(4)};
    uint32_t after_us = (uint32_t)read_number(4);
    uint32_t pulse_us = (uint32_t)read_number(4);

    report.fate = eh_reject(&host, report.part_seq, after_us, pulse_us, (uint8_t)read_number(1));
    if (report.fate != EH_ASKED)
        put_report(&report);
}

static void say_counts(void)
{
    const struct eh_counts *counts = &host.counts;
    const uint64_t said[] = {counts->samples,       counts->samples_dropped, counts->samples_lost, counts->edges,
                             counts->edges_lost,    counts->packets_lost,    counts->corrupt,      counts->retried,
                             counts->blocks_stale,  counts->asked_again,     counts->asked_anew};

    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        put(said[i], 8);
}

static void answer(void)
{
    uint8_t number[8];

    eb_put_u32(number, (uint32_t)sent_count);
    fwrite(number, 1, 4, stdout);
    fwrite(sent, 1, sent_count, stdout);
    eb_put_u32(number, (uint32_t)event_count);
    fwrite(number, 1, 4, stdout);
    fwrite(events, 1, event_count, stdout);
    fflush(stdout);
    sent_count = 0;
    event_count = 0;
}

static bool obey(uint8_t request)
{
    switch (request) {
    case 'O':
        eh_open(&host);
        due = now;
        return true; /* not a step: bytes may come before it */
    case 'X':
        eh_close(&host);
        break;
    case 'A':
        advance(read_number(8));
        break;
    case 'F':
        feed();
        break;
    case 'H':
        alive = read_number(1) != 0;
        break;
    case 'G':
        eh_follow_from(&host, read_number(8));
        break;
    case 'R':
        reject();
        break;
    case 'W':
        room = (uint32_t)read_number(4);
        break;
    case 'N':
        if (host.queued > 0)
            abort();
        host.reliable_seq = (uint16_t)read_number(2);
        break;
    case 'C':
        say_counts();
        return true; /* a step might change them */
    default:
        return false;
    }
    step();
    return true;
}

int main(void)
{
    static const struct eh_hal hal = {NULL, now_us, write_wire, new_id, heard};
    static const struct eh_config config = {
        .rate_hz = 1000, .range_mg = 16000, .block_samples = 64, .lease_ms = 500, .debounce_us = 500,
        .trigger_rising = 1, .active_levels = 3, .safe_levels = 1};

    now = 100000000u;
    eh_init(&host, &hal, &config);
    while (obey((uint8_t)read_number(1)))
        answer();
    return 2;
}
