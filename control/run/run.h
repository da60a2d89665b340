#ifndef DROVER_CONTROL_RUN_H
#define DROVER_CONTROL_RUN_H

/*
 * `drover run`: every role on this host, each a process of its own, so that a fault of one is its
 * own and this one only watches, counts and ends things in order:
 *
 *   produce ─────────► done
 *   work × N ────────────────► everything committed ─► told to stop ─► drained
 *                        verify: reads the files again ───── held ─► let go ─► its code is ours
 *
 * Children write progress as JSON lines on descriptor 3. One loop thread.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/conf.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/io/terminal_live.h"
#include "common/policy/outage.h"
#include "common/policy/totals.h"
#include "common/io/postgres/pg_load.h"
#include "common/policy/backoff.h"
#include "control/child/child_sums.h"
#include "control/child/status_poll.h"

/* What the last good poll saw. */
struct run_seen {
    uint64_t total, committed, lag, waiting, unwritten;
    uint64_t at_ms; /* monotonic; 0: none yet */
    bool is_last;   /* it began when the producer had ended: no message comes any more */
    bool is_ok;     /* nothing failed since */
};

/* The end of a bulk load; report and err are the pool's thread's while it runs. */
struct run_load {
    uv_work_t work;
    bool is_running, is_done, has_failed;
    enum outcome outcome;
    struct error err;
    struct pg_load_report report;
    uv_mutex_t lock;      /* while it runs: of `waiting` */
    struct error waiting; /* who is in its way, to be said; OUT_OK: nobody */
    uint64_t again_ms;
    struct backoff backoff;
    uint64_t left[CLASS_COUNT]; /* records that are no rows, by class */
};

enum run_phase {
    RUN_WORKING,
    RUN_DRAINING,
    RUN_VERIFYING,
    RUN_STOPPING, /* by a signal or a failure: all are told to end */
    RUN_DONE,
};

struct run {
    const struct settings *settings;
    const struct conf *conf;
    struct conf_list sources;
    uv_loop_t loop;
    uv_timer_t tick;
    struct child_owner owner;
    struct child *children; /* by child_role */
    size_t child_count;
    enum run_phase phase;
    enum exit_code code;
    bool interrupted;
    uint64_t began_ms, produced_ms, drained_ms;
    uint64_t kill_at_ms;              /* whoever still runs then is killed */
    uint64_t min_unwritten, wrote_ms; /* files still to be written, and when they became fewer */
    uint64_t moved_ms;                /* when the last progress was seen */
    uint64_t moved_committed;

    struct status_poll poll;
    bool poll_is_last; /* it began when everything was in the topic */
    struct run_seen seen;

    struct run_load load;

    struct error err; /* why it stops, when it is not a child's own message */
    char failure[96]; /* which child ended it, for the summary */

    /* view */
    bool terminal; /* there is a live view */
    struct terminal_live live;
    struct outages outages;
    bool answered;        /* the verifier's answer is on the screen: nothing is drawn below it */
    uint64_t line_ms;     /* the last plain line */
    uint64_t document_ms; /* the last one of run_json.c */
    double rate;          /* committed a second, smoothed */
    uint64_t rate_ms, rate_committed;
};

/* run_sums.c */
/* Of one moment, so that what is shown of it adds up. */
void run_sum(const struct run *run, struct child_sums *sums);

/* run_load.c */
/* Finishes first what an earlier run, or a finish, had begun to finish: until then the workers'
 * batches are refused, so nothing could ever be committed. Blocks; the failures are load_finish's.
 */
MUST_USE enum outcome run_load_finish_begun(const struct settings *settings, struct error *err);
/* Finishes what is being loaded; true when that is done, or there was nothing. */
bool run_load_step(struct run *run);

/* run_view.c */
void run_view_open(struct run *run);
void run_view_draw(struct run *run); /* at most once a tick */
/* A line of a child or of ours, beside the live view. */
void run_view_print(struct run *run, struct bytes text);
/* Leaves what is drawn on the screen, in its last state, and draws no more. */
void run_view_end(struct run *run);

/* run_summary.c: in words and sums, below whatever was shown before. */
void run_summary(struct run *run);

/* run_json.c: what --json tells; nothing without it. */
void run_json_tick(struct run *run); /* at most once a second */
void run_json_summary(const struct run *run);

#endif
