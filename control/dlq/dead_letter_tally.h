#ifndef DROVER_CONTROL_DEAD_LETTER_TALLY_H
#define DROVER_CONTROL_DEAD_LETTER_TALLY_H

/* How many of each code, with a few of their ids and reasons. Codes beyond a bound are "other". */

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/json_out.h"

enum { TALLY_CODES = 64, TALLY_SAMPLES = 3 };

struct dead_letter_tally {
    struct {
        char code[100];
        uint64_t count;
        struct {
            char id[300];
            char reason[300];
        } samples[TALLY_SAMPLES];
    } codes[TALLY_CODES];
    size_t count;
    uint64_t total;
};

/* `reason` may be NULL. Whether the id was kept. */
bool dead_letter_tally_add(struct dead_letter_tally *tally, struct bytes code, struct bytes id,
                           const char *reason);
/* Of an id that was kept. */
void dead_letter_tally_explain(struct dead_letter_tally *tally, struct bytes id,
                               struct bytes reason);
/* A line a code, its samples below it. */
void dead_letter_tally_append(const struct dead_letter_tally *tally, struct buf *out);
void dead_letter_tally_append_json(const struct dead_letter_tally *tally, struct json_out *out,
                                   const char *name);

#endif
