/* What the parts of the bridge do for each other; not for an integrator. */
#ifndef EB_PARTS_H
#define EB_PARTS_H

#include "bridge.h"

static inline uint64_t eb_now(const struct eb_bridge *bridge)
{
    return bridge->hal->now_ticks(bridge->hal->context);
}

static inline void eb_enter(const struct eb_bridge *bridge)
{
    bridge->hal->enter_critical(bridge->hal->context);
}

static inline void eb_leave(const struct eb_bridge *bridge)
{
    bridge->hal->leave_critical(bridge->hal->context);
}

static inline uint64_t eb_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Rounded up: what shall last a time lasts no less. */
static inline uint64_t eb_ticks_of_us(const struct eb_bridge *bridge, uint32_t us)
{
    return ((uint64_t)us * bridge->identity->tick_hz + 999999u) / 1000000u;
}

/* Rounded down: a lease holds no longer than it says. */
static inline uint64_t eb_ticks_of_ms(const struct eb_bridge *bridge, uint32_t ms)
{
    return (uint64_t)ms * bridge->identity->tick_hz / 1000u;
}

/* transmit.c */
void eb_say(struct eb_bridge *bridge, enum eb_type type, const uint8_t *payload, size_t length);
void eb_pump(struct eb_bridge *bridge);
bool eb_has_bytes_waiting(const struct eb_bridge *bridge);

/* blocks.c */
void eb_blocks_start(struct eb_bridge *bridge);
void eb_blocks_stop(struct eb_bridge *bridge);
void eb_blocks_gather(struct eb_bridge *bridge);
size_t eb_blocks_encode(struct eb_bridge *bridge, uint16_t seq, uint8_t *wire); /* 0 when none waits */

/* edges.c */
void eb_edges_configure(struct eb_bridge *bridge, uint8_t input, bool rising, uint32_t debounce_us);
uint64_t eb_edges_step(struct eb_bridge *bridge, uint64_t now); /* gives the tick of its next wake */

/* outputs.c */
void eb_outputs_init(struct eb_bridge *bridge);
void eb_outputs_forget(struct eb_bridge *bridge);
void eb_outputs_configure(struct eb_bridge *bridge, uint8_t active, uint8_t safe, uint32_t lease_ms);
void eb_outputs_settle(struct eb_bridge *bridge, uint64_t now);
void eb_outputs_arm(struct eb_bridge *bridge, uint64_t now);
bool eb_outputs_heartbeat(struct eb_bridge *bridge, uint64_t now, uint32_t lease_ms); /* whether a lease holds */
void eb_outputs_reject(struct eb_bridge *bridge, uint64_t now, const uint8_t *payload);
void eb_outputs_cancel(struct eb_bridge *bridge, const uint8_t *payload);
uint8_t eb_outputs_waiting(const struct eb_bridge *bridge);

/* bridge.c */
void eb_say_status(struct eb_bridge *bridge, uint64_t now);

#endif
