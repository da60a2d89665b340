#ifndef DROVER_POLICY_SEQUENCE_H
#define DROVER_POLICY_SEQUENCE_H

/*
 * Are a producer's messages all there? Each run numbers its messages per partition from 0 without
 * gaps (header drover-seq); the worker keeps the next number of the last 32 runs with the
 * partition's checkpoint. A gap means lost messages; a repeat is a producer's retry that was stored
 * twice, which the version guard absorbs.
 *
 * Whatever bytes a run's name has, what is kept of it is plain text: the name itself when it is
 * short and of letters, digits and ._:@/-, else its digest. So no message can break what is stored.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/policy/apply/log_clock.h"

#define SEQUENCE_RUNS 32
#define SEQUENCE_RUN_MAX 64  /* bytes of a name that is kept as it is */
#define SEQUENCE_UNREAD (-2) /* a number that is there and cannot be read */

struct sequences {
    struct {
        char run[SEQUENCE_RUN_MAX + 1]; /* as kept: plain, never empty */
        int64_t next;
    } runs[SEQUENCE_RUNS]; /* most recently seen first */
    size_t count;
    /* Before this offset a run that is not known is taken as it comes: what it sent before is given
     * up (0: nowhere). Kept; whoever reads on from there sets it to 0. */
    int64_t open_until;
};

enum sequence_result {
    SEQUENCE_OK,
    SEQUENCE_REPEAT,
    SEQUENCE_GAP, /* *missing messages are not there; the message itself was not counted */
};

/* Of every message that names a run, whatever else is wrong with it: one that is refused costs
 * itself, no false gap behind it. A number that cannot be read (SEQUENCE_UNREAD) counts as the
 * run's next one. No run, or no number (-1): OK, nothing is counted. With 32 runs kept, the run
 * seen longest ago is forgotten for a new one; should it come again, its number is taken as it is.
 */
enum sequence_result sequence_see(struct sequences *sequences, struct bytes run, int64_t sequence,
                                  int64_t *missing);
/* Goes on behind a gap. */
void sequence_accept(struct sequences *sequences, struct bytes run, int64_t sequence);
/* The next number of a run, by its name as it is kept (struct sequences). False when nothing could
 * have that name. */
bool sequence_expect(struct sequences *sequences, const char *kept, int64_t next);
/* The next number expected of a run, and its name as it is kept. */
int64_t sequence_next_of(const struct sequences *sequences, struct bytes run,
                         char kept[SEQUENCE_RUN_MAX + 1]);

/* {"run": next, …, "~open": open_until, "~log": [offset, clock, next, clock there]}, as stored with
 * the checkpoint; the last ones are left out when they are 0 and LOG_PLACE_NONE. Plain ASCII. */
void sequence_append(const struct sequences *sequences, const struct log_place *place,
                     struct buf *out);
/* False when the text is not such an object: nothing of it may be used. Names as earlier versions
 * kept them are taken; what others keep under a name with ~ is passed over. */
bool sequence_parse(struct bytes json, struct sequences *sequences, struct log_place *place);

#endif
