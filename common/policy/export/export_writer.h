#ifndef DROVER_POLICY_EXPORT_WRITER_H
#define DROVER_POLICY_EXPORT_WRITER_H

/*
 * Export, second half: texts of one file, in their order, as the file's text. What is ready
 * is in `out`; the caller takes it from there whenever it likes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/policy/export/export_record_text.h"

struct export_writer {
    struct buf out;
    enum export_layout layout;
    bool any, any_group, open; /* something is written; in this group; a key's value is open */
    bool whole;                /* the open value is complete: it takes no more */
    bool elements;             /* the open value's array has elements */
    struct buf group, key, scratch;
    uint64_t dropped; /* texts that do not fit what stands under their key */
};

void export_writer_init(struct export_writer *writer);
void export_writer_free(struct export_writer *writer);
void export_writer_begin(struct export_writer *writer, enum export_layout layout);
/* False when it was dropped. */
bool export_writer_add(struct export_writer *writer, const struct export_record_text *part);
void export_writer_finish(struct export_writer *writer);

#endif
