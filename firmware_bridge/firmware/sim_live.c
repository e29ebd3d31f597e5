/* Real time over a new pseudo-terminal, or over standard input and output: the program that the station's end is run
 * against. The counter is the monotonic clock in microseconds; parts come at a fixed period. */
#define _XOPEN_SOURCE 600
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

static struct sim_board board;
static int in_fd = STDIN_FILENO;
static int out_fd = STDOUT_FILENO;
static volatile sig_atomic_t stopping;

static uint64_t clock_ticks(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SIM_TICK_HZ + (uint64_t)time.tv_nsec / (1000000000u / SIM_TICK_HZ);
}

static size_t write_wire(void *context, const uint8_t *bytes, size_t count)
{
    ssize_t taken = write(out_fd, bytes, count);

    (void)context;
    return taken > 0 ? (size_t)taken : 0;
}

static void stop(int number)
{
    (void)number;
    stopping = 1;
}

/* The descriptor of the station's side is kept open: without it every read fails until somebody opens the other end. */
static bool open_terminal(const char *path)
{
    struct termios raw;
    const char *name;
    int far_fd;

    in_fd = out_fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (in_fd < 0 || grantpt(in_fd) != 0 || unlockpt(in_fd) != 0 || (name = ptsname(in_fd)) == NULL)
        return false;
    far_fd = open(name, O_RDWR | O_NOCTTY);
    if (far_fd < 0 || tcgetattr(far_fd, &raw) != 0)
        return false;
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(far_fd, TCSANOW, &raw) != 0)
        return false;
    unlink(path);
    return symlink(name, path) == 0;
}

static void wait_for_bytes(uint64_t ticks)
{
    struct timeval time = {.tv_sec = (time_t)(ticks / SIM_TICK_HZ), .tv_usec = (suseconds_t)(ticks % SIM_TICK_HZ)};
    fd_set readable;

    FD_ZERO(&readable);
    FD_SET(in_fd, &readable);
    select(in_fd + 1, &readable, NULL, NULL, &time);
}

static void tell_changes(void)
{
    for (size_t i = 0; i < board.change_count; i++)
        fprintf(stderr, "output %u %u %llu\n", board.changes[i].output, board.changes[i].level,
                (unsigned long long)board.changes[i].ticks);
    board.change_count = 0;
}

/* Parts come at every multiple of the period since `start`; gives the tick of the next change of the input. */
static uint64_t feel_parts(uint64_t start, uint64_t now, uint64_t period, uint64_t width)
{
    static uint64_t changes; /* done so far: one when a part comes, one when it has gone */
    uint64_t at;

    for (;; changes++) {
        at = start + (changes / 2 + 1) * period + (changes % 2) * width;
        if (at > now)
            return at;
        eb_edge(&board.bridge, 0, changes % 2 == 0, at);
    }
}

int sim_live(const char *path, uint64_t boot_id, uint32_t part_ms, uint32_t width_ms)
{
    uint64_t start = clock_ticks();
    uint64_t period = (uint64_t)part_ms * (SIM_TICK_HZ / 1000u);
    uint64_t width = (uint64_t)width_ms * (SIM_TICK_HZ / 1000u);
    uint8_t bytes[4096];
    struct sigaction action = {.sa_handler = stop};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (path != NULL && !open_terminal(path)) {
        perror(path);
        return 1;
    }
    if (fcntl(in_fd, F_SETFL, fcntl(in_fd, F_GETFL) | O_NONBLOCK) != 0 ||
        fcntl(out_fd, F_SETFL, fcntl(out_fd, F_GETFL) | O_NONBLOCK) != 0) {
        perror("nonblocking");
        return 1;
    }
    sim_board_init(&board, boot_id, clock_ticks(), write_wire);
    while (!stopping) {
        uint64_t due = board.due;
        ssize_t count;
        board.now = clock_ticks();
        if (part_ms > 0) {
            uint64_t change = feel_parts(start, board.now, period, width);
            due = change < due ? change : due;
        }
        wait_for_bytes(due > board.now ? due - board.now : 0);
        board.now = clock_ticks();
        count = read(in_fd, bytes, sizeof bytes);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR))
            break;
        if (count > 0)
            eb_receive(&board.bridge, bytes, (size_t)count);
        sim_step(&board, clock_ticks());
        tell_changes();
    }
    if (path != NULL)
        unlink(path);
    return 0;
}
