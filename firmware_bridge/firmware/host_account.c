/* What arrived against what was numbered: samples and edges that are missing are counted, never guessed. */
#include "host_parts.h"

#define REPEAT_US 50000u /* the second copy of an edge has come by then */
#define HALF 0x80000000u

void eh_account_begin(struct eh_host *host, uint32_t edges)
{
    host->any_block = false;
    host->last_edge = edges;
    host->told = false;
}

/* The counter began anew: no tick of before means anything. */
void eh_account_forget(struct eh_host *host)
{
    for (uint8_t i = 0; i < EH_EDGES_KEPT; i++)
        host->edges[i].seq = 0;
}

void eh_account_passed(struct eh_host *host, uint32_t edges)
{
    if (edges > host->last_edge)
        host->last_edge = edges;
}

void eh_account_told(struct eh_host *host, uint32_t edges, uint64_t now)
{
    if (host->told)
        return;
    host->told = true;
    host->told_edges = edges;
    host->told_at_us = now + REPEAT_US;
}

uint64_t eh_account_step(struct eh_host *host, uint64_t now)
{
    if (!host->told)
        return UINT64_MAX;
    if (now < host->told_at_us)
        return host->told_at_us;
    host->told = false;
    if (host->told_edges > host->last_edge) {
        host->counts.edges_lost += host->told_edges - host->last_edge;
        host->last_edge = host->told_edges;
    }
    return UINT64_MAX;
}

void eh_account_edge(struct eh_host *host, const uint8_t *payload, uint64_t now)
{
    struct eh_event event = {.kind = EH_EDGE};
    struct eh_edge *edge = &event.of.edge;

    edge->seq = eb_get_u32(payload);
    edge->ticks = eb_get_u64(payload + 4);
    edge->input = payload[12];
    edge->level = payload[13];
    edge->glitches = payload[14];
    if (host->state != EH_IS_UP) {
        eh_account_passed(host, edge->seq);
        return;
    }
    if (edge->seq <= host->last_edge) {
        host->counts.edges_repeated++;
        return;
    }
    host->counts.edges_lost += edge->seq - host->last_edge - 1u;
    host->counts.edges++;
    host->last_edge = edge->seq;
    host->edges[host->next_edge].seq = edge->seq;
    host->edges[host->next_edge].ticks = edge->ticks;
    host->edges[host->next_edge].arrival_us = now;
    host->next_edge = (uint8_t)((host->next_edge + 1u) % EH_EDGES_KEPT);
    eh_tell(host, &event);
}

bool eh_account_moment(const struct eh_host *host, uint32_t edge, uint64_t *ticks, uint64_t *arrival_us)
{
    for (uint8_t i = 0; i < EH_EDGES_KEPT; i++)
        if (host->edges[i].seq == edge) {
            *ticks = host->edges[i].ticks;
            *arrival_us = host->edges[i].arrival_us;
            return true;
        }
    return false;
}

/* Whether the numbers of a block can be true; `missing` are the samples right before it. */
static bool follows(struct eh_host *host, const struct eh_block *block, uint32_t dropped)
{
    uint32_t ahead = block->seq - host->next_block;

    if (ahead >= HALF) {
        host->counts.blocks_stale++;
        return false;
    }
    if (block->first_sample < host->next_sample || block->missing < dropped || (ahead == 0 && block->missing != dropped)) {
        host->counts.blocks_contradictory++;
        return false;
    }
    host->counts.blocks_lost += ahead;
    host->counts.samples_dropped += dropped;
    host->counts.samples_lost += block->missing - dropped;
    return true;
}

void eh_account_block(struct eh_host *host, const uint8_t *payload, uint16_t length)
{
    struct eh_event event = {.kind = EH_BLOCK};
    struct eh_block *block = &event.of.block;

    block->seq = eb_get_u32(payload);
    block->first_sample = eb_get_u64(payload + 4);
    block->first_ticks = eb_get_u64(payload + 12);
    block->flags = payload[24];
    block->temperature_cdeg = (int16_t)eb_get_u16(payload + 25);
    block->count = eb_get_u16(payload + 27);
    block->samples = payload + EB_BLOCK_BYTES;
    if (length != EB_BLOCK_BYTES + block->count * 2u * EB_AXES || block->count == 0) {
        host->counts.unusable++;
        return;
    }
    block->missing = host->any_block ? block->first_sample - host->next_sample : 0;
    if (host->any_block && !follows(host, block, eb_get_u32(payload + 20)))
        return;
    host->any_block = true;
    host->counts.samples += block->count;
    host->next_sample = block->first_sample + block->count;
    host->next_block = block->seq + 1u;
    eh_tell(host, &event);
}

int16_t eh_sample(const struct eh_block *block, uint16_t index, uint8_t axis)
{
    return (int16_t)eb_get_u16(block->samples + ((size_t)index * EB_AXES + axis) * 2u);
}
