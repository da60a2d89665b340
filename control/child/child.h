#ifndef DROVER_CONTROL_CHILD_H
#define DROVER_CONTROL_CHILD_H

/*
 * A role of this program as a process of its own, started and watched by `drover run` and `drover
 * shadow`: a fault of one is its own. What it writes comes line by line; its progress comes as JSON
 * lines on descriptor 3. A session of its own, so that Ctrl-C reaches the parent alone, which ends
 * things in order; the child is told to end when the parent dies. One loop thread.
 */

#include <stdbool.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "control/child/child_numbers.h"
#include "control/child/child_role.h"

enum child_stream {
    CHILD_OUTPUT,
    CHILD_ERRORS,
    CHILD_PROGRESS,
    CHILD_STREAMS,
};

struct child;

/* Who starts children. */
struct child_owner {
    uv_loop_t *loop;
    void *self;
    /* Output and errors, without the line's end. Progress is taken into child->numbers. */
    void (*on_line)(void *self, struct child *child, enum child_stream stream, struct bytes line);
    /* Output as it comes, where child->is_raw. */
    void (*on_output)(void *self, struct child *child, struct bytes output);
    void (*on_end)(void *self, struct child *child); /* it has ended, and told all */
};

struct child_pipe {
    struct child *child;
    uv_pipe_t pipe;
    struct buf line; /* of which the end has not come yet */
    char room[65536];
};

struct child {
    const struct child_owner *owner;
    enum child_role role;
    bool is_raw;
    uv_process_t process;
    struct child_pipe streams[CHILD_STREAMS];
    uv_pipe_t hold;    /* its standard input, until it is let go */
    bool is_held;      /* set before the start: it reads no store until it is let go */
    bool has_keyboard; /* set before the start: standard input is the parent's */
    int open;          /* handles not yet closed */
    uv_timer_t drain;  /* since its end, for what it wrote before: others may hold its pipes */
    bool started, ended, is_draining;
    int code; /* exit code; 128 + the signal that ended it */
    struct child_numbers numbers;
};

/* `args`: NULL-terminated; `more`: what DROVER_ARGS_FD names, or -1; both stay the caller's. A
 * child that has ended may be started again: its numbers begin anew. OUT_FATAL DRV-X999. */
MUST_USE enum outcome child_start(struct child *child, const struct child_owner *owner, char **args,
                                  int more, struct error *err);
/* Nothing when it does not run. */
void child_signal(struct child *child, int signal_number);
/* Of a signal's handler, as the parent is about to end. */
void child_kill(const struct child *child);
/* The longest an orderly end of any role takes; whoever runs longer is killed. */
uint64_t child_stop_ms(uint64_t drain_ms);
/* Again: nothing. */
void child_let_go(struct child *child);
static inline bool child_is_running(const struct child *child)
{
    return child->started && !child->ended;
}

#endif
