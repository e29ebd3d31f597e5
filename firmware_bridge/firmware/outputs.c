/* What the microcontroller does to the line: a lease, rejects that wait for their tick, pulses. eb_fire alone moves
 * outputs by time and may run in a timer interrupt; the main loop says afterwards what it did. */
#include <string.h>

#include "parts.h"

static void drive(struct eb_bridge *bridge, uint8_t output, bool level)
{
    bridge->hal->set_output(bridge->hal->context, output, level);
}

static bool bit_of(uint8_t bits, uint8_t output)
{
    return (bits & (1u << output)) != 0;
}

/* In a critical section, as is everything below that touches slots, pulses or the lease. */
static void make_safe(struct eb_bridge *bridge)
{
    struct eb_outputs *outputs = &bridge->outputs;

    outputs->armed = false;
    outputs->pulsing = 0;
    for (uint8_t i = 0; i < bridge->identity->outputs; i++)
        drive(bridge, i, bit_of(outputs->safe, i));
}

static void fire_due(struct eb_bridge *bridge, uint64_t now)
{
    struct eb_outputs *outputs = &bridge->outputs;

    for (size_t i = 0; i < EB_MAX_WAITING; i++) {
        struct eb_slot *slot = &outputs->slots[i];
        if (slot->state != EB_SLOT_WAITING || slot->ticks > now)
            continue;
        slot->state = EB_SLOT_FIRED;
        slot->ticks = now;
        if (!bit_of(outputs->pulsing, slot->output)) {
            outputs->pulsing = (uint8_t)(outputs->pulsing | (1u << slot->output));
            outputs->pulse_until[slot->output] = now;
            drive(bridge, slot->output, bit_of(outputs->active, slot->output));
        }
        if (now + slot->pulse_ticks > outputs->pulse_until[slot->output])
            outputs->pulse_until[slot->output] = now + slot->pulse_ticks;
    }
}

static void end_due(struct eb_bridge *bridge, uint64_t now)
{
    struct eb_outputs *outputs = &bridge->outputs;

    for (uint8_t i = 0; i < bridge->identity->outputs; i++) {
        if (bit_of(outputs->pulsing, i) && now >= outputs->pulse_until[i]) {
            outputs->pulsing = (uint8_t)(outputs->pulsing & ~(1u << i));
            drive(bridge, i, !bit_of(outputs->active, i));
        }
    }
}

static uint64_t next_due(const struct eb_bridge *bridge)
{
    const struct eb_outputs *outputs = &bridge->outputs;
    uint64_t due = outputs->lease_until;

    if (!outputs->armed)
        return UINT64_MAX;
    for (size_t i = 0; i < EB_MAX_WAITING; i++)
        if (outputs->slots[i].state == EB_SLOT_WAITING)
            due = eb_min(due, outputs->slots[i].ticks);
    for (uint8_t i = 0; i < bridge->identity->outputs; i++)
        if (bit_of(outputs->pulsing, i))
            due = eb_min(due, outputs->pulse_until[i]);
    return due;
}

uint64_t eb_fire(struct eb_bridge *bridge, uint64_t now)
{
    struct eb_outputs *outputs = &bridge->outputs;
    uint64_t due;

    eb_enter(bridge);
    if (outputs->armed && now >= outputs->lease_until) {
        make_safe(bridge);
        outputs->lapsed = true;
        outputs->lapse_untold = true;
    }
    if (outputs->armed) {
        fire_due(bridge, now); /* before pulses end: one that begins at the end of another leaves no gap */
        end_due(bridge, now);
    }
    due = next_due(bridge);
    eb_leave(bridge);
    return due;
}

uint64_t eb_next_fire(struct eb_bridge *bridge)
{
    uint64_t due;

    eb_enter(bridge);
    due = next_due(bridge);
    eb_leave(bridge);
    return due;
}

static struct eb_answer *answer_to(struct eb_outputs *outputs, uint32_t cmd_id)
{
    for (uint8_t i = 0; i < outputs->answered; i++)
        if (outputs->answers[i].cmd_id == cmd_id)
            return &outputs->answers[i];
    return NULL;
}

static void remember(struct eb_outputs *outputs, uint32_t cmd_id, enum eb_reject_result result)
{
    struct eb_answer *answer = &outputs->answers[outputs->next_answer];

    answer->cmd_id = cmd_id;
    answer->result = (uint8_t)result;
    answer->fired = false;
    outputs->next_answer = (uint8_t)((outputs->next_answer + 1u) % EB_MAX_ANSWERED);
    if (outputs->answered < EB_MAX_ANSWERED)
        outputs->answered++;
}

static void say_ack(struct eb_bridge *bridge, uint32_t cmd_id, enum eb_reject_result result)
{
    uint8_t payload[EB_REJECT_ACK_BYTES];

    *eb_put_u32(payload, cmd_id) = (uint8_t)result;
    eb_say(bridge, EB_REJECT_ACK, payload, sizeof payload);
}

static void say_done(struct eb_bridge *bridge, uint32_t cmd_id, uint64_t ticks)
{
    uint8_t payload[EB_REJECT_DONE_BYTES];

    eb_put_u64(eb_put_u32(payload, cmd_id), ticks);
    eb_say(bridge, EB_REJECT_DONE, payload, sizeof payload);
}

/* The next slot in `state`, copied out and freed. */
static bool take_slot(struct eb_bridge *bridge, enum eb_slot_state state, struct eb_slot *taken)
{
    struct eb_outputs *outputs = &bridge->outputs;
    bool some = false;

    eb_enter(bridge);
    for (size_t i = 0; i < EB_MAX_WAITING && !some; i++) {
        some = outputs->slots[i].state == state;
        if (some) {
            *taken = outputs->slots[i];
            outputs->slots[i].state = EB_SLOT_FREE;
        }
    }
    eb_leave(bridge);
    return some;
}

static void say_fired(struct eb_bridge *bridge)
{
    struct eb_slot slot;

    while (take_slot(bridge, EB_SLOT_FIRED, &slot)) {
        struct eb_answer *answer = answer_to(&bridge->outputs, slot.cmd_id);
        if (answer != NULL) {
            answer->fired = true;
            answer->fired_ticks = slot.ticks;
        }
        say_done(bridge, slot.cmd_id, slot.ticks);
    }
}

/* What became of an accepted command is what is said when it is asked for again. */
static void revise(struct eb_outputs *outputs, uint32_t cmd_id, enum eb_reject_result result)
{
    struct eb_answer *answer = answer_to(outputs, cmd_id);

    if (answer != NULL)
        answer->result = (uint8_t)result;
}

static void say_safe(struct eb_bridge *bridge)
{
    struct eb_slot slot;

    while (take_slot(bridge, EB_SLOT_WAITING, &slot)) {
        revise(&bridge->outputs, slot.cmd_id, EB_SAFE);
        say_ack(bridge, slot.cmd_id, EB_SAFE);
    }
}

void eb_outputs_settle(struct eb_bridge *bridge, uint64_t now)
{
    struct eb_outputs *outputs = &bridge->outputs;
    bool lapse;

    eb_fire(bridge, now);
    say_fired(bridge);
    eb_enter(bridge);
    lapse = outputs->lapse_untold;
    outputs->lapse_untold = false;
    eb_leave(bridge);
    if (lapse) {
        say_fired(bridge); /* what an interrupt fired meanwhile, before the lease ran out */
        say_safe(bridge);
        eb_say_status(bridge, now);
    }
}

void eb_outputs_init(struct eb_bridge *bridge)
{
    bridge->outputs.safe = bridge->identity->safe_levels;
    eb_enter(bridge);
    make_safe(bridge);
    eb_leave(bridge);
}

void eb_outputs_forget(struct eb_bridge *bridge)
{
    struct eb_outputs *outputs = &bridge->outputs;

    eb_enter(bridge);
    make_safe(bridge);
    for (size_t i = 0; i < EB_MAX_WAITING; i++)
        outputs->slots[i].state = EB_SLOT_FREE;
    outputs->lapsed = false;
    outputs->lapse_untold = false;
    eb_leave(bridge);
    outputs->answered = 0;
    outputs->next_answer = 0;
}

void eb_outputs_configure(struct eb_bridge *bridge, uint8_t active, uint8_t safe, uint32_t lease_ms)
{
    struct eb_outputs *outputs = &bridge->outputs;

    eb_enter(bridge);
    outputs->active = active;
    outputs->safe = safe;
    outputs->lease_ticks = eb_ticks_of_ms(bridge, lease_ms);
    outputs->lapsed = false;
    make_safe(bridge);
    eb_leave(bridge);
    say_fired(bridge);
    say_safe(bridge);
}

void eb_outputs_arm(struct eb_bridge *bridge, uint64_t now)
{
    struct eb_outputs *outputs = &bridge->outputs;

    eb_enter(bridge);
    if (!outputs->armed)
        for (uint8_t i = 0; i < bridge->identity->outputs; i++)
            drive(bridge, i, !bit_of(outputs->active, i));
    outputs->armed = true;
    outputs->lapsed = false;
    outputs->lease_until = now + outputs->lease_ticks;
    eb_leave(bridge);
}

bool eb_outputs_heartbeat(struct eb_bridge *bridge, uint64_t now, uint32_t lease_ms)
{
    struct eb_outputs *outputs = &bridge->outputs;
    uint64_t until = now + eb_ticks_of_ms(bridge, lease_ms < EB_MAX_LEASE_MS ? lease_ms : EB_MAX_LEASE_MS);
    bool holds;

    eb_enter(bridge);
    holds = outputs->armed;
    if (holds && until > outputs->lease_until)
        outputs->lease_until = until;
    eb_leave(bridge);
    return holds;
}

static bool is_waiting(const struct eb_bridge *bridge, uint32_t cmd_id)
{
    for (size_t i = 0; i < EB_MAX_WAITING; i++)
        if (bridge->outputs.slots[i].state == EB_SLOT_WAITING && bridge->outputs.slots[i].cmd_id == cmd_id)
            return true;
    return false;
}

/* The checks stand in the order of docs/wire.md; in a critical section. */
static enum eb_reject_result admit(struct eb_bridge *bridge, uint64_t now, const struct eb_slot *wanted)
{
    struct eb_outputs *outputs = &bridge->outputs;

    if (is_waiting(bridge, wanted->cmd_id))
        return EB_DUP;
    if (!outputs->armed)
        return EB_SAFE;
    if (wanted->output >= bridge->identity->outputs)
        return EB_BAD_OUTPUT;
    if (wanted->ticks <= now)
        return EB_LATE;
    for (size_t i = 0; i < EB_MAX_WAITING; i++) {
        if (outputs->slots[i].state == EB_SLOT_FREE) {
            outputs->slots[i] = *wanted;
            return EB_ACCEPTED;
        }
    }
    return EB_FULL;
}

void eb_outputs_reject(struct eb_bridge *bridge, uint64_t now, const uint8_t *payload)
{
    struct eb_outputs *outputs = &bridge->outputs;
    struct eb_slot wanted;
    const struct eb_answer *answer;
    enum eb_reject_result result;

    wanted.state = EB_SLOT_WAITING;
    wanted.cmd_id = eb_get_u32(payload);
    wanted.ticks = eb_get_u64(payload + 8);
    wanted.pulse_ticks = eb_ticks_of_us(bridge, eb_get_u32(payload + 16));
    wanted.output = payload[20];
    answer = answer_to(outputs, wanted.cmd_id);
    if (answer != NULL) {
        say_ack(bridge, wanted.cmd_id, answer->result == EB_ACCEPTED ? EB_DUP : (enum eb_reject_result)answer->result);
        if (answer->fired)
            say_done(bridge, wanted.cmd_id, answer->fired_ticks);
        return;
    }
    eb_enter(bridge);
    result = admit(bridge, now, &wanted);
    eb_leave(bridge);
    if (result != EB_DUP)
        remember(outputs, wanted.cmd_id, result);
    say_ack(bridge, wanted.cmd_id, result);
}

void eb_outputs_cancel(struct eb_bridge *bridge, const uint8_t *payload)
{
    struct eb_outputs *outputs = &bridge->outputs;
    uint32_t cmd_id = eb_get_u32(payload);
    bool found = false;

    eb_enter(bridge);
    for (size_t i = 0; i < EB_MAX_WAITING && !found; i++) {
        struct eb_slot *slot = &outputs->slots[i];
        found = slot->state == EB_SLOT_WAITING && slot->cmd_id == cmd_id;
        if (found)
            slot->state = EB_SLOT_FREE;
    }
    eb_leave(bridge);
    if (found)
        revise(outputs, cmd_id, EB_CANCELLED);
    say_ack(bridge, cmd_id, found ? EB_CANCELLED : EB_UNKNOWN);
}

uint8_t eb_outputs_waiting(const struct eb_bridge *bridge)
{
    uint8_t waiting = 0;

    for (size_t i = 0; i < EB_MAX_WAITING; i++)
        if (bridge->outputs.slots[i].state == EB_SLOT_WAITING)
            waiting++;
    return waiting;
}
