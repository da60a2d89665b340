/* See the header. */
#include "common/io/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "common/io/clock.h"

static volatile sig_atomic_t asked;
static _Atomic uint64_t asked_ms;
static void (*volatile before_end)(void);
static atomic_bool left_behind;

static void on_signal(int number)
{
    if (asked) {
        if (before_end)
            before_end();
        _exit(128 + number);
    }
    atomic_store(&asked_ms, clock_monotonic_ms());
    asked = number;
}

/* Without SA_RESTART, so that reading standard input comes back. */
void stop_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    asked = 0;
    atomic_store(&asked_ms, 0);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int stop_signal(void)
{
    return asked;
}

bool stop_is_overdue(void)
{
    uint64_t since_ms = atomic_load(&asked_ms);
    return since_ms && clock_monotonic_ms() - since_ms > STOP_PATIENCE_MS;
}

void stop_before_end(void (*act)(void))
{
    before_end = act;
}

void stop_leave_behind(void)
{
    atomic_store(&left_behind, true);
}

bool stop_has_left_behind(void)
{
    return atomic_load(&left_behind);
}
