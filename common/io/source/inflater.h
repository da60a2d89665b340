#ifndef DROVER_IO_INFLATER_H
#define DROVER_IO_INFLATER_H

/* Streaming decompression of gzip (concatenated members) and zstd (concatenated frames). Part of
 * byte_source. */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

enum inflater_kind {
    INFLATER_NONE,
    INFLATER_GZIP,
    INFLATER_ZSTD,
};

struct inflater;

/* By the first four bytes. */
enum inflater_kind inflater_detect(struct bytes start);

struct inflater *inflater_new(enum inflater_kind kind);
void inflater_free(struct inflater *inflater);

/* Takes from the front of *input and writes up to `room` bytes; *made 0 and *input empty: it needs
 * more. `last`: no input follows; *made 0 then is the end. OUT_REJECT DRV-S005 for damaged,
 * truncated or over-expanding input. */
MUST_USE enum outcome inflater_step(struct inflater *inflater, struct bytes *input, bool last,
                                    char *out, size_t room, size_t *made, struct error *err);

#endif
