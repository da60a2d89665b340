#ifndef DROVER_POLICY_VERIFY_COPY_H
#define DROVER_POLICY_VERIFY_COPY_H

/*
 * Reads the stream of COPY … TO STDOUT (FORMAT binary) as rows of cells, whatever pieces it comes
 * in (the server sends a row a message today, which nobody promises). Cells are views into the
 * piece fed, or into the parser when a row was cut.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/value/value.h"

struct verify_copy {
    struct bytes view; /* what is being read */
    size_t at;
    struct buf pending; /* the begin of a cut row */
    bool header_done;
    bool ended;
};

void verify_copy_init(struct verify_copy *copy, size_t row_max);
void verify_copy_free(struct verify_copy *copy);

/* The next piece, borrowed until verify_copy_next has said VERIFY_COPY_MORE. */
void verify_copy_feed(struct verify_copy *copy, struct bytes piece);

enum verify_copy_result {
    VERIFY_COPY_ROW,
    VERIFY_COPY_MORE,
    VERIFY_COPY_END, /* the trailer came: only now the stream is known to be whole */
    VERIFY_COPY_BROKEN,
};

/* Fills `cells`, exactly `count` of them: another number of columns is VERIFY_COPY_BROKEN. */
enum verify_copy_result verify_copy_next(struct verify_copy *copy, struct cell *cells,
                                         size_t count);

/* Big-endian integers of a cell; false when its size is another. */
MUST_USE bool verify_copy_int64(struct cell cell, int64_t *value);
MUST_USE bool verify_copy_int32(struct cell cell, int32_t *value);
MUST_USE bool verify_copy_bool(struct cell cell, bool *value);

#endif
