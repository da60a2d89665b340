#ifndef DROVER_VERIFIER_BOOK_READING_H
#define DROVER_VERIFIER_BOOK_READING_H

/*
 * What the book keeps of the readings of sources: of each source the last complete one and the last
 * one that was not, as messages without their places, and how far each partition of the results
 * topic was read for them. Failures are those of the book (book.h).
 */

#include "common/model/message/reading.h"
#include "verifier/follow/book.h"

struct book_reading {
    const struct reading *reading;
    int32_t partition; /* where its message lies in the results topic */
    int64_t offset;
};

/* All of it or nothing is written. next[i]: of partition i; -1: it is to be read from its begin. */
MUST_USE enum outcome book_keep_readings(struct book *book, const struct book_reading *readings,
                                         size_t count, const int64_t *next, size_t partitions,
                                         struct error *err);
/* Those that lie below the offset are gone from the topic: forgotten. *any: there were some. */
MUST_USE enum outcome book_drop_readings(struct book *book, int32_t partition, int64_t below,
                                         bool *any, struct error *err);
/* -1: not known. */
MUST_USE enum outcome book_readings_next(struct book *book, int32_t partition, int64_t *next,
                                         struct error *err);
/* Each of them, in any order; `json` is a message of kind "reading". */
MUST_USE enum outcome book_visit_readings(struct book *book,
                                          void (*take)(void *owner, struct bytes json), void *owner,
                                          struct error *err);

#endif
