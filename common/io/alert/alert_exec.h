#ifndef DROVER_IO_ALERT_EXEC_H
#define DROVER_IO_ALERT_EXEC_H

/*
 * An alert told to a program: started without a shell, in a session of its own, the message on its
 * standard input and in DROVER_ALERT_* variables. Of the environment it gets neither Drover's
 * settings nor addresses of servers with their passwords. What has not ended in time is killed,
 * with all that it started.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/policy/alert/alert.h"

struct alert_exec;
struct alert_output; /* alert_output.h */

/* `cause` NULL: it ended with 0; else why not, in a few words. `output`: what it printed, NULL when
 * that is not kept. The exec is freed behind it, with both. */
typedef void alert_exec_ended(void *owner, const char *cause, const struct alert_output *output);

struct alert_exec_conf {
    uv_loop_t *loop;
    uint64_t timeout_ms;
    bool keep_output; /* else nobody sees it */
    alert_exec_ended *on_ended;
    void *owner;
};

/* What it needs of the message is copied. Ends in any case, never before it returns. */
struct alert_exec *alert_exec_start(const struct alert_exec_conf *conf,
                                    const struct alert_message *message);
/* Kills it; it ends soon after. */
void alert_exec_kill(struct alert_exec *exec);

#endif
