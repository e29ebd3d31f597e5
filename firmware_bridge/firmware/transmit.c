/* What waits for the wire: one packet going out, a ring of small messages, then blocks. Packets get their number when
 * they go out, so that a message may overtake a block; a message that finds no room leaves a gap in the numbers, which
 * is how the host counts it. */
#include <string.h>

#include "parts.h"

#define RECORD_BYTES 2u /* type and length before each payload */

static void ring_put(struct eb_transmit *transmit, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        transmit->messages[(transmit->first + transmit->used++) % EB_MESSAGE_BYTES] = bytes[i];
}

static uint8_t ring_take(struct eb_transmit *transmit)
{
    uint8_t byte = transmit->messages[transmit->first];

    transmit->first = (transmit->first + 1) % EB_MESSAGE_BYTES;
    transmit->used--;
    return byte;
}

void eb_say(struct eb_bridge *bridge, enum eb_type type, const uint8_t *payload, size_t length)
{
    struct eb_transmit *transmit = &bridge->transmit;
    uint8_t record[RECORD_BYTES] = {(uint8_t)type, (uint8_t)length};

    if (!bridge->greeted && type != EB_HELLO)
        return;
    if (RECORD_BYTES + length > EB_MESSAGE_BYTES - transmit->used) {
        transmit->refused++;
        transmit->seq++;
        return;
    }
    ring_put(transmit, record, sizeof record);
    ring_put(transmit, payload, length);
}

void eb_log(struct eb_bridge *bridge, uint8_t level, const char *text)
{
    uint8_t payload[EB_LOG_BYTES + EB_MAX_LOG_BYTES];
    size_t length = strlen(text);

    if (length > EB_MAX_LOG_BYTES)
        length = EB_MAX_LOG_BYTES;
    payload[0] = level;
    memcpy(payload + EB_LOG_BYTES, text, length);
    eb_say(bridge, EB_LOG, payload, EB_LOG_BYTES + length);
}

static bool load_message(struct eb_transmit *transmit)
{
    struct eb_encoder encoder;
    uint8_t type;
    uint8_t length;

    if (transmit->used == 0)
        return false;
    type = ring_take(transmit);
    length = ring_take(transmit);
    eb_encoder_begin(&encoder, transmit->wire, type, false, transmit->seq, length);
    for (; length > 0; length--) {
        uint8_t byte = ring_take(transmit);
        eb_encoder_put(&encoder, &byte, 1);
    }
    transmit->length = eb_encoder_end(&encoder);
    return true;
}

static bool load_block(struct eb_bridge *bridge)
{
    bridge->transmit.length = eb_blocks_encode(bridge, bridge->transmit.seq, bridge->transmit.wire);
    return bridge->transmit.length > 0;
}

void eb_pump(struct eb_bridge *bridge)
{
    struct eb_transmit *transmit = &bridge->transmit;

    for (;;) {
        if (transmit->sent == transmit->length) {
            transmit->sent = 0;
            transmit->length = 0;
            if (!load_message(transmit) && !load_block(bridge))
                return;
            transmit->seq++;
        }
        transmit->sent += bridge->hal->uart_write(bridge->hal->context, transmit->wire + transmit->sent,
                                                  transmit->length - transmit->sent);
        if (transmit->sent < transmit->length)
            return;
    }
}

bool eb_has_bytes_waiting(const struct eb_bridge *bridge)
{
    return bridge->transmit.sent < bridge->transmit.length || bridge->transmit.used > 0 || bridge->blocks.waiting > 0;
}
