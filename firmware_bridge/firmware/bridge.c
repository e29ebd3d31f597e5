/* The link and the greeting: what a whole packet means, in what order it is taken, and what is due when. */
#include "bridge.h"

#include <string.h>

#include "parts.h"

#define POLL_MS 1u /* while samples come or bytes wait, a board without interrupts for them calls so often */

static void say_hello(struct eb_bridge *bridge)
{
    const struct eb_identity *identity = bridge->identity;
    uint8_t payload[EB_HELLO_BYTES];
    uint8_t *at = payload;

    *at++ = EB_PROTOCOL;
    at = eb_put_u32(at, identity->firmware);
    at = eb_put_u64(at, identity->boot_id);
    at = eb_put_u32(at, identity->tick_hz);
    memcpy(at, identity->sensor, sizeof identity->sensor);
    at += sizeof identity->sensor;
    at = eb_put_u32(at, identity->full_scale_mg);
    at = eb_put_u32(at, identity->rate_hz);
    *at++ = identity->inputs;
    *at++ = identity->outputs;
    eb_put_u16(at, EB_MAX_PACKET);
    eb_say(bridge, EB_HELLO, payload, sizeof payload);
}

void eb_say_status(struct eb_bridge *bridge, uint64_t now)
{
    const struct eb_outputs *outputs = &bridge->outputs;
    uint8_t payload[EB_STATUS_BYTES];
    uint8_t *at = payload;

    at = eb_put_u64(at, now);
    at = eb_put_u32(at, bridge->edges.seq);
    at = eb_put_u32(at, bridge->blocks.sent);
    at = eb_put_u32(at, bridge->blocks.dropped);
    at = eb_put_u32(at, bridge->received);
    at = eb_put_u32(at, bridge->corrupt);
    at = eb_put_u32(at, bridge->out_of_order);
    at = eb_put_u16(at, bridge->blocks.high);
    *at++ = eb_outputs_waiting(bridge);
    *at = (uint8_t)((bridge->configured ? EB_STATUS_CONFIGURED : 0) | (outputs->armed ? EB_STATUS_ARMED : 0) |
                    (outputs->lapsed ? EB_STATUS_LAPSED : 0));
    eb_say(bridge, EB_STATUS, payload, sizeof payload);
}

static void say_expected(struct eb_bridge *bridge, enum eb_type type)
{
    uint8_t payload[EB_ACK_BYTES];

    eb_put_u16(payload, bridge->expected);
    eb_say(bridge, type, payload, sizeof payload);
}

static void begin_session(struct eb_bridge *bridge, uint64_t session, uint64_t now)
{
    bridge->greeted = true;
    bridge->session = session;
    bridge->expected = 0;
    bridge->configured = false;
    bridge->status_at = now + eb_ticks_of_ms(bridge, EB_STATUS_MS);
    eb_blocks_stop(bridge);
    eb_outputs_forget(bridge);
}

static void take_hello(struct eb_bridge *bridge, uint64_t now, const uint8_t *payload)
{
    uint64_t session = eb_get_u64(payload + 5);

    if (!bridge->greeted || session != bridge->session)
        begin_session(bridge, session, now);
    say_hello(bridge);
    eb_say_status(bridge, now);
}

struct config {
    uint32_t rate_hz;
    uint32_t range_mg;
    uint16_t block_samples;
    uint16_t lease_ms;
    uint32_t debounce_us;
    uint8_t input;
    bool rising;
    uint8_t active;
    uint8_t safe;
};

static struct config read_config(const uint8_t *payload)
{
    struct config config;

    config.rate_hz = eb_get_u32(payload);
    config.range_mg = eb_get_u32(payload + 4);
    config.block_samples = eb_get_u16(payload + 8);
    config.lease_ms = eb_get_u16(payload + 10);
    config.debounce_us = eb_get_u32(payload + 12);
    config.input = payload[16];
    config.rising = payload[17] != 0;
    config.active = payload[18];
    config.safe = payload[19];
    return config;
}

static enum eb_config_result check_config(const struct eb_identity *identity, const struct config *config)
{
    if (config->rate_hz == 0 || config->rate_hz > identity->rate_hz)
        return EB_BAD_RATE;
    if (config->range_mg == 0 || config->range_mg > identity->full_scale_mg)
        return EB_BAD_RANGE;
    if (config->block_samples == 0 || config->block_samples > EB_MAX_BLOCK_SAMPLES)
        return EB_BAD_BLOCK;
    if (config->input >= identity->inputs)
        return EB_BAD_INPUT;
    if (((config->active | config->safe) >> identity->outputs) != 0)
        return EB_BAD_LEVELS;
    if (config->lease_ms < EB_MIN_LEASE_MS || config->lease_ms > EB_MAX_LEASE_MS)
        return EB_BAD_LEASE;
    return EB_CONFIG_OK;
}

static void take_config(struct eb_bridge *bridge, const uint8_t *payload)
{
    struct config config = read_config(payload);
    enum eb_config_result result = check_config(bridge->identity, &config);
    uint8_t answer[EB_CONFIG_ACK_BYTES] = {(uint8_t)result};

    if (result == EB_CONFIG_OK) {
        bridge->rate_hz = config.rate_hz;
        bridge->range_mg = config.range_mg;
        bridge->block_samples = config.block_samples;
        bridge->configured = true;
        eb_outputs_configure(bridge, config.active, config.safe, config.lease_ms);
        eb_edges_configure(bridge, config.input, config.rising, config.debounce_us);
        eb_blocks_start(bridge);
    }
    eb_put_u16(eb_put_u32(eb_put_u32(answer + 1, bridge->rate_hz), bridge->range_mg), bridge->block_samples);
    eb_say(bridge, EB_CONFIG_ACK, answer, sizeof answer);
}

static void take_ping(struct eb_bridge *bridge, uint64_t now, const uint8_t *payload)
{
    uint8_t answer[EB_PONG_BYTES];

    memcpy(answer, payload, EB_PING_BYTES);
    eb_put_u64(eb_put_u64(answer + EB_PING_BYTES, now), eb_now(bridge));
    eb_say(bridge, EB_PONG, answer, sizeof answer);
}

static void take_arm(struct eb_bridge *bridge, uint64_t now)
{
    if (bridge->configured) /* without a CONFIG nobody knows which level is at rest */
        eb_outputs_arm(bridge, now);
    eb_say_status(bridge, now);
}

static void take_heartbeat(struct eb_bridge *bridge, uint64_t now, const uint8_t *payload)
{
    if (!eb_outputs_heartbeat(bridge, now, eb_get_u16(payload)))
        eb_say_status(bridge, now);
}

struct expectation {
    uint8_t type;
    bool reliable;
    uint8_t length; /* of the payload [bytes] */
};

static bool is_message(const struct eb_packet *packet)
{
    static const struct expectation expectations[] = {
        {EB_HELLO, false, EB_HELLO_BYTES},   {EB_CONFIG, true, EB_CONFIG_BYTES},
        {EB_PING, false, EB_PING_BYTES},     {EB_ARM, true, EB_ARM_BYTES},
        {EB_HEARTBEAT, false, EB_HEARTBEAT_BYTES}, {EB_REJECT, true, EB_REJECT_BYTES},
        {EB_CANCEL, true, EB_CANCEL_BYTES},
    };

    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++)
        if (packet->type == expectations[i].type)
            return packet->reliable == expectations[i].reliable && packet->length == expectations[i].length;
    return false;
}

static void deliver(struct eb_bridge *bridge, uint64_t now, const struct eb_packet *packet)
{
    if (!is_message(packet)) {
        bridge->unread++;
        return;
    }
    switch (packet->type) {
    case EB_HELLO:
        take_hello(bridge, now, packet->payload);
        break;
    case EB_CONFIG:
        take_config(bridge, packet->payload);
        break;
    case EB_PING:
        take_ping(bridge, now, packet->payload);
        break;
    case EB_ARM:
        take_arm(bridge, now);
        break;
    case EB_HEARTBEAT:
        take_heartbeat(bridge, now, packet->payload);
        break;
    case EB_REJECT:
        eb_outputs_reject(bridge, now, packet->payload);
        break;
    default:
        eb_outputs_cancel(bridge, packet->payload);
        break;
    }
}

static void take_reliable(struct eb_bridge *bridge, uint64_t now, const struct eb_packet *packet)
{
    uint16_t ahead = (uint16_t)(packet->seq - bridge->expected);

    if (ahead == 0) {
        bridge->expected++;
        say_expected(bridge, EB_ACK);
        deliver(bridge, now, packet);
    } else if (ahead >= 0x8000u) {
        say_expected(bridge, EB_ACK);
    } else {
        bridge->out_of_order++;
        say_expected(bridge, EB_NAK);
    }
}

static void take_packet(struct eb_bridge *bridge, const struct eb_packet *packet)
{
    uint64_t now = eb_now(bridge);

    bridge->received++;
    eb_outputs_settle(bridge, now); /* what was due before it came is not changed by it */
    if (!bridge->greeted && packet->type != EB_HELLO)
        bridge->unread++;
    else if (packet->reliable)
        take_reliable(bridge, now, packet);
    else
        deliver(bridge, now, packet);
}

void eb_receive(struct eb_bridge *bridge, const uint8_t *bytes, size_t count)
{
    struct eb_packet packet;

    for (size_t i = 0; i < count; i++) {
        switch (eb_decoder_put(&bridge->decoder, bytes[i], &packet)) {
        case EB_PACKET:
            take_packet(bridge, &packet);
            eb_pump(bridge);
            break;
        case EB_CORRUPT:
        case EB_OVERSIZE:
            bridge->corrupt++;
            break;
        case EB_FOREIGN:
            bridge->foreign++;
            break;
        case EB_NOTHING:
            break;
        }
    }
}

void eb_init(struct eb_bridge *bridge, const struct eb_hal *hal, const struct eb_identity *identity)
{
    memset(bridge, 0, sizeof *bridge);
    bridge->hal = hal;
    bridge->identity = identity;
    eb_decoder_init(&bridge->decoder, bridge->kept, sizeof bridge->kept);
    eb_outputs_init(bridge);
    say_hello(bridge);
}

uint32_t eb_step(struct eb_bridge *bridge)
{
    uint64_t now = eb_now(bridge);
    uint64_t due = now + bridge->identity->tick_hz;

    eb_outputs_settle(bridge, now);
    due = eb_min(due, eb_edges_step(bridge, now));
    eb_pump(bridge); /* before more samples: it frees their buffers */
    eb_blocks_gather(bridge);
    if (bridge->greeted && now >= bridge->status_at) {
        eb_say_status(bridge, now);
        bridge->status_at = now + eb_ticks_of_ms(bridge, EB_STATUS_MS);
    }
    eb_pump(bridge);
    due = eb_min(due, eb_next_fire(bridge));
    if (bridge->greeted)
        due = eb_min(due, bridge->status_at);
    if (bridge->blocks.sampling || eb_has_bytes_waiting(bridge))
        due = eb_min(due, now + eb_ticks_of_ms(bridge, POLL_MS));
    now = eb_now(bridge);
    return due > now ? (uint32_t)(due - now) : 0;
}
