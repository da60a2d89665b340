#ifndef DROVER_WORKER_WORK_H
#define DROVER_WORKER_WORK_H

#include <stdbool.h>

#include "common/base/error.h"
#include "common/io/settings.h"

/* `drover work`: source topic -> stores, until it is told to stop. Exit code 0 after an orderly
 * stop; otherwise err says why. */
enum exit_code work_main(const struct settings *settings, struct error *err);

struct worker;
struct worker_replay;

/* Told as often as the worker ticks, and once more when it has ended. */
struct work_watch {
    void (*on_tick)(void *owner, const struct worker *worker, bool done);
    void *owner;
};

/* The same of ranges of the source topic (worker/state.h), until they are read or it is told to
 * stop; nothing is written to the answer. */
enum exit_code work_replay(const struct settings *settings, const struct worker_replay *replay,
                           const struct work_watch *watch, struct error *err);

#endif
