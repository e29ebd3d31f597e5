/* A board port to copy and fill in. The registers belong to a microcontroller that does not exist; everything else is as
 * it will be: one bridge, seven functions, three interrupts, a main loop. It compiles, so that it cannot go stale. */
#include "bridge.h"

#define TICK_HZ 10000000u /* the timer counts at 10 MHz: 100 ns */

/* Replace by the vendor's header. */
struct timer {
    uint32_t count;    /* free running */
    uint32_t compare;  /* interrupt when the count reaches it */
    uint32_t capture;  /* the count when the trigger input changed last */
    uint32_t overflow; /* 1 when the count has wrapped; write 0 to clear */
    uint32_t pend;     /* write 1 to enter the compare interrupt now */
};
struct uart {
    uint32_t received; /* bytes that can be read */
    uint32_t space;    /* bytes that can be written */
    uint32_t data;
};
struct port {
    uint32_t in;
    uint32_t set;
    uint32_t clear;
};
struct sensor {
    uint32_t rate_hz;
    uint32_t range_mg;
    uint32_t level;    /* samples in its memory */
    uint32_t overrun;  /* samples lost; reading clears it */
    uint32_t last;     /* low word of the tick of its newest sample, captured from its interrupt line */
    uint32_t sample[EB_AXES]; /* reading the last one moves on */
    int32_t temperature_cdeg;
    uint32_t missing;  /* it did not answer on the bus */
};
#define TIMER ((volatile struct timer *)0x40000000u)
#define UART ((volatile struct uart *)0x40010000u)
#define PORT ((volatile struct port *)0x40020000u)
#define SENSOR ((volatile struct sensor *)0x40030000u)
#define INTERRUPTS ((volatile uint32_t *)0x40040000u) /* 1: let in */
#define BOOT_COUNTER ((volatile uint32_t *)0x08070000u)

void timer_overflow_interrupt(void);
void timer_compare_interrupt(void);
void trigger_interrupt(void);

static struct eb_bridge bridge;
static volatile uint32_t high_ticks; /* wraps of the 32-bit timer */
static unsigned critical_depth;

static void enter_critical(void *context)
{
    (void)context;
    *INTERRUPTS = 0;
    critical_depth++;
}

static void leave_critical(void *context)
{
    (void)context;
    if (--critical_depth == 0)
        *INTERRUPTS = 1; /* a port to Cortex-M saves and restores PRIMASK, and so needs no depth */
}

/* The 64-bit tick of a 32-bit count not older than one wrap. */
static uint64_t widened(uint32_t count)
{
    uint32_t high = high_ticks;
    uint32_t now = TIMER->count;

    if (TIMER->overflow != 0 && now < 0x80000000u)
        high++; /* it has wrapped and the interrupt has not run yet */
    if (count > now)
        high--; /* it was captured before the wrap */
    return ((uint64_t)high << 32) | count;
}

static uint64_t now_ticks(void *context)
{
    uint64_t now;

    enter_critical(context);
    now = widened(TIMER->count);
    leave_critical(context);
    return now;
}

static size_t uart_write(void *context, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    (void)context;
    for (; taken < count && UART->space > 0; taken++)
        UART->data = bytes[taken];
    return taken;
}

static void sample(void *context, uint32_t rate_hz, uint32_t range_mg)
{
    (void)context;
    SENSOR->range_mg = range_mg;
    SENSOR->rate_hz = rate_hz; /* this also empties its memory */
}

static size_t read_fifo(void *context, int16_t (*samples)[EB_AXES], size_t max, struct eb_reading *reading)
{
    uint32_t level = SENSOR->level;
    size_t count = level < max ? level : max;

    reading->lost = SENSOR->overrun;
    if (reading->lost > 0)
        return 0;
    reading->fault = SENSOR->missing != 0;
    reading->temperature_cdeg = (int16_t)SENSOR->temperature_cdeg;
    if (count == 0)
        return 0;
    enter_critical(context);
    /* The oldest sample, counted back from the newest; the nominal period is good enough within one memory. */
    reading->first_ticks = widened(SENSOR->last) - (uint64_t)(level - 1u) * TICK_HZ / SENSOR->rate_hz;
    leave_critical(context);
    for (size_t i = 0; i < count; i++)
        for (size_t axis = 0; axis < EB_AXES; axis++)
            samples[i][axis] = (int16_t)(uint16_t)SENSOR->sample[axis];
    return count;
}

static void set_output(void *context, uint8_t output, bool level)
{
    (void)context;
    if (level)
        PORT->set = 1u << output;
    else
        PORT->clear = 1u << output;
}

static const struct eb_hal hal = {NULL, now_ticks, uart_write, sample, read_fifo, set_output, enter_critical, leave_critical};

/* Let the timer fire at `due`; one that is past already fires at once. */
static void set_timer(uint64_t due)
{
    TIMER->compare = (uint32_t)due; /* a wake one wrap too early finds nothing due and does no harm */
    if (due <= now_ticks(NULL))
        TIMER->pend = 1;
}

void timer_overflow_interrupt(void)
{
    TIMER->overflow = 0;
    high_ticks++;
}

void timer_compare_interrupt(void)
{
    set_timer(eb_fire(&bridge, now_ticks(NULL)));
}

void trigger_interrupt(void)
{
    eb_edge(&bridge, 0, (PORT->in & 1u) != 0, widened(TIMER->capture));
}

int main(void)
{
    struct eb_identity identity = {
        .firmware = 0x00010000u,
        .tick_hz = TICK_HZ,
        .sensor = "example",
        .full_scale_mg = 16000,
        .rate_hz = 26667,
        .inputs = 1,
        .outputs = 2,
        .safe_levels = 0,
    };

    identity.boot_id = ++*BOOT_COUNTER;
    eb_init(&bridge, &hal, &identity);
    eb_edge(&bridge, 0, (PORT->in & 1u) != 0, now_ticks(NULL));
    *INTERRUPTS = 1;
    for (;;) {
        uint64_t due = now_ticks(NULL) + eb_step(&bridge);
        set_timer(eb_next_fire(&bridge));
        while (UART->received == 0 && now_ticks(NULL) < due) {
            /* sleep until an interrupt: received bytes, the sensor's watermark, the trigger, a timer for `due` */
        }
        while (UART->received > 0) {
            uint8_t byte = (uint8_t)UART->data;
            eb_receive(&bridge, &byte, 1);
        }
    }
}
