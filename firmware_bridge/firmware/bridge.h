/* The microcontroller's end of docs/wire.md. All its state is one struct that the integrator gives; it allocates nothing
 * and never waits. Its fields are the bridge's own: an integrator may look at them in a debugger, not write them.
 *
 * eb_init, eb_receive, eb_step and eb_log belong to one context, the main loop. eb_edge and eb_fire may be called in
 * interrupts that hal->enter_critical keeps out. */
#ifndef EB_BRIDGE_H
#define EB_BRIDGE_H

#include "codec.h"
#include "hal.h"

#ifndef EB_BLOCK_BUFFERS
#define EB_BLOCK_BUFFERS 3u /* blocks of samples that are gathered or wait; 2,036 bytes each */
#endif
#ifndef EB_MESSAGE_BYTES
#define EB_MESSAGE_BYTES 1024u /* small messages that wait: a lapse with 16 rejects takes 150, at most 255 fit one */
#endif
#ifndef EB_EDGE_BUFFERS
#define EB_EDGE_BUFFERS 16u /* edges between two calls of eb_step */
#endif
#define EB_KEPT_BYTES 64u /* header, payload and CRC of the longest message to the microcontroller are 57 */

/* transmit.c: what waits for the wire. Small messages go before blocks, and have room of their own. */
struct eb_transmit {
    uint8_t wire[EB_MAX_WIRE]; /* the packet that is going out */
    size_t length;             /* of it [bytes] */
    size_t sent;               /* of that, taken by uart_write [bytes] */
    uint8_t messages[EB_MESSAGE_BYTES]; /* a ring of type, length, payload */
    size_t first;                       /* where the oldest message begins */
    size_t used;                        /* [bytes] */
    uint16_t seq;                       /* of the next packet */
    uint32_t refused;                   /* messages that found no room; each leaves a gap in `seq` */
};

/* blocks.c: samples on their way from the sensor to the wire. */
struct eb_block {
    uint32_t seq;
    uint64_t first_sample;
    uint64_t first_ticks;
    uint32_t dropped_before;
    uint8_t flags;
    int16_t temperature_cdeg;
    uint16_t count; /* samples that it holds */
    int16_t samples[EB_MAX_BLOCK_SAMPLES][EB_AXES];
};

struct eb_blocks {
    struct eb_block ring[EB_BLOCK_BUFFERS];
    size_t first;         /* the oldest block that waits */
    size_t waiting;       /* whole blocks; the one behind them is being filled */
    bool sampling;
    uint16_t skip;        /* samples of the block that is being dropped */
    uint32_t seq;         /* of the next whole block */
    uint64_t next_sample; /* number of the next sample of the sensor, lost ones included */
    uint32_t untold;      /* samples dropped since the last block */
    uint32_t dropped;     /* samples dropped since CONFIG */
    uint32_t sent;        /* blocks since CONFIG */
    uint16_t high;        /* most samples that ever waited */
};

/* edges.c: the debounced trigger input. */
struct eb_edge_record {
    uint32_t seq;
    uint64_t ticks;
    uint8_t input;
    uint8_t level;
    uint8_t glitches;
};

struct eb_edges {
    bool counting;
    uint8_t levels; /* last told level of each input, bit 0 the first */
    uint8_t input;  /* that is counted */
    bool rising;
    uint64_t debounce_ticks;
    bool stable;  /* the level that counts */
    bool pending; /* the other level is there since `since`, not yet for long enough */
    uint64_t since;
    uint8_t glitches;
    uint32_t seq; /* of the last edge */
    struct eb_edge_record ring[EB_EDGE_BUFFERS];
    size_t first;
    size_t waiting;
    struct eb_edge_record told;
    bool again; /* `told` is said once more at `again_at` */
    uint64_t again_at;
};

/* outputs.c: the lease, the rejects that wait and the pulses. */
enum eb_slot_state { EB_SLOT_FREE, EB_SLOT_WAITING, EB_SLOT_FIRED };

struct eb_slot {
    uint8_t state;
    uint8_t output;
    uint32_t cmd_id;
    uint64_t ticks; /* when it is to fire; once fired, when it did */
    uint64_t pulse_ticks;
};

struct eb_answer {
    uint32_t cmd_id;
    uint8_t result; /* what was said the first time */
    bool fired;
    uint64_t fired_ticks;
};

struct eb_outputs {
    uint8_t active; /* level of a pulse of each output, bit 0 the first */
    uint8_t safe;
    bool armed;
    bool lapsed;
    bool lapse_untold;
    uint64_t lease_ticks;
    uint64_t lease_until;
    struct eb_slot slots[EB_MAX_WAITING];
    uint8_t pulsing; /* outputs within a pulse */
    uint64_t pulse_until[EB_MAX_OUTPUTS];
    struct eb_answer answers[EB_MAX_ANSWERED]; /* a ring */
    uint8_t answered;                          /* entries of it that hold */
    uint8_t next_answer;
};

struct eb_bridge {
    const struct eb_hal *hal;
    const struct eb_identity *identity;
    struct eb_decoder decoder;
    uint8_t kept[EB_KEPT_BYTES];
    bool greeted; /* a host has said HELLO */
    uint64_t session;
    uint16_t expected; /* number of the next reliable packet */
    bool configured;
    uint32_t rate_hz;
    uint32_t range_mg;
    uint16_t block_samples;
    uint64_t status_at;
    uint32_t received;
    uint32_t corrupt;
    uint32_t foreign;
    uint32_t out_of_order;
    uint32_t unread; /* whole packets that are no message to a microcontroller */
    struct eb_transmit transmit;
    struct eb_blocks blocks;
    struct eb_edges edges;
    struct eb_outputs outputs;
};

/* Begin: outputs to identity->safe_levels, HELLO on the wire at the first eb_step. `hal` and `identity` stay the caller's
 * and must outlive the bridge. */
void eb_init(struct eb_bridge *bridge, const struct eb_hal *hal, const struct eb_identity *identity);

/* Take bytes that came over the wire, in any pieces. Call eb_step afterwards. */
void eb_receive(struct eb_bridge *bridge, const uint8_t *bytes, size_t count);

/* Do what is due. Gives the ticks until it must be called again, at most one second; call it earlier whenever bytes came,
 * the sensor's memory fills or the UART took what it had. */
uint32_t eb_step(struct eb_bridge *bridge);

/* Interrupt: `input` is at `level` since `ticks`. Also once for each input between eb_init and the first eb_receive. */
void eb_edge(struct eb_bridge *bridge, uint8_t input, bool level, uint64_t ticks);

/* Timer interrupt: fire, end and lapse what is due at `now`. Gives the tick at which it is due next, UINT64_MAX for never.
 * A board without such a timer leaves it to eb_step. */
uint64_t eb_fire(struct eb_bridge *bridge, uint64_t now);

/* The tick for that timer: to be asked after each eb_step. */
uint64_t eb_next_fire(struct eb_bridge *bridge);

/* Say a line for people: `level` 0 information, 1 warning, 2 error; at most 200 bytes of `text`. */
void eb_log(struct eb_bridge *bridge, uint8_t level, const char *text);

#endif
