/* What every part of a worker may do: fail, and with that stop; and what is known of its end. */

#include "worker/state.h"

#include <signal.h>

#include "common/io/log.h"

void state_enter(struct worker_state *state, enum worker_phase phase, uint64_t max_ms)
{
    state->phase = phase;
    state->phase_by_ms = clock_now_ms(state->config->clock) + max_ms;
}

void state_stop(struct worker_state *state)
{
    if (state->phase >= WORKER_DRAINING)
        return;
    log_line(LOG_INFO, "worker.stopping", "in_flight_bytes=%zu", state->in_flight_bytes);
    state_enter(state, WORKER_DRAINING, state->config->settings->drain_ms);
}

void state_fail(struct worker_state *state, const struct error *err)
{
    if (state->exit_code == EXIT_OK) {
        state->failure = *err;
        state->exit_code = error_code_exit(err->code);
        if (state->exit_code == EXIT_OK)
            state->exit_code = EXIT_RUNTIME;
    }
    state_stop(state);
}

void state_tell_record(const struct worker_state *state, int32_t partition, int64_t offset,
                       enum record_class the_class)
{
    const struct worker_replay *replay = state->config->replay;
    if (replay && replay->on_record)
        replay->on_record(replay->owner, partition, offset, the_class);
}

static volatile sig_atomic_t nothing_comes;

void state_on_nothing_comes(int number)
{
    (void)number;
    nothing_comes = 1;
}

bool state_nothing_comes(void)
{
    return nothing_comes;
}
