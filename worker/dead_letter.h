#ifndef DROVER_WORKER_DEAD_LETTER_H
#define DROVER_WORKER_DEAD_LETTER_H

/*
 * A dead letter: key and value bytes unchanged, all headers kept, plus Kafka Connect's names and
 * ours (DESIGN section 4), so that existing tools and `drover replay` can read it. Pure.
 */

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/envelope.h"

#define LETTER_PREFIX "__connect.errors."
#define LETTER_CODE "drover-error-code"
#define LETTER_PATH "drover-error-path"
#define LETTER_ATTEMPTS "drover-attempts"
#define LETTER_ID "drover-dlq-id"

struct letter_place {
    const char *topic;
    int32_t partition;
    int64_t offset;
};

/* `message` is the source message's envelope; texts are made in `text` (reset first), which must
 * outlive `letter`. */
void dead_letter_make(const struct envelope *message, const struct letter_place *place,
                      const struct error *err, int attempts, struct buf *text,
                      struct envelope *letter);

#endif
