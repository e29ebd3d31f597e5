/* Virtual time over standard input and output. A request is one letter and little endian fields; each is answered with
 * what happened since the last one:
 *
 *   A ticks u64                       run on to this tick
 *   F count u32, bytes                these bytes come over the wire now
 *   L ticks u64, input u8, level u8   an input changes at this tick, now or later, each later than the one before
 *   W count u32                       the wire takes so many bytes more; 0xFFFFFFFF: any number
 *   D samples u32                     the sensor loses so many samples
 *   S fault u8                        the sensor answers no more (1), or again (0)
 *   T level u8, count u16, text       the program has a line for people
 *
 *   count u32, bytes on the wire, count u32, changes of the outputs as ticks u64, output u8, level u8
 *
 * The end of the input ends the program. */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

#define ANY_NUMBER 0xFFFFFFFFu
#define MAX_LEVELS 65536u
#define MAX_SENT (1u << 24)
#define MAX_IDLE_STEPS 1000u

struct level {
    uint64_t ticks;
    uint8_t input;
    uint8_t level;
};

static struct sim_board board;
static struct level levels[MAX_LEVELS];
static size_t level_first, level_end;
static uint32_t room = ANY_NUMBER;
static uint8_t sent[MAX_SENT];
static size_t sent_count;
static uint64_t slow; /* the main loop takes so long; a timer interrupt fires meanwhile. 0: there is no such timer */

static size_t write_wire(void *context, const uint8_t *bytes, size_t count)
{
    size_t taken = room == ANY_NUMBER || count < room ? count : room;

    (void)context;
    if (taken > MAX_SENT - sent_count)
        abort();
    for (size_t i = 0; i < taken; i++)
        sent[sent_count++] = bytes[i];
    if (room != ANY_NUMBER)
        room -= (uint32_t)taken;
    return taken;
}

static void read_exactly(uint8_t *to, size_t count)
{
    if (fread(to, 1, count, stdin) != count)
        exit(0);
}

static uint64_t read_number(size_t bytes)
{
    uint8_t number[8] = {0};

    read_exactly(number, bytes);
    return eb_get_u64(number);
}

static void write_number(uint64_t value, size_t bytes)
{
    uint8_t number[8];

    eb_put_u64(number, value);
    fwrite(number, 1, bytes, stdout);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void change_levels(uint64_t now)
{
    for (; level_first < level_end && levels[level_first].ticks <= now; level_first++)
        eb_edge(&board.bridge, levels[level_first].input, levels[level_first].level != 0, levels[level_first].ticks);
}

static uint64_t next_level(void)
{
    return level_first < level_end ? levels[level_first].ticks : UINT64_MAX;
}

static void advance(uint64_t until)
{
    size_t idle = 0;

    do {
        uint64_t next = earlier(until, earlier(board.due, next_level()));
        idle = next == board.now ? idle + 1 : 0;
        if (idle > MAX_IDLE_STEPS)
            abort(); /* it asks to be called for ever and does nothing */
        board.now = next;
        change_levels(board.now);
        sim_step(&board, board.now);
    } while (board.now < until || board.due <= until);
}

static void advance_slowly(uint64_t until)
{
    uint64_t loop = board.now + slow;

    while (board.now < until) {
        board.now = earlier(earlier(until, loop), earlier(next_level(), eb_next_fire(&board.bridge)));
        change_levels(board.now);
        eb_fire(&board.bridge, board.now);
        if (board.now == loop) {
            sim_step(&board, board.now);
            loop += slow;
        }
    }
}

static void feed(void)
{
    size_t count = (size_t)read_number(4);
    /* Of the exact size, so that a sanitizer sees a read beyond it. */
    uint8_t *bytes = malloc(count > 0 ? count : 1);

    if (bytes == NULL)
        abort();
    read_exactly(bytes, count);
    eb_receive(&board.bridge, bytes, count);
    free(bytes);
    sim_step(&board, board.now);
}

static void schedule(void)
{
    struct level level;

    level.ticks = read_number(8);
    level.input = (uint8_t)read_number(1);
    level.level = (uint8_t)read_number(1);
    if (level_first == level_end)
        level_first = level_end = 0;
    if (level_end == MAX_LEVELS)
        abort();
    levels[level_end++] = level;
}

static void say_line(void)
{
    static char text[UINT16_MAX + 1];
    uint8_t level = (uint8_t)read_number(1);
    size_t count = (size_t)read_number(2);

    read_exactly((uint8_t *)text, count);
    text[count] = 0;
    eb_log(&board.bridge, level, text);
    sim_step(&board, board.now);
}

static void answer(void)
{
    write_number(sent_count, 4);
    fwrite(sent, 1, sent_count, stdout);
    write_number(board.change_count, 4);
    for (size_t i = 0; i < board.change_count; i++) {
        write_number(board.changes[i].ticks, 8);
        write_number(board.changes[i].output, 1);
        write_number(board.changes[i].level, 1);
    }
    fflush(stdout);
    sent_count = 0;
    board.change_count = 0;
}

int sim_lockstep(uint64_t boot_id, uint64_t now, uint64_t step_ticks)
{
    slow = step_ticks;
    sim_board_init(&board, boot_id, now, write_wire);
    for (;;) {
        switch ((char)read_number(1)) {
        case 'A':
            (slow > 0 ? advance_slowly : advance)(read_number(8));
            break;
        case 'F':
            feed();
            break;
        case 'L':
            schedule();
            break;
        case 'W':
            room = (uint32_t)read_number(4);
            sim_step(&board, board.now);
            break;
        case 'D':
            board.losing += (uint32_t)read_number(4);
            break;
        case 'S':
            board.fault = read_number(1) != 0;
            break;
        case 'T':
            say_line();
            break;
        default:
            return 2;
        }
        answer();
    }
}
