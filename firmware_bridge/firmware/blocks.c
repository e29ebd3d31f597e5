/* Samples on their way from the sensor to the wire. A block holds consecutive samples; when no buffer is free, a whole
 * block is dropped and said in the next one. `next_sample` moves over every sample, lost or not, so that the host can
 * account for all of them. */
#include <string.h>

#include "parts.h"

#define SCRATCH_SAMPLES 16u /* dropped samples are read into this much of the stack at a time */

void eb_blocks_start(struct eb_bridge *bridge)
{
    struct eb_blocks *blocks = &bridge->blocks;
    uint16_t high = blocks->high;

    memset(blocks, 0, sizeof *blocks);
    blocks->high = high;
    blocks->sampling = true;
    bridge->hal->sample(bridge->hal->context, bridge->rate_hz, bridge->range_mg);
}

void eb_blocks_stop(struct eb_bridge *bridge)
{
    bridge->blocks.sampling = false;
    bridge->blocks.waiting = 0;
    bridge->hal->sample(bridge->hal->context, 0, 0);
}

static struct eb_block *filling(struct eb_blocks *blocks)
{
    return &blocks->ring[(blocks->first + blocks->waiting) % EB_BLOCK_BUFFERS];
}

static void count_dropped(struct eb_blocks *blocks, uint32_t samples)
{
    blocks->untold += samples;
    blocks->dropped += samples;
    blocks->next_sample += samples;
}

static void note_high(struct eb_blocks *blocks)
{
    uint32_t samples = 0;

    for (size_t i = 0; i <= blocks->waiting && i < EB_BLOCK_BUFFERS; i++)
        samples += blocks->ring[(blocks->first + i) % EB_BLOCK_BUFFERS].count;
    if (samples > blocks->high)
        blocks->high = (uint16_t)samples;
}

static void begin_block(struct eb_blocks *blocks, struct eb_block *block, const struct eb_reading *reading)
{
    block->first_sample = blocks->next_sample;
    block->first_ticks = reading->first_ticks;
    block->temperature_cdeg = reading->temperature_cdeg;
    block->dropped_before = blocks->untold;
    block->flags = blocks->untold > 0 ? EB_BLOCK_OVERRUN : 0;
    blocks->untold = 0;
}

static bool is_saturated(int16_t (*samples)[EB_AXES], size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t axis = 0; axis < EB_AXES; axis++)
            if (samples[i][axis] == INT16_MAX || samples[i][axis] == INT16_MIN)
                return true;
    return false;
}

static void finish_block(struct eb_bridge *bridge)
{
    struct eb_blocks *blocks = &bridge->blocks;

    filling(blocks)->seq = blocks->seq++;
    blocks->waiting++;
    if (blocks->waiting < EB_BLOCK_BUFFERS)
        filling(blocks)->count = 0;
    eb_pump(bridge);
}

static size_t read_samples(struct eb_bridge *bridge, int16_t (*samples)[EB_AXES], size_t max,
                           struct eb_reading *reading)
{
    memset(reading, 0, sizeof *reading);
    return bridge->hal->read_fifo(bridge->hal->context, samples, max, reading);
}

/* Each reads once; false when the sensor has nothing more. */
static bool skip_some(struct eb_bridge *bridge)
{
    struct eb_blocks *blocks = &bridge->blocks;
    struct eb_reading reading;
    int16_t scratch[SCRATCH_SAMPLES][EB_AXES];
    uint16_t left = blocks->skip > 0 ? blocks->skip : bridge->block_samples;
    size_t count = read_samples(bridge, scratch, left < SCRATCH_SAMPLES ? left : SCRATCH_SAMPLES, &reading);

    count_dropped(blocks, (uint32_t)count + reading.lost);
    if (count > 0)
        blocks->skip = (uint16_t)(left - count);
    return count > 0 || reading.lost > 0;
}

static bool fill_some(struct eb_bridge *bridge)
{
    struct eb_blocks *blocks = &bridge->blocks;
    struct eb_block *block = filling(blocks);
    struct eb_reading reading;
    int16_t (*samples)[EB_AXES] = block->samples + block->count;
    size_t count = read_samples(bridge, samples, (size_t)(bridge->block_samples - block->count), &reading);

    if (reading.lost > 0) {
        if (block->count > 0)
            finish_block(bridge);
        count_dropped(blocks, reading.lost);
        return true;
    }
    if (count == 0)
        return false;
    if (block->count == 0)
        begin_block(blocks, block, &reading);
    if (is_saturated(samples, count))
        block->flags |= EB_BLOCK_SATURATED;
    if (reading.fault)
        block->flags |= EB_BLOCK_SENSOR_FAULT;
    block->count = (uint16_t)(block->count + count);
    blocks->next_sample += count;
    note_high(blocks);
    if (block->count == bridge->block_samples)
        finish_block(bridge);
    return true;
}

void eb_blocks_gather(struct eb_bridge *bridge)
{
    struct eb_blocks *blocks = &bridge->blocks;
    bool more = blocks->sampling;

    while (more)
        more = blocks->skip > 0 || blocks->waiting == EB_BLOCK_BUFFERS ? skip_some(bridge) : fill_some(bridge);
}

size_t eb_blocks_encode(struct eb_bridge *bridge, uint16_t seq, uint8_t *wire)
{
    struct eb_blocks *blocks = &bridge->blocks;
    const struct eb_block *block = &blocks->ring[blocks->first];
    struct eb_encoder encoder;
    uint8_t fixed[EB_BLOCK_BYTES];
    uint8_t sample[EB_AXES * 2];
    uint8_t *at = fixed;

    if (blocks->waiting == 0)
        return 0;
    at = eb_put_u32(at, block->seq);
    at = eb_put_u64(at, block->first_sample);
    at = eb_put_u64(at, block->first_ticks);
    at = eb_put_u32(at, block->dropped_before);
    *at++ = block->flags;
    at = eb_put_u16(at, (uint16_t)block->temperature_cdeg);
    eb_put_u16(at, block->count);
    eb_encoder_begin(&encoder, wire, EB_BLOCK, false, seq, (uint16_t)(EB_BLOCK_BYTES + block->count * sizeof sample));
    eb_encoder_put(&encoder, fixed, sizeof fixed);
    for (size_t i = 0; i < block->count; i++) {
        at = sample;
        for (size_t axis = 0; axis < EB_AXES; axis++)
            at = eb_put_u16(at, (uint16_t)block->samples[i][axis]);
        eb_encoder_put(&encoder, sample, sizeof sample);
    }
    if (blocks->waiting == EB_BLOCK_BUFFERS)
        blocks->ring[blocks->first].count = 0; /* it is the next to be filled */
    blocks->first = (blocks->first + 1) % EB_BLOCK_BUFFERS;
    blocks->waiting--;
    blocks->sent++;
    return eb_encoder_end(&encoder);
}
