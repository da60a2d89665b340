#ifndef DROVER_IO_EXPORT_SORT_H
#define DROVER_IO_EXPORT_SORT_H

/*
 * Sorts the pieces of an export, of any number, in bounded memory: SQLite's own temporary file,
 * which has no name and is gone with the process.
 */

#include <stddef.h>

#include "common/policy/export/export_record_text.h"

struct export_sort;

MUST_USE enum outcome export_sort_new(struct export_sort **sort, struct error *err);
void export_sort_free(struct export_sort *sort);
/* Failures are kept and told by the next call that can. */
void export_sort_add(struct export_sort *sort, const struct export_record_text *part);
/* How many files there are. OUT_FATAL DRV-X004: the disk is full, or an earlier add failed. */
MUST_USE enum outcome export_sort_files(struct export_sort *sort, size_t *count, struct error *err);
/* Pieces in order, *more false at the end; views until the next call. Nothing may be added once it
 * was called. */
MUST_USE enum outcome export_sort_next(struct export_sort *sort, struct export_record_text *part,
                                       bool *more, struct error *err);

#endif
