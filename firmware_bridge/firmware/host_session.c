/* A session, from the first greeting to the last pulse: what each packet means in which state, and what is due when. */
#include <string.h>

#include "host_parts.h"

#define HELLO_US 250000u      /* between two greetings that are not answered */
#define SETTLING_US 3000000u  /* configuration and the first pings take no longer */
#define SILENCE_US 2500000u   /* a microcontroller that says nothing for so long is gone */
#define LONGEST_US 1000000u   /* eh_step wants to be called at least so often */

/* Where opening the port resets the board, giving up early would do so for ever. */
static const uint32_t greetings_us[] = {3000000u, 6000000u, 15000000u, 60000000u};

static void tell_kind(struct eh_host *host, enum eh_kind kind)
{
    struct eh_event event = {.kind = kind};

    eh_tell(host, &event);
}

static uint32_t patience_us(const struct eh_host *host)
{
    size_t last = sizeof greetings_us / sizeof greetings_us[0] - 1u;

    return greetings_us[host->unanswered < last ? host->unanswered : last];
}

/* What ends a session is told by the next eh_step, so that nothing that was heard before it is lost. */
static void fail(struct eh_host *host, enum eh_reason reason)
{
    if (!host->failed)
        host->failure = reason;
    host->failed = true;
}

static void greet_anew(struct eh_host *host, uint64_t now)
{
    host->state = EH_GREETING;
    host->id = host->hal->new_id(host->hal->context);
    host->begun_us = host->heard_us = host->next_hello_us = now;
    host->hello_sent = host->answered_hello = false;
    host->any_bytes = host->any_packet = false;
    eh_lease_begin(host, now);
}

void eh_init(struct eh_host *host, const struct eh_hal *hal, const struct eh_config *config)
{
    memset(host, 0, sizeof *host);
    host->hal = hal;
    host->config = config;
    eb_decoder_init(&host->decoder, host->kept, sizeof host->kept);
}

void eh_open(struct eh_host *host)
{
    if (host->state != EH_CLOSED)
        eh_close(host);
    eh_link_open(host);
    host->failed = false;
    greet_anew(host, eh_now(host));
}

void eh_close(struct eh_host *host)
{
    uint64_t now = eh_now(host);

    host->state = EH_CLOSED;
    host->out_used = 0;
    eh_lease_begin(host, now);
    eh_rejects_broken(host, now);
}

static void end(struct eh_host *host, enum eh_reason reason)
{
    struct eh_event event = {.kind = EH_ENDED};

    eh_close(host);
    event.of.reason = reason;
    eh_tell(host, &event);
}

static void say_hello(struct eh_host *host, uint64_t now)
{
    uint8_t payload[EB_HELLO_BYTES] = {EB_PROTOCOL};

    if (now < host->next_hello_us)
        return;
    eb_put_u64(payload + 5, host->id);
    eb_put_u16(payload + EB_HELLO_BYTES - 2u, EB_MAX_PACKET);
    eh_say(host, EB_HELLO, payload, sizeof payload);
    host->hello_sent = true;
    host->next_hello_us = now + HELLO_US;
}

static void say_config(struct eh_host *host)
{
    const struct eh_config *config = host->config;
    uint8_t payload[EB_CONFIG_BYTES];
    uint8_t *at = payload;

    at = eb_put_u32(at, config->rate_hz);
    at = eb_put_u32(at, config->range_mg);
    at = eb_put_u16(at, config->block_samples);
    at = eb_put_u16(at, config->lease_ms);
    at = eb_put_u32(at, config->debounce_us);
    *at++ = config->trigger_input;
    *at++ = config->trigger_rising;
    *at++ = config->active_levels;
    *at = config->safe_levels;
    eh_say_reliably(host, EB_CONFIG, payload, sizeof payload);
}

static struct eh_board board_of(const uint8_t *payload)
{
    struct eh_board board;

    board.firmware = eb_get_u32(payload + 1);
    board.boot_id = eb_get_u64(payload + 5);
    board.tick_hz = eb_get_u32(payload + 13);
    memcpy(board.sensor, payload + 17, sizeof board.sensor);
    board.full_scale_mg = eb_get_u32(payload + 33);
    board.rate_hz = eb_get_u32(payload + 37);
    board.inputs = payload[41];
    board.outputs = payload[42];
    return board;
}

static void take_hello(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    struct eh_board board = board_of(payload);

    if (payload[0] != EB_PROTOCOL) {
        fail(host, EH_OTHER_VERSION);
    } else if (board.tick_hz == 0) {
        fail(host, EH_NO_CLOCK);
    } else if (host->state == EH_GREETING) {
        host->answered_hello = host->hello_sent; /* one that was said before is no answer */
        host->greeting = board;
    } else if (host->known && board.boot_id != host->board.boot_id) {
        /* In this order: nobody who hears the rest can ask the old start. */
        eh_link_reset(host);
        greet_anew(host, now);
        eh_rejects_rebooted(host);
        tell_kind(host, EH_HAS_REBOOTED);
    }
}

static void begin(struct eh_host *host, uint32_t edges, uint64_t now)
{
    if (!host->known || host->greeting.boot_id != host->board.boot_id) {
        eh_account_forget(host); /* else a part on the belt can still be taken off */
        eh_rejects_rebooted(host);
    }
    host->board = host->greeting;
    host->known = true;
    eh_account_begin(host, edges);
    host->state = EH_CONFIGURING;
    host->begun_us = now;
    say_config(host);
}

static void take_status(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    uint32_t edges = eb_get_u32(payload + 8);

    if (host->state == EH_GREETING && host->answered_hello)
        begin(host, edges, now); /* only the answer to a greeting is followed by a STATUS */
    else if (host->state == EH_CONFIGURING || host->state == EH_SYNCING)
        eh_account_passed(host, edges);
    else if (host->state == EH_IS_UP) {
        eh_account_told(host, edges, now);
        eh_lease_told(host, (payload[35] & EB_STATUS_ARMED) != 0, now);
    }
}

static void take_config_ack(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    if (host->state != EH_CONFIGURING)
        return;
    host->config_result = payload[0];
    if (payload[0] != EB_CONFIG_OK) {
        fail(host, EH_BAD_CONFIG);
        return;
    }
    host->state = EH_SYNCING;
    host->begun_us = now;
    eh_clock_begin(host, now);
}

static void take_pong(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    struct eh_event event = {.kind = EH_UP};

    if ((host->state != EH_SYNCING && host->state != EH_IS_UP) || !eh_clock_pong(host, payload, now))
        return;
    host->state = EH_IS_UP;
    host->unanswered = 0;
    host->next_ping_us = now + LONGEST_US;
    eh_lease_begin(host, now);
    event.of.edges = host->last_edge;
    eh_tell(host, &event);
}

static void take_log(struct eh_host *host, const struct eb_packet *packet)
{
    struct eh_event event = {.kind = EH_LOG};

    event.of.log.level = packet->payload[0];
    event.of.log.text = (const char *)packet->payload + EB_LOG_BYTES;
    event.of.log.length = (uint16_t)(packet->length - EB_LOG_BYTES);
    eh_tell(host, &event);
}

/* The shortest payload of each message to a host; only BLOCK and LOG may be longer. 0: no such message. */
static uint16_t shortest(uint8_t type)
{
    static const uint8_t bytes[] = {
        [EB_HELLO] = EB_HELLO_BYTES,     [EB_CONFIG_ACK] = EB_CONFIG_ACK_BYTES,
        [EB_PONG] = EB_PONG_BYTES,       [EB_REJECT_ACK] = EB_REJECT_ACK_BYTES,
        [EB_BLOCK] = EB_BLOCK_BYTES,     [EB_REJECT_DONE] = EB_REJECT_DONE_BYTES,
        [EB_EDGE] = EB_EDGE_BYTES,       [EB_STATUS] = EB_STATUS_BYTES,
        [EB_LOG] = EB_LOG_BYTES,         [EB_ACK] = EB_ACK_BYTES,
        [EB_NAK] = EB_ACK_BYTES,
    };

    return type < sizeof bytes ? bytes[type] : 0;
}

static bool is_message(const struct eb_packet *packet)
{
    uint16_t length = shortest(packet->type);
    bool may_be_longer = packet->type == EB_BLOCK || packet->type == EB_LOG;

    return !packet->reliable && length > 0 && (packet->length == length || (may_be_longer && packet->length > length));
}

static void deliver(struct eh_host *host, const struct eb_packet *packet, uint64_t now)
{
    switch (packet->type) {
    case EB_HELLO:
        take_hello(host, packet->payload, now);
        break;
    case EB_CONFIG_ACK:
        take_config_ack(host, packet->payload, now);
        break;
    case EB_PONG:
        take_pong(host, packet->payload, now);
        break;
    case EB_REJECT_ACK:
        eh_rejects_answered(host, packet->payload, now);
        break;
    case EB_REJECT_DONE:
        eh_rejects_done(host, packet->payload);
        break;
    case EB_BLOCK:
        if (host->state == EH_IS_UP)
            eh_account_block(host, packet->payload, packet->length);
        break;
    case EB_EDGE:
        if (host->state == EH_SYNCING || host->state == EH_IS_UP)
            eh_account_edge(host, packet->payload, now);
        break;
    case EB_STATUS:
        take_status(host, packet->payload, now);
        break;
    case EB_LOG:
        take_log(host, packet);
        break;
    default:
        eh_acknowledged(host, eb_get_u16(packet->payload), packet->type == EB_NAK);
        break;
    }
}

static void take_packet(struct eh_host *host, const struct eb_packet *packet)
{
    uint64_t now = eh_now(host);

    host->counts.packets++;
    host->any_packet = true;
    host->heard_us = now;
    if (!is_message(packet)) {
        host->counts.unusable++;
        return;
    }
    eh_count_packet(host, packet);
    deliver(host, packet, now);
}

void eh_receive(struct eh_host *host, const uint8_t *bytes, size_t count)
{
    struct eb_packet packet;

    if (host->state == EH_CLOSED)
        return;
    host->any_bytes = host->any_bytes || count > 0;
    for (size_t i = 0; i < count && !host->failed; i++) {
        switch (eb_decoder_put(&host->decoder, bytes[i], &packet)) {
        case EB_PACKET:
            take_packet(host, &packet);
            break;
        case EB_CORRUPT:
        case EB_OVERSIZE:
            host->counts.corrupt++;
            break;
        case EB_FOREIGN:
            if (host->state == EH_GREETING)
                fail(host, EH_OTHER_VERSION);
            break;
        case EB_NOTHING:
            break;
        }
    }
}

static uint64_t greeting_step(struct eh_host *host, uint64_t now)
{
    if (now >= host->begun_us + patience_us(host)) {
        fail(host, host->any_bytes && !host->any_packet ? EH_NOT_PACKETS : EH_NOBODY);
        host->unanswered = (uint8_t)(host->unanswered + (host->unanswered < UINT8_MAX));
        return now;
    }
    say_hello(host, now);
    return eh_min(host->next_hello_us, host->begun_us + patience_us(host));
}

static uint64_t settling_step(struct eh_host *host, uint64_t now)
{
    if (now >= host->begun_us + SETTLING_US)
        fail(host, EH_STUCK);
    else if (host->state == EH_SYNCING)
        return eh_min(host->begun_us + SETTLING_US, eh_clock_step(host, now));
    return host->begun_us + SETTLING_US;
}

static uint64_t up_step(struct eh_host *host, uint64_t now)
{
    uint64_t due = host->heard_us + SILENCE_US;

    if (now >= due) {
        fail(host, EH_SILENT);
        return now;
    }
    due = eh_min(due, eh_clock_step(host, now));
    return eh_min(due, eh_lease_step(host, now));
}

static uint64_t session_step(struct eh_host *host, uint64_t now)
{
    switch (host->state) {
    case EH_GREETING:
        return greeting_step(host, now);
    case EH_CONFIGURING:
    case EH_SYNCING:
        return settling_step(host, now);
    case EH_IS_UP:
        return up_step(host, now);
    default:
        return UINT64_MAX;
    }
}

uint32_t eh_step(struct eh_host *host)
{
    uint64_t now = eh_now(host);
    uint64_t due = now + LONGEST_US;

    if (!host->failed && host->state != EH_CLOSED) {
        due = eh_min(due, eh_link_step(host, now));
        if (host->down)
            fail(host, EH_UNACKNOWLEDGED);
        else
            due = eh_min(due, session_step(host, now));
    }
    if (host->failed && host->state != EH_CLOSED)
        end(host, host->failure);
    due = eh_min(due, eh_account_step(host, now));
    due = eh_min(due, eh_rejects_step(host, now));
    eh_pump(host);
    if (host->state != EH_CLOSED)
        due = eh_min(due, eh_link_step(host, now)); /* what was said just now is due as well */
    return due > now ? (uint32_t)(due - now) : 0;
}
