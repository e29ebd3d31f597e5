/* A simulated board for a computer: what the firmware runs on in the tests. Everything follows from its ticks, so that the
 * same requests give the same bytes. */
#ifndef EB_SIM_H
#define EB_SIM_H

#include "bridge.h"

#define SIM_TICK_HZ 1000000u
#define SIM_INPUTS 2u
#define SIM_OUTPUTS 4u
#define SIM_MAX_CHANGES 4096u
#define SIM_FIFO_SAMPLES 512u /* what the sensor's memory holds */

struct sim_change {
    uint64_t ticks;
    uint8_t output;
    uint8_t level;
};

struct sim_board {
    struct eb_bridge bridge;
    struct eb_hal hal;
    struct eb_identity identity;
    uint64_t now;                /* [ticks] */
    uint64_t due;                /* when eb_step wants to be called [ticks] */
    uint32_t rate_hz;            /* of the sensor; 0 while it is off */
    uint64_t sampling_since;     /* [ticks] */
    uint64_t taken;              /* samples read or lost since then */
    uint32_t losing;             /* samples that the sensor is told to lose */
    bool fault;                  /* the sensor does not answer */
    uint8_t levels;              /* of the outputs */
    int critical;                /* how deep in critical sections */
    struct sim_change changes[SIM_MAX_CHANGES]; /* of the outputs, since the caller last looked */
    size_t change_count;
};

/* `write` is the wire; its context is the board. The bridge is begun at `now`. */
void sim_board_init(struct sim_board *board, uint64_t boot_id, uint64_t now,
                     size_t (*write)(void *context, const uint8_t *bytes, size_t count));
void sim_step(struct sim_board *board, uint64_t now);

int sim_lockstep(uint64_t boot_id, uint64_t now, uint64_t step_ticks);
int sim_live(const char *path, uint64_t boot_id, uint32_t part_ms, uint32_t width_ms);

#endif
