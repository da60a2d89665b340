#ifndef DROVER_PRODUCER_FOLLOW_REJECTED_H
#define DROVER_PRODUCER_FOLLOW_REJECTED_H

/*
 * What of each followed source is rejected now, and what everybody was told of it: a table beside
 * the records known, written in the transactions that store what a reading found, so that no kill
 * comes between the two. What a source's next reading finds replaces it. What changed is told as a
 * reading of the source (common/model/message/reading.h), again until Kafka has it; a source has a
 * row while something of it is rejected, or it cannot be read whole, or that is to be told:
 *
 *   to be told ─► on its way ─► told      each kill leads back to the first;
 *                            └► no row    nothing is rejected any more
 *
 * At a follower's first scan each source is told once: producers may have told of it before.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "producer/follow/follow_state.h"
#include "producer/passage.h"
#include "producer/producer.h"

struct follow_rejected;

/* Both outlive it. Failures, here and below, are the state's. */
MUST_USE enum outcome follow_rejected_open(struct producer *producer, struct follow_state *state,
                                           struct follow_rejected **rejected, struct error *err);
void follow_rejected_close(struct follow_rejected *rejected); /* NULL is allowed */

/* Beside follow_state_commit: what a reading of `source` found, which the state knows as `path`.
 * `part`: only what was appended was read. `refused` is joined with what was known then. */
MUST_USE enum outcome follow_rejected_store(struct follow_rejected *rejected, const char *path,
                                            const struct source_file *source,
                                            struct passage *refused, bool part, struct error *err);
/* Beside it, too: the file is gone. */
MUST_USE enum outcome follow_rejected_gone(struct follow_rejected *rejected, const char *path,
                                           struct error *err);
/* Between readings: the source cannot be read whole, so its news are not known. */
MUST_USE enum outcome follow_rejected_broken(struct follow_rejected *rejected, const char *path,
                                             const struct source_file *source, struct error *err);

enum rejected_fate {
    REJECTED_STAYS,
    REJECTED_WHOLE, /* what is there was read whole: it is broken no more */
    REJECTED_GONE,  /* it has another name, or is none of the sources any more */
};
typedef enum rejected_fate rejected_fate_of(void *owner, const char *path);
/* After a periodic scan, which is the first one at first: asks what became of each. */
MUST_USE enum outcome follow_rejected_tidy(struct follow_rejected *rejected,
                                           rejected_fate_of *fate_of, void *owner,
                                           struct error *err);
/* Between readings: tells some of what is to be told, of one source once a second at most; *more:
 * there is more. `ends`: now or never, waits a moment. */
MUST_USE enum outcome follow_rejected_tell(struct follow_rejected *rejected, bool ends, bool *more,
                                           struct error *err);

#endif
