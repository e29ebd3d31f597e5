/* Pings: ten before the session is up, then one a second. Each answer goes to the integrator; the last one is kept. */
#include "host_parts.h"

#define FIRST_PINGS 10u
#define FIRST_PING_US 20000u /* between an answer and the next ping at the start */
#define PING_US 1000000u
#define PING_AGAIN_US 100000u /* until the next one when one is not answered at the start */
#define DITHER 618u           /* of a thousand: pings in step with the blocks would all wait for one */

void eh_clock_begin(struct eh_host *host, uint64_t now)
{
    host->pings = 0;
    host->pongs = 0;
    host->next_ping_us = now;
}

uint64_t eh_clock_step(struct eh_host *host, uint64_t now)
{
    if (now >= host->next_ping_us) {
        uint8_t payload[EB_PING_BYTES];

        if (host->pings == EH_PINGS_OPEN) {
            for (uint8_t i = 1; i < EH_PINGS_OPEN; i++)
                host->pings_us[i - 1] = host->pings_us[i];
            host->pings--;
        }
        host->pings_us[host->pings++] = now;
        eb_put_u64(payload, now * 1000u);
        eh_say(host, EB_PING, payload, sizeof payload);
        host->next_ping_us = now + (host->state == EH_IS_UP ? PING_US : PING_AGAIN_US);
    }
    return host->next_ping_us;
}

/* Take a ping out of the open ones; one that was answered before, or that nobody asked, is not among them. */
static bool close_ping(struct eh_host *host, uint64_t sent_ns)
{
    bool found = false;

    for (uint8_t i = 0; i < host->pings; i++) {
        if (found)
            host->pings_us[i - 1] = host->pings_us[i];
        else
            found = host->pings_us[i] * 1000u == sent_ns;
    }
    host->pings = (uint8_t)(host->pings - found);
    return found;
}

bool eh_clock_pong(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    struct eh_event event = {.kind = EH_PONG};
    struct eh_pong *pong = &event.of.pong;
    uint64_t pause_us = host->state == EH_IS_UP ? PING_US : FIRST_PING_US;

    if (!close_ping(host, eb_get_u64(payload)))
        return false;
    pong->sent_us = eb_get_u64(payload) / 1000u;
    pong->received_us = now;
    pong->rx_ticks = eb_get_u64(payload + 8);
    pong->tx_ticks = eb_get_u64(payload + 16);
    if (pong->tx_ticks < pong->rx_ticks)
        return false;
    host->clock_us = pong->sent_us + (now - pong->sent_us) / 2u;
    host->clock_ticks = pong->rx_ticks + (pong->tx_ticks - pong->rx_ticks) / 2u;
    pause_us += pause_us * (DITHER * host->pongs % 1000u) / 1000u;
    host->next_ping_us = eh_min(host->next_ping_us, now + pause_us);
    host->pongs++;
    eh_tell(host, &event);
    return host->state == EH_SYNCING && host->pongs >= FIRST_PINGS;
}

uint64_t eh_clock_ticks(const struct eh_host *host, uint64_t now)
{
    uint64_t since_us = now - host->clock_us;

    return host->clock_ticks + since_us / 1000000u * host->board.tick_hz +
           since_us % 1000000u * host->board.tick_hz / 1000000u;
}
