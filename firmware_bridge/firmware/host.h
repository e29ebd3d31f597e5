/* The host's end of docs/wire.md: for a gateway or a program beside a PLC that has no Python. All its state is one struct
 * that the integrator gives; it allocates nothing and never waits. Its fields are its own: look at them in a debugger.
 *
 * Everything here belongs to one context. `heard` may call eh_reject, eh_hold and eh_follow_from, nothing else. */
#ifndef EH_HOST_H
#define EH_HOST_H

#include "codec.h"

#define EH_WINDOW 8u           /* reliable packets that may be unacknowledged */
#define EH_WAITING 16u         /* reliable messages that may wait for the window; one more is refused */
#define EH_REPEATS 3u          /* repetitions without an answer after which the link is down */
#define EH_RELIABLE_BYTES 21u  /* the longest reliable payload: REJECT */
#define EH_REJECTS 32u         /* pulses whose fate is open; one more is EH_FULL */
#define EH_STRANDED 16u        /* of them, those that wait for the outputs to be armed anew */
#define EH_EDGES_KEPT 64u      /* edges relative to which a pulse can be asked for */
#define EH_PINGS_OPEN 16u      /* pings whose answer is still taken; the oldest is forgotten */
#define EH_OUT_BYTES 1024u     /* bytes that wait for the wire; what does not fit is counted, and reliable packets come again */

/* How to sample, what announces a part, what is safe: the fields of CONFIG. */
struct eh_config {
    uint32_t rate_hz;
    uint32_t range_mg;
    uint16_t block_samples;
    uint16_t lease_ms;
    uint32_t debounce_us;
    uint8_t trigger_input;
    uint8_t trigger_rising;
    uint8_t active_levels; /* of the outputs, bit 0 the first */
    uint8_t safe_levels;
};

/* What HELLO says of the microcontroller. */
struct eh_board {
    uint32_t firmware;
    uint64_t boot_id; /* names the count of edges: another one, and they begin at 1 */
    uint32_t tick_hz;
    char sensor[16];
    uint32_t full_scale_mg;
    uint32_t rate_hz;
    uint8_t inputs;
    uint8_t outputs;
};

/* What became of a pulse; docs/gate.md says what to do about each. */
enum eh_fate {
    EH_ASKED, /* nothing yet: a report follows */
    EH_DONE,
    EH_LATE,
    EH_FULL,
    EH_SAFE,
    EH_CANCELLED,
    EH_BAD_OUTPUT,
    EH_DOWN,
    EH_REBOOTED,
    EH_FORGOTTEN,
    EH_UNKNOWN
};

/* Why a session has ended. After those up to EH_BAD_CONFIG a person must change something. */
enum eh_reason {
    EH_OTHER_VERSION,  /* of the packets, or of the protocol */
    EH_NO_CLOCK,       /* what answers is another host, or a plug that echoes */
    EH_BAD_CONFIG,     /* the microcontroller cannot do what is wanted; `config_result` says what */
    EH_NOBODY,         /* no answer to the greeting */
    EH_NOT_PACKETS,    /* bytes, and none of them a packet: another speed or another device */
    EH_STUCK,          /* it answered the greeting and then not enough to go on */
    EH_SILENT,         /* nothing was heard for 2.5 s */
    EH_UNACKNOWLEDGED  /* a reliable packet was repeated in vain */
};

struct eh_edge {
    uint32_t seq;
    uint64_t ticks;
    uint8_t input;
    uint8_t level;
    uint8_t glitches;
};

struct eh_block {
    uint32_t seq;
    uint64_t first_sample;
    uint64_t first_ticks;
    uint64_t missing; /* samples right before it: dropped by the microcontroller, or lost on the wire */
    uint8_t flags;
    int16_t temperature_cdeg;
    uint16_t count;
    const uint8_t *samples; /* count times EB_AXES, int16 little endian: read them with eh_sample */
};

struct eh_report {
    uint32_t part_seq;
    uint8_t output;
    enum eh_fate fate;
    uint64_t fire_ticks;
    uint64_t actual_ticks; /* 0 unless it is EH_DONE */
};

/* One answered ping: at a tick between rx and tx the host's clock stood between sent and received. */
struct eh_pong {
    uint64_t sent_us;
    uint64_t received_us;
    uint64_t rx_ticks;
    uint64_t tx_ticks;
};

enum eh_kind { EH_UP, EH_ENDED, EH_HAS_REBOOTED, EH_HAS_ARMED, EH_HAS_LAPSED, EH_EDGE, EH_BLOCK, EH_REPORT, EH_PONG, EH_LOG };

struct eh_event {
    enum eh_kind kind;
    union {
        uint32_t edges; /* EH_UP: number of the last edge before */
        enum eh_reason reason;
        struct eh_edge edge;
        struct eh_block block;
        struct eh_report report;
        struct eh_pong pong;
        struct {
            uint8_t level;
            const char *text; /* not ended by a zero byte */
            uint16_t length;
        } log;
    } of;
};

struct eh_hal {
    void *context;
    uint64_t (*now_us)(void *context);                                     /* monotonic, never back [us] */
    size_t (*write)(void *context, const uint8_t *bytes, size_t count);    /* how many were taken; 0 is a good answer */
    uint64_t (*new_id)(void *context);                                     /* a number that no session before had */
    void (*heard)(void *context, const struct eh_event *event);            /* what it points to holds until it returns */
};

/* Samples and edges of all sessions: received + dropped + lost = what their numbers span. */
struct eh_counts {
    uint64_t samples, samples_dropped, samples_lost;
    uint32_t blocks_lost, blocks_stale, blocks_contradictory;
    uint32_t edges, edges_lost, edges_repeated;
    uint32_t packets, packets_lost, packets_stale, corrupt, unusable;
    uint32_t retried, refused, unsent, asked_again, asked_anew;
};

enum eh_state { EH_CLOSED, EH_GREETING, EH_CONFIGURING, EH_SYNCING, EH_IS_UP };

struct eh_packet {
    uint8_t type;
    uint8_t length;
    uint64_t sent_us;
    uint8_t payload[EH_RELIABLE_BYTES];
};

enum eh_slot_state { EH_SLOT_FREE, EH_SLOT_OPEN, EH_SLOT_STRANDED };

struct eh_slot {
    uint8_t state;
    uint8_t output;
    uint8_t asked;       /* how often */
    uint8_t before;      /* enum eh_fate: what it is, or was, when stranded */
    uint32_t cmd_id;
    uint32_t part_seq;
    uint32_t pulse_us;
    uint32_t arming;     /* how often the outputs had been armed when it was asked for */
    uint64_t fire_ticks;
    uint64_t due_us;
    uint64_t answer_by_us;
};

struct eh_host {
    const struct eh_hal *hal;
    const struct eh_config *config;
    struct eb_decoder decoder;
    uint8_t kept[EB_MAX_PACKET];
    enum eh_state state;
    struct eh_board board; /* holds from the first EH_UP on */
    bool known;            /* a board has answered before */
    uint8_t config_result;
    uint64_t id;
    uint64_t begun_us, heard_us, next_hello_us;
    uint8_t unanswered; /* greetings in a row that nobody answered */
    bool hello_sent, answered_hello;
    struct eh_board greeting;
    bool any_bytes, any_packet, failed;
    enum eh_reason failure;
    struct eh_counts counts;

    /* host_link.c */
    uint8_t out[EH_OUT_BYTES];
    size_t out_used;
    uint16_t counted_seq, reliable_seq; /* of the next counted packet; of the oldest in flight */
    struct eh_packet packets[EH_WINDOW + EH_WAITING];
    uint8_t first, flying, queued; /* the oldest; in flight; in flight and waiting */
    uint8_t repeats;
    bool gap_closed; /* what is missing was repeated once; each packet behind it says so again */
    bool down;
    bool counting;
    uint16_t peer_seq;

    /* host_clock.c */
    uint64_t pings_us[EH_PINGS_OPEN];
    uint8_t pings;
    uint32_t pongs;
    uint64_t next_ping_us, clock_us, clock_ticks;

    /* host_account.c */
    bool any_block;
    uint64_t next_sample;
    uint32_t next_block, last_edge;
    bool told;
    uint32_t told_edges;
    uint64_t told_at_us;
    struct {
        uint32_t seq;
        uint64_t ticks, arrival_us;
    } edges[EH_EDGES_KEPT];
    uint8_t next_edge;

    /* host_rejects.c */
    struct eh_slot slots[EH_REJECTS];
    uint32_t last_id, armings;
    bool armed, held;
    uint64_t held_us, from_us, lease_due_us;
};

/* Begin, without a session. `hal` and `config` stay the caller's and must outlive the host. */
void eh_init(struct eh_host *host, const struct eh_hal *hal, const struct eh_config *config);

/* Begin a session, after the port was opened and after each EH_ENDED. One that was not closed ends as by eh_close. */
void eh_open(struct eh_host *host);

/* End it, because the port is gone. Pulses whose tick is to come may be asked for again in the next session. */
void eh_close(struct eh_host *host);

/* Take bytes that came, in any pieces. Call eh_step afterwards. */
void eh_receive(struct eh_host *host, const uint8_t *bytes, size_t count);

/* Do what is due, without a session too: a pulse whose tick passes between EH_ENDED and eh_open is reported by it. Gives the microseconds until it must be called again, at most a second; call it earlier when bytes came,
 * when the port takes bytes again, and after eh_reject. */
uint32_t eh_step(struct eh_host *host);

/* Say that whoever decides about parts is alive: eight times within a lease. Without it the outputs become safe. */
void eh_hold(struct eh_host *host);

/* Let the outputs be at their safe level until a moment [us]: say it at EH_UP where parts that nobody judged are on the belt. */
void eh_follow_from(struct eh_host *host, uint64_t at_us);

/* Ask for a pulse, `after_us` after the edge of a part, in ticks; of edge 0: after now, known to half a round trip. Gives
 * EH_ASKED, and one EH_REPORT follows, or what became of it. */
enum eh_fate eh_reject(struct eh_host *host, uint32_t edge, uint32_t after_us, uint32_t pulse_us, uint8_t output);

int16_t eh_sample(const struct eh_block *block, uint16_t index, uint8_t axis);

#endif
