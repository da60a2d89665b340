#ifndef DROVER_IO_FILE_OUTPUT_H
#define DROVER_IO_FILE_OUTPUT_H

/*
 * A file of any size that is either the old one or the new one after any crash, as files.h's are,
 * written piece by piece. Readable by its owner only. Or standard output, which is neither.
 */

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

struct file_output;

/* `path` NULL: standard output. OUT_FATAL DRV-X004, here and below. */
MUST_USE enum outcome file_output_open(const char *path, struct file_output **output,
                                       struct error *err);
MUST_USE enum outcome file_output_write(struct file_output *output, struct bytes content,
                                        struct error *err);
/* Makes it the file at `path`. */
MUST_USE enum outcome file_output_commit(struct file_output *output, struct error *err);
/* What was not committed is removed. NULL is taken. */
void file_output_close(struct file_output *output);

#endif
