/* The lease, and every pulse that was asked for until its fate is known. A pulse that was answered SAFE, or lost its wire,
 * is stranded: it is asked for anew, under another cmd_id, right behind the next ARM, if its tick is to come. What is open
 * then is said again as it was: the answer of SAFE may be what got lost. */
#include "host_parts.h"

#define ANSWER_US 100000u /* an answer that has not come so long after it was due was lost */
#define ASKED 3u          /* how often the same command is said */
#define BEATS 4u          /* heartbeats in a lease */
#define ARM_US 500000u    /* between two attempts to arm */
#define LOOK_US 50000u    /* outputs that are not armed and not wanted are looked after at least so often */

static void report(struct eh_host *host, const struct eh_slot *slot, enum eh_fate fate, uint64_t actual_ticks)
{
    struct eh_event event = {.kind = EH_REPORT};

    event.of.report = (struct eh_report){slot->part_seq, slot->output, fate, slot->fire_ticks, actual_ticks};
    eh_tell(host, &event);
}

static void close_slot(struct eh_host *host, struct eh_slot *slot, enum eh_fate fate, uint64_t actual_ticks)
{
    struct eh_slot closed = *slot;

    slot->state = EH_SLOT_FREE; /* first, so that whoever hears the report can use it */
    report(host, &closed, fate, actual_ticks);
}

static bool say(struct eh_host *host, const struct eh_slot *slot)
{
    uint8_t payload[EB_REJECT_BYTES];
    uint8_t *at = payload;

    at = eb_put_u32(at, slot->cmd_id);
    at = eb_put_u32(at, slot->part_seq);
    at = eb_put_u64(at, slot->fire_ticks);
    at = eb_put_u32(at, slot->pulse_us);
    *at = slot->output;
    return eh_say_reliably(host, EB_REJECT, payload, sizeof payload);
}

static uint32_t next_id(struct eh_host *host)
{
    host->last_id = host->last_id == UINT32_MAX ? 1u : host->last_id + 1u;
    return host->last_id;
}

/* The first of three times. */
static bool say_first(struct eh_host *host, struct eh_slot *slot, uint64_t now)
{
    slot->asked = 1;
    slot->answer_by_us = now + ANSWER_US;
    return say(host, slot);
}

static bool ask(struct eh_host *host, struct eh_slot *slot, uint64_t now)
{
    slot->cmd_id = next_id(host);
    slot->state = EH_SLOT_OPEN;
    slot->arming = host->armings;
    return say_first(host, slot, now);
}

/* Of the slots in one state, the one with the oldest number; NULL when there is none. */
static struct eh_slot *oldest(struct eh_host *host, enum eh_slot_state state)
{
    struct eh_slot *found = NULL;

    for (uint8_t i = 0; i < EH_REJECTS; i++) {
        struct eh_slot *slot = &host->slots[i];

        if (slot->state == state && (found == NULL || host->last_id - slot->cmd_id > host->last_id - found->cmd_id))
            found = slot;
    }
    return found;
}

static uint8_t stranded(const struct eh_host *host)
{
    uint8_t count = 0;

    for (uint8_t i = 0; i < EH_REJECTS; i++)
        count = (uint8_t)(count + (host->slots[i].state == EH_SLOT_STRANDED));
    return count;
}

/* Give the fate that is known already, or EH_ASKED when the pulse waits for the outputs to be armed. */
static enum eh_fate strand(struct eh_host *host, struct eh_slot *slot, enum eh_fate fate, uint64_t now)
{
    if (slot->due_us <= now)
        return fate;
    if (stranded(host) >= EH_STRANDED)
        return EH_FULL;
    slot->before = (uint8_t)fate;
    slot->state = EH_SLOT_STRANDED;
    return EH_ASKED;
}

static void ask_anew(struct eh_host *host, struct eh_slot *slot, uint64_t now)
{
    if (slot->due_us <= now) {
        close_slot(host, slot, (enum eh_fate)slot->before, 0);
        return;
    }
    host->counts.asked_anew++;
    if (!ask(host, slot, now))
        close_slot(host, slot, EH_FULL, 0);
}

enum eh_fate eh_reject(struct eh_host *host, uint32_t edge, uint32_t after_us, uint32_t pulse_us, uint8_t output)
{
    uint64_t now = eh_now(host);
    bool is_up = host->state == EH_IS_UP;
    uint64_t ticks = 0, moment_us = now;
    struct eh_slot *slot = NULL;
    enum eh_fate fate = EH_ASKED;

    if (edge == 0 && is_up)
        ticks = eh_clock_ticks(host, now);
    else if (edge == 0 || !eh_account_moment(host, edge, &ticks, &moment_us))
        return is_up ? EH_FORGOTTEN : EH_DOWN;
    for (uint8_t i = 0; i < EH_REJECTS && slot == NULL; i++)
        if (host->slots[i].state == EH_SLOT_FREE)
            slot = &host->slots[i];
    if (slot == NULL)
        return EH_FULL;
    slot->part_seq = edge;
    slot->output = output;
    slot->pulse_us = pulse_us;
    slot->fire_ticks = ticks + (uint64_t)after_us * host->board.tick_hz / 1000000u;
    slot->due_us = moment_us + after_us;
    slot->before = EH_ASKED;
    if (!is_up) {
        slot->cmd_id = next_id(host); /* its turn among those that are stranded */
        fate = strand(host, slot, EH_DOWN, now);
    } else if (!ask(host, slot, now)) {
        fate = EH_FULL;
    }
    if (fate != EH_ASKED)
        slot->state = EH_SLOT_FREE;
    return fate;
}

static struct eh_slot *slot_of(struct eh_host *host, uint32_t cmd_id)
{
    for (uint8_t i = 0; i < EH_REJECTS; i++)
        if (host->slots[i].state == EH_SLOT_OPEN && host->slots[i].cmd_id == cmd_id)
            return &host->slots[i];
    return NULL;
}

/* An answer of SAFE may have crossed an ARM that went out since: then the pulse is asked for anew at once. */
static void unarmed(struct eh_host *host, struct eh_slot *slot, uint64_t now)
{
    enum eh_fate fate;

    slot->before = EH_SAFE;
    if (slot->arming != host->armings) {
        ask_anew(host, slot, now);
        return;
    }
    fate = strand(host, slot, EH_SAFE, now);
    if (fate != EH_ASKED)
        close_slot(host, slot, fate, 0);
}

void eh_rejects_answered(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    struct eh_slot *slot = slot_of(host, eb_get_u32(payload));
    enum eh_fate fate = EH_UNKNOWN;

    if (slot == NULL)
        return;
    switch (payload[4]) {
    case EB_ACCEPTED:
    case EB_DUP:
        slot->answer_by_us = (now > slot->due_us ? now : slot->due_us) + ANSWER_US;
        return;
    case EB_UNKNOWN:
        return;
    case EB_SAFE:
        unarmed(host, slot, now);
        return;
    case EB_LATE: /* what was stranded was past its tick before it was asked for anew */
        fate = slot->before == EH_ASKED ? EH_LATE : (enum eh_fate)slot->before;
        break;
    case EB_FULL:
        fate = EH_FULL;
        break;
    case EB_CANCELLED:
        fate = EH_CANCELLED;
        break;
    case EB_BAD_OUTPUT:
        fate = EH_BAD_OUTPUT;
        break;
    default:
        break;
    }
    close_slot(host, slot, fate, 0);
}

void eh_rejects_done(struct eh_host *host, const uint8_t *payload)
{
    struct eh_slot *slot = slot_of(host, eb_get_u32(payload));

    if (slot != NULL)
        close_slot(host, slot, EH_DONE, eb_get_u64(payload + 4));
}

void eh_rejects_broken(struct eh_host *host, uint64_t now)
{
    struct eh_slot *slot;

    while ((slot = oldest(host, EH_SLOT_OPEN)) != NULL) {
        enum eh_fate fate;

        slot->state = EH_SLOT_FREE;
        fate = strand(host, slot, EH_DOWN, now);
        if (fate != EH_ASKED)
            report(host, slot, fate, 0);
    }
    eh_rejects_step(host, now);
}

void eh_rejects_rebooted(struct eh_host *host)
{
    for (uint8_t i = 0; i < EH_REJECTS; i++)
        if (host->slots[i].state != EH_SLOT_FREE)
            close_slot(host, &host->slots[i], EH_REBOOTED, 0);
}

static void press(struct eh_host *host, struct eh_slot *slot, uint64_t now)
{
    if (slot->asked == ASKED || !say(host, slot)) {
        close_slot(host, slot, EH_UNKNOWN, 0);
        return;
    }
    slot->asked++;
    slot->answer_by_us = now + ANSWER_US;
    host->counts.asked_again++;
}

uint64_t eh_rejects_step(struct eh_host *host, uint64_t now)
{
    uint64_t due = UINT64_MAX;

    for (uint8_t i = 0; i < EH_REJECTS; i++) {
        struct eh_slot *slot = &host->slots[i];

        if (slot->state == EH_SLOT_OPEN && now >= slot->answer_by_us)
            press(host, slot, now);
        if (slot->state == EH_SLOT_STRANDED && now >= slot->due_us)
            close_slot(host, slot, (enum eh_fate)slot->before, 0);
        if (slot->state == EH_SLOT_OPEN)
            due = eh_min(due, slot->answer_by_us);
        else if (slot->state == EH_SLOT_STRANDED)
            due = eh_min(due, slot->due_us);
    }
    return due;
}

/* The lease of a new session begins with nobody alive: what was said in the one before arms nothing. */
void eh_lease_begin(struct eh_host *host, uint64_t now)
{
    host->armed = host->held = false;
    host->lease_due_us = now;
}

void eh_lease_told(struct eh_host *host, bool armed, uint64_t now)
{
    struct eh_event event = {.kind = armed ? EH_HAS_ARMED : EH_HAS_LAPSED};

    if (host->armed == armed)
        return;
    host->armed = armed;
    host->lease_due_us = now;
    eh_tell(host, &event);
}

void eh_hold(struct eh_host *host)
{
    host->held = true;
    host->held_us = eh_now(host);
}

void eh_follow_from(struct eh_host *host, uint64_t at_us)
{
    host->from_us = at_us;
}

static void arm(struct eh_host *host, uint64_t now)
{
    struct eh_slot *slot;

    if (!eh_say_reliably(host, EB_ARM, NULL, 0))
        return;
    host->armings++;
    while ((slot = oldest(host, EH_SLOT_STRANDED)) != NULL)
        ask_anew(host, slot, now);
    for (uint8_t i = 0; i < EH_REJECTS; i++) {
        slot = &host->slots[i];
        if (slot->state == EH_SLOT_OPEN && slot->arming != host->armings)
            say_first(host, slot, now);
    }
}

/* A host whose loop stands still stops extending after half a lease, so the outputs are safe after one and a half. */
uint64_t eh_lease_step(struct eh_host *host, uint64_t now)
{
    uint64_t lease_us = host->config->lease_ms * (uint64_t)1000u;
    bool wanted = now >= host->from_us && host->held && now - host->held_us <= lease_us / 2u;

    if (now < host->lease_due_us)
        return host->lease_due_us;
    host->lease_due_us = now + lease_us / BEATS;
    if (!host->armed)
        host->lease_due_us = now + (wanted ? ARM_US : eh_min(lease_us / BEATS, LOOK_US));
    if (now < host->from_us)
        host->lease_due_us = eh_min(host->lease_due_us, host->from_us);
    if (wanted && host->armed) {
        uint8_t payload[EB_HEARTBEAT_BYTES];

        eb_put_u16(payload, host->config->lease_ms);
        eh_say(host, EB_HEARTBEAT, payload, sizeof payload);
    } else if (wanted) {
        arm(host, now);
    }
    return host->lease_due_us;
}
