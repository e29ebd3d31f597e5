/* What a board gives the bridge: seven small functions and what the board is. Every function gets the board's own
 * `context`, returns at once and never waits. README.md says when each is called, and from where. */
#ifndef EB_HAL_H
#define EB_HAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

/* What a read of the sensor's memory says beside the samples. */
struct eb_reading {
    uint64_t first_ticks;     /* when the first sample of this read was taken [ticks] */
    uint32_t lost;            /* samples the sensor lost before its oldest one; only together with 0 samples */
    int16_t temperature_cdeg; /* of the sensor [0.01 degrees Celsius] */
    bool fault;               /* the sensor did not answer: the samples mean nothing */
};

struct eb_hal {
    void *context;

    /* Ticks since the start of the board, 64 bits, never back. Safe in an interrupt. */
    uint64_t (*now_ticks)(void *context);

    /* Take up to `count` bytes for the wire; how many were taken. */
    size_t (*uart_write)(void *context, const uint8_t *bytes, size_t count);

    /* Sample at `rate_hz` with a full scale of `range_mg`, beginning with an empty memory; stop at a rate of 0. */
    void (*sample)(void *context, uint32_t rate_hz, uint32_t range_mg);

    /* Move up to `max` of the oldest samples out of the sensor's memory; how many were moved. */
    size_t (*read_fifo)(void *context, int16_t (*samples)[EB_AXES], size_t max, struct eb_reading *reading);

    /* Drive one output. Called in a critical section, and from eb_fire in its interrupt. */
    void (*set_output)(void *context, uint8_t output, bool level);

    /* Keep the interrupts out that call eb_edge and eb_fire, and let them in again. The pair nests. */
    void (*enter_critical)(void *context);
    void (*leave_critical)(void *context);
};

/* What HELLO says of the board. */
struct eb_identity {
    uint32_t firmware;      /* major * 65536 + minor * 256 + patch */
    uint64_t boot_id;       /* differs from that of the start before: a counter in flash, or random */
    uint32_t tick_hz;       /* of now_ticks [1/s], 10 kHz to 1 GHz */
    char sensor[16];        /* its name, ASCII, filled up with zero bytes */
    uint32_t full_scale_mg; /* largest range of the sensor [mg] */
    uint32_t rate_hz;       /* highest sample rate [Hz] */
    uint8_t inputs;         /* trigger inputs, at most 8 */
    uint8_t outputs;        /* reject outputs, at most EB_MAX_OUTPUTS */
    uint8_t safe_levels;    /* of the outputs until the first CONFIG, bit 0 the first */
};

#endif
