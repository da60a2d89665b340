/* See the header. */
#include "common/io/clock.h"
#include "common/io/log.h"
#include "control/child/status_poll.h"

/* Of the pool's thread: nothing but the status, which is its own until the poll is over. */
static void on_work(uv_work_t *work)
{
    struct status_poll *poll = work->data;
    poll->err = poll->ends_err = (struct error){0};
    poll->outcome = status_read(&poll->status, &poll->err);
    if (poll->outcome == OUT_RETRY && outage_service_of(poll->err.code) != OUTAGE_KAFKA)
        (void)!status_read_ends(&poll->status, &poll->ends_err);
}

static bool note_away(struct status_poll *poll, const struct error *err)
{
    enum outage_service service = outage_service_of(err->code);
    if (err->outcome != OUT_RETRY || service == OUTAGE_SERVICES)
        return false;
    struct buf cause;
    buf_init(&cause, 1024);
    outage_append_cause(&cause, err);
    outage_see(&poll->away, service, true, error_code_id(err->code), buf_text(&cause), 0);
    buf_free(&cause);
    return true;
}

/* A server that cannot be reached is a state of the view; the workers wait for it as well. */
static void note_outages(struct status_poll *poll)
{
    poll->away = (struct outages){0};
    note_away(poll, &poll->ends_err);
    if (!note_away(poll, &poll->err) && poll->outcome == OUT_RETRY)
        log_error(LOG_WARN, "status.poll", &poll->err);
}

static void on_worked(uv_work_t *work, int status)
{
    struct status_poll *poll = work->data;
    poll->is_running = false;
    poll->over_ms = clock_monotonic_ms();
    if (status != 0)
        return;
    note_outages(poll);
    poll->on_polled(poll->self);
}

void status_poll_start(struct status_poll *poll, uv_loop_t *loop, void (*on_polled)(void *self),
                       void *self)
{
    poll->work.data = poll;
    poll->on_polled = on_polled;
    poll->self = self;
    poll->is_running = uv_queue_work(loop, &poll->work, on_work, on_worked) == 0;
}
