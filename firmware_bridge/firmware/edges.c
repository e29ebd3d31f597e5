/* The trigger input. Debouncing works on the ticks of the changes, within the interrupt and in constant time, so that
 * neither a storm of glitches nor a late eb_step changes what counts; eb_step only says what was counted. */
#include "parts.h"

static bool level_of(const struct eb_edges *edges)
{
    return (edges->levels & (1u << edges->input)) != 0;
}

static void count_edge(struct eb_edges *edges)
{
    edges->stable = !edges->stable;
    edges->pending = false;
    if (edges->stable != edges->rising)
        return;
    edges->seq++;
    if (edges->waiting < EB_EDGE_BUFFERS) { /* else the gap in `seq` tells the host */
        struct eb_edge_record *record = &edges->ring[(edges->first + edges->waiting++) % EB_EDGE_BUFFERS];
        record->seq = edges->seq;
        record->ticks = edges->since;
        record->input = edges->input;
        record->level = edges->stable;
        record->glitches = edges->glitches;
    }
    edges->glitches = 0;
}

static void count_lasting(struct eb_edges *edges, uint64_t now)
{
    /* A `now` from before an interrupt may be older than `since`. */
    if (edges->pending && now >= edges->since + edges->debounce_ticks)
        count_edge(edges);
}

void eb_edge(struct eb_bridge *bridge, uint8_t input, bool level, uint64_t ticks)
{
    struct eb_edges *edges = &bridge->edges;
    uint8_t bit = (uint8_t)(1u << (input & 7u));
    bool changed = ((edges->levels & bit) != 0) != level;

    edges->levels = (uint8_t)(level ? edges->levels | bit : edges->levels & ~bit);
    if (!edges->counting || input != edges->input || !changed)
        return;
    count_lasting(edges, ticks);
    if (level != edges->stable) {
        edges->pending = true;
        edges->since = ticks;
        count_lasting(edges, ticks);
    } else if (edges->pending) {
        edges->pending = false;
        if (edges->glitches < UINT8_MAX)
            edges->glitches++;
    }
}

void eb_edges_configure(struct eb_bridge *bridge, uint8_t input, bool rising, uint32_t debounce_us)
{
    struct eb_edges *edges = &bridge->edges;
    uint64_t debounce_ticks = eb_ticks_of_us(bridge, debounce_us);

    eb_enter(bridge);
    if (!edges->counting || input != edges->input || rising != edges->rising) {
        edges->input = input;
        edges->rising = rising;
        edges->stable = level_of(edges); /* a part that is there already has not arrived now */
        edges->pending = false;
        edges->glitches = 0;
    }
    edges->debounce_ticks = debounce_ticks;
    edges->counting = true;
    eb_leave(bridge);
}

static void say_edge(struct eb_bridge *bridge, const struct eb_edge_record *record)
{
    uint8_t payload[EB_EDGE_BYTES];
    uint8_t *at = payload;

    at = eb_put_u32(at, record->seq);
    at = eb_put_u64(at, record->ticks);
    *at++ = record->input;
    *at++ = record->level;
    *at = record->glitches;
    eb_say(bridge, EB_EDGE, payload, sizeof payload);
}

static bool take_edge(struct eb_bridge *bridge, struct eb_edge_record *record)
{
    struct eb_edges *edges = &bridge->edges;
    bool some;

    eb_enter(bridge);
    some = edges->waiting > 0;
    if (some) {
        *record = edges->ring[edges->first];
        edges->first = (edges->first + 1) % EB_EDGE_BUFFERS;
        edges->waiting--;
    }
    eb_leave(bridge);
    return some;
}

uint64_t eb_edges_step(struct eb_bridge *bridge, uint64_t now)
{
    struct eb_edges *edges = &bridge->edges;
    struct eb_edge_record record;
    uint64_t due;

    eb_enter(bridge);
    count_lasting(edges, now);
    due = edges->pending ? edges->since + edges->debounce_ticks : UINT64_MAX;
    eb_leave(bridge);
    while (take_edge(bridge, &record)) {
        if (edges->again)
            say_edge(bridge, &edges->told);
        say_edge(bridge, &record);
        edges->told = record;
        edges->again = true;
        edges->again_at = now + eb_ticks_of_ms(bridge, EB_EDGE_AGAIN_MS);
    }
    if (edges->again && now >= edges->again_at) {
        say_edge(bridge, &edges->told);
        edges->again = false;
    }
    return edges->again ? eb_min(due, edges->again_at) : due;
}
