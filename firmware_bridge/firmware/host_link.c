/* Reliable messages in order, in a window, repeated until they are acknowledged; the others numbered. Go-back-N. */
#include <string.h>

#include "host_parts.h"

#define ACK_US 20000u

#define ROOM (EH_WINDOW + EH_WAITING)

/* Neither end goes on with a packet that was cut off: a zero byte first. */
void eh_link_reset(struct eh_host *host)
{
    host->out[0] = 0;
    host->out_used = 1;
    host->reliable_seq = 0;
    host->first = host->flying = host->queued = 0;
    host->repeats = 0;
    host->gap_closed = host->down = host->counting = false;
}

void eh_link_open(struct eh_host *host)
{
    eh_link_reset(host);
    eb_decoder_init(&host->decoder, host->kept, sizeof host->kept);
}

static void put_packet(struct eh_host *host, uint8_t type, bool reliable, uint16_t seq, const uint8_t *payload,
                       uint16_t length)
{
    uint8_t wire[EB_HEADER_BYTES + EB_HELLO_BYTES + EB_CRC_BYTES + 2u]; /* the longest is HELLO; COBS adds two */
    struct eb_encoder encoder;
    size_t count;

    eb_encoder_begin(&encoder, wire, type, reliable, seq, length);
    eb_encoder_put(&encoder, payload, length);
    count = eb_encoder_end(&encoder);
    if (count > EH_OUT_BYTES - host->out_used) {
        host->counts.unsent++;
        return;
    }
    memcpy(host->out + host->out_used, wire, count);
    host->out_used += count;
}

void eh_say(struct eh_host *host, enum eb_type type, const uint8_t *payload, uint16_t length)
{
    put_packet(host, (uint8_t)type, false, host->counted_seq++, payload, length);
}

static struct eh_packet *packet_at(struct eh_host *host, uint8_t index)
{
    return &host->packets[(host->first + index) % ROOM];
}

static void send_packet(struct eh_host *host, uint8_t index, uint64_t now)
{
    struct eh_packet *packet = packet_at(host, index);

    packet->sent_us = now;
    put_packet(host, packet->type, true, (uint16_t)(host->reliable_seq + index), packet->payload, packet->length);
}

static void fill_window(struct eh_host *host, uint64_t now)
{
    while (host->flying < EH_WINDOW && host->flying < host->queued)
        send_packet(host, host->flying++, now);
}

bool eh_say_reliably(struct eh_host *host, enum eb_type type, const uint8_t *payload, uint8_t length)
{
    struct eh_packet *packet;

    if (host->queued >= host->flying + EH_WAITING) {
        host->counts.refused++;
        return false;
    }
    packet = packet_at(host, host->queued++);
    packet->type = (uint8_t)type;
    packet->length = length;
    for (uint8_t i = 0; i < length; i++)
        packet->payload[i] = payload[i];
    fill_window(host, eh_now(host));
    return true;
}

static void repeat(struct eh_host *host, uint64_t now)
{
    for (uint8_t i = 0; i < host->flying; i++)
        send_packet(host, i, now);
    host->counts.retried += host->flying;
}

/* The other end has everything before `expected`; a number outside the window says nothing. */
void eh_acknowledged(struct eh_host *host, uint16_t expected, bool missing)
{
    uint16_t taken = (uint16_t)(expected - host->reliable_seq);

    if (taken > 0 && taken <= host->flying) {
        host->first = (uint8_t)((host->first + taken) % ROOM);
        host->flying = (uint8_t)(host->flying - taken);
        host->queued = (uint8_t)(host->queued - taken);
        host->reliable_seq = expected;
        host->repeats = 0;
        host->gap_closed = false;
        fill_window(host, eh_now(host));
    }
    if (missing && host->flying > 0 && expected == host->reliable_seq && !host->gap_closed) {
        host->gap_closed = true;
        repeat(host, eh_now(host));
    }
}

void eh_count_packet(struct eh_host *host, const struct eb_packet *packet)
{
    uint16_t ahead = (uint16_t)(packet->seq - host->peer_seq);

    if (packet->type == EB_HELLO || !host->counting) /* a microcontroller that has started anew begins to count anew */
        ahead = 0;
    host->counting = true;
    if (ahead >= 0x8000u) {
        host->counts.packets_stale++;
        return;
    }
    host->counts.packets_lost += ahead;
    host->peer_seq = (uint16_t)(packet->seq + 1u);
}

uint64_t eh_link_step(struct eh_host *host, uint64_t now)
{
    if (host->down || host->flying == 0)
        return UINT64_MAX;
    if (now >= packet_at(host, 0)->sent_us + ACK_US) {
        if (host->repeats == EH_REPEATS) {
            host->down = true;
            return now;
        }
        host->repeats++;
        repeat(host, now);
    }
    return packet_at(host, 0)->sent_us + ACK_US;
}

void eh_pump(struct eh_host *host)
{
    size_t taken;

    if (host->out_used == 0)
        return;
    taken = host->hal->write(host->hal->context, host->out, host->out_used);
    memmove(host->out, host->out + taken, host->out_used - taken);
    host->out_used -= taken;
}
