/* What the parts of the host do for each other; not for an integrator. */
#ifndef EH_PARTS_H
#define EH_PARTS_H

#include "host.h"

static inline uint64_t eh_now(const struct eh_host *host)
{
    return host->hal->now_us(host->hal->context);
}

static inline void eh_tell(const struct eh_host *host, const struct eh_event *event)
{
    host->hal->heard(host->hal->context, event);
}

static inline uint64_t eh_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* host_link.c */
void eh_link_reset(struct eh_host *host);
void eh_link_open(struct eh_host *host);
void eh_say(struct eh_host *host, enum eb_type type, const uint8_t *payload, uint16_t length);
bool eh_say_reliably(struct eh_host *host, enum eb_type type, const uint8_t *payload, uint8_t length);
void eh_acknowledged(struct eh_host *host, uint16_t expected, bool missing);
void eh_count_packet(struct eh_host *host, const struct eb_packet *packet);
uint64_t eh_link_step(struct eh_host *host, uint64_t now); /* these give when they want to be called again */
void eh_pump(struct eh_host *host);

/* host_clock.c */
void eh_clock_begin(struct eh_host *host, uint64_t now);
uint64_t eh_clock_step(struct eh_host *host, uint64_t now);
bool eh_clock_pong(struct eh_host *host, const uint8_t *payload, uint64_t now); /* whether times can be told from now on */
uint64_t eh_clock_ticks(const struct eh_host *host, uint64_t now);

/* host_account.c */
void eh_account_begin(struct eh_host *host, uint32_t edges);
void eh_account_forget(struct eh_host *host);
void eh_account_passed(struct eh_host *host, uint32_t edges);
void eh_account_told(struct eh_host *host, uint32_t edges, uint64_t now);
void eh_account_edge(struct eh_host *host, const uint8_t *payload, uint64_t now);
void eh_account_block(struct eh_host *host, const uint8_t *payload, uint16_t length);
uint64_t eh_account_step(struct eh_host *host, uint64_t now);
bool eh_account_moment(const struct eh_host *host, uint32_t edge, uint64_t *ticks, uint64_t *arrival_us);

/* host_rejects.c */
void eh_lease_begin(struct eh_host *host, uint64_t now);
void eh_lease_told(struct eh_host *host, bool armed, uint64_t now);
uint64_t eh_lease_step(struct eh_host *host, uint64_t now);
void eh_rejects_answered(struct eh_host *host, const uint8_t *payload, uint64_t now);
void eh_rejects_done(struct eh_host *host, const uint8_t *payload);
void eh_rejects_broken(struct eh_host *host, uint64_t now);
void eh_rejects_rebooted(struct eh_host *host);
uint64_t eh_rejects_step(struct eh_host *host, uint64_t now);

#endif
