#ifndef DROVER_IO_ALERT_OUTPUT_H
#define DROVER_IO_ALERT_OUTPUT_H

/*
 * What a program of an alert prints, on both of its streams: the first ALERT_OUTPUT_MAX bytes are
 * kept, the rest is read, so that the program does not wait, and counted. What a process that it
 * left behind prints later is nobody's concern.
 */

#include <stdint.h>
#include <uv.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

#define ALERT_OUTPUT_MAX 4096

struct alert_output {
    uv_pipe_t pipe; /* first; its data is the caller's */
    struct buf kept;
    uint64_t size; /* printed in all */
};

/* Opens it on the loop; `*write_end` is for the program, and closed by the caller once that has
 * begun. 0, or libuv's negative number: nothing is open then. */
int alert_output_open(struct alert_output *output, uv_loop_t *loop, uv_file *write_end);
/* Takes what the program has printed until now, which has ended. */
void alert_output_drain(struct alert_output *output);
/* For people, line by line, each indented: what looks like a secret is masked, control characters
 * are shown as \xNN, and what was not kept is counted. */
void alert_output_append(const struct alert_output *output, struct buf *out);
/* Once its pipe is closed, by the caller. */
void alert_output_free(struct alert_output *output);

#endif
