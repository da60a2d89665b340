#ifndef DROVER_CONTROL_STATUS_POLL_H
#define DROVER_CONTROL_STATUS_POLL_H

/*
 * Readings of the status on a thread of the pool, as servers may be silent; the status is that
 * thread's while one runs. What is away is told as a state.
 */

#include <uv.h>

#include "common/policy/outage.h"
#include "control/status/status.h"

struct status_poll {
    struct status status; /* opened and closed by the owner */
    uv_work_t work;
    bool is_running;
    uint64_t over_ms; /* when the last one was over; monotonic */
    enum outcome outcome;
    struct error err;
    struct error ends_err; /* of Kafka, where the store has failed before it was asked */
    struct outages away;   /* by the last one; since when is not known here */
    void (*on_polled)(void *self);
    void *self;
};

/* One reading; on_polled when it is over, but not when it was cancelled. Only while none runs. */
void status_poll_start(struct status_poll *poll, uv_loop_t *loop, void (*on_polled)(void *self),
                       void *self);

#endif
