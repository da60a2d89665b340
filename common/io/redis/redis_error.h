#ifndef DROVER_IO_REDIS_ERROR_H
#define DROVER_IO_REDIS_ERROR_H

/* What an error reply of Redis means and asks for: the only place that knows its words. */

#include "common/base/bytes.h"
#include "common/base/error.h"

enum redis_action {
    ANSWER_RETRY,     /* in place: it is loading, or busy with a script */
    ANSWER_RECONNECT, /* this is not the server to write to (any more) */
    ANSWER_RESOURCE,  /* out of memory, disk, replicas or connections: wait, then again */
    ANSWER_SCRIPT,    /* the script is not known (any more): EVAL, once */
    ANSWER_HALT,      /* rights, cluster mode, a command that is not there */
    ANSWER_RECORD,    /* a key holds something else */
};

/* `reply` is the error's text ("OOM command not allowed …"). Fills `err` (may be NULL): OUT_RETRY,
 * OUT_FATAL or OUT_REJECT with its code; its cause is the reply's first words, never a key. */
enum redis_action redis_error_classify(struct bytes reply, struct error *err);

#endif
