#ifndef DROVER_TESTS_VIEW_FITS_H
#define DROVER_TESTS_VIEW_FITS_H

#include <check.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/text_width.h"
#include "tests/support/random.h"

/* Every line ends, and none is wider than a terminal of `width`; how many there are. */
static inline int view_fits(struct buf *view, int width)
{
    int lines = 0;
    for (const char *at = buf_text(view); *at; lines++) {
        const char *end = strchr(at, '\n');
        ck_assert_ptr_nonnull(end);
        int columns = text_width(bytes_of(at, (size_t)(end - at)));
        ck_assert_msg(columns <= width, "seed %lu: %d columns of %d: %.*s",
                      (unsigned long)random_seed, columns, width, (int)(end - at), at);
        at = end + 1;
    }
    return lines;
}

#endif
