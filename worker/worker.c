/* What every part of a worker may do: fail, and with that stop; and what is known of its end. */

#include "worker/worker.h"

#include <signal.h>

#include "common/io/log.h"

void worker_enter(struct worker *worker, enum worker_phase phase, uint64_t max_ms)
{
    worker->phase = phase;
    worker->phase_by_ms = clock_now_ms(worker->clock) + max_ms;
}

void worker_stop(struct worker *worker)
{
    if (worker->phase >= WORKER_DRAINING)
        return;
    log_line(LOG_INFO, "worker.stopping", "in_flight_bytes=%zu", worker->in_flight_bytes);
    worker_enter(worker, WORKER_DRAINING, worker->settings->drain_ms);
}

void worker_fail(struct worker *worker, const struct error *err)
{
    if (worker->exit_code == EXIT_OK) {
        worker->failure = *err;
        worker->exit_code = error_code_exit(err->code);
        if (worker->exit_code == EXIT_OK)
            worker->exit_code = EXIT_RUNTIME;
    }
    worker_stop(worker);
}

static volatile sig_atomic_t nothing_comes;

void worker_on_nothing_comes(int number)
{
    (void)number;
    nothing_comes = 1;
}

bool work_nothing_comes(void)
{
    return nothing_comes;
}
