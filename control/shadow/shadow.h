#ifndef DROVER_CONTROL_SHADOW_H
#define DROVER_CONTROL_SHADOW_H

/*
 * `drover shadow`: produce --follow, work × N and verify --follow on this host, each a process of
 * its own, without an end:
 *
 *   a child is ended by a signal, by others      it is started again, after a pause that grows
 *   a child ends with an error of its own        the others end in order; its code is ours
 *   one is to be started again, and the          the others end in order, DRV-M005: its records
 *   mappings are no longer those they have       would have other keys and versions than theirs
 *   SIGTERM, SIGINT                              produce ends, then the workers, then the verifier,
 *                                                whose verdict is ours
 *
 * Any of the parts may run elsewhere. One loop thread.
 */

#include "common/policy/backoff.h"
#include "common/policy/shadow_view.h"
#include "common/io/terminal_live.h"
#include "control/child/child_sums.h"
#include "control/child/status_poll.h"

enum shadow_phase {
    SHADOW_RUNNING,
    SHADOW_STOPPING,
    SHADOW_DONE,
};

/* What is known of a child beside its process: it lives more than once. */
struct shadow_life {
    bool is_here; /* it is to run on this host */
    bool is_told; /* to end */
    uint64_t started_ms;
    uint64_t again_ms; /* when it is started again; 0: it runs, or has ended for good */
    uint64_t restarts;
    struct backoff backoff;
    struct child_numbers past; /* counts of its earlier lives */
};

struct shadow {
    const struct settings *settings;
    const struct conf *conf;
    struct conf_list sources;
    uv_loop_t loop;
    uv_timer_t tick;
    struct child_owner owner;
    struct child *children; /* by child_role */
    struct shadow_life *lives;
    size_t child_count;
    struct digest mappings; /* fingerprint of those that every part has */
    enum shadow_phase phase;
    enum exit_code code; /* of what failed; EXIT_OK: nothing did */
    bool has_killed;     /* one that did not end in time */
    uint64_t began_ms, stopped_ms;
    struct error err; /* why it stops, when it is not a child's own message */
    char failure[96]; /* which child ended it */

    struct status_poll poll;
    uint64_t committed, total, lag;

    /* view */
    bool terminal;
    struct terminal_live live;
    struct outages outages;
    uint64_t line_ms; /* the last line, or document */
    double rate;      /* committed a second, smoothed */
    uint64_t rate_ms, rate_committed;
};

/* shadow_show.c: a live view on a terminal, else a line each ten seconds, and documents with
 * --json. */
void shadow_show_open(struct shadow *shadow);
void shadow_show_tick(struct shadow *shadow); /* at most once a tick */
/* A line of a child or of ours, beside the live view. */
void shadow_show_print(struct shadow *shadow, struct bytes text);
void shadow_show_close(struct shadow *shadow);
/* How it ended, in words or as the last document. */
void shadow_show_summary(const struct shadow *shadow, enum exit_code code);

#endif
