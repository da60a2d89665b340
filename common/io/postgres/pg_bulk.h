#ifndef DROVER_IO_PG_BULK_H
#define DROVER_IO_PG_BULK_H

/*
 * The sink's second way to write rows: appended to their table's load table (pg_load.h) instead of
 * upserted. One transaction with the same fence, so that every offset is appended exactly once:
 *
 *   BEGIN; fence; load_fence, count; COPY … FROM STDIN (FORMAT binary); COMMIT   the usual case
 *   BEGIN; fence; load_fence; count; INSERT … SELECT FROM unnest(…); …; COMMIT   beside upserts,
 *                    sealed values and array columns; and in the search, which counts at the end
 *
 * The rows are counted in the same transaction (drover.load_count): the finish has to find as many.
 * What is appended is told as applied. What upserts would have found superseded, unchanged or in
 * conflict is found, and told, when the loading is finished. Which tables are being loaded, and by
 * which group, is asked once, and again when load_fence says that it is no longer so, when a right
 * to write is gone (a load has begun), and before what is in a store is classified: a load may
 * begin and end at any time. A table that another group loads has to be waited for. Internal to
 * pg_sink.
 */

#include "common/io/mappings.h"
#include "common/policy/apply/batch.h"

#include <libpq-fe.h>

struct writer;
struct pg_bulk;

struct pg_bulk *pg_bulk_new(const struct mapping_set *mappings);
void pg_bulk_free(struct pg_bulk *bulk);

/* Whether it is known which tables are loaded. Asking: one query of an exchange; its result. */
bool pg_bulk_is_known(const struct pg_bulk *bulk);
void pg_bulk_forget(struct pg_bulk *bulk);
void pg_bulk_queue_ask(struct writer *writer);
void pg_bulk_take_answer(struct pg_bulk *bulk, const PGresult *result);
/* Grows with each answer that is another one than the last. */
uint64_t pg_bulk_generation(const struct pg_bulk *bulk);
/* The first mapping of the batch whose table another group loads, or NULL; *group, then: which, as
 * it was when that was asked, borrowed until it is asked again. */
const struct mapping *pg_bulk_find_other_load(const struct pg_bulk *bulk, const struct batch *batch,
                                              const char **group);

/* `bulk` is a struct pg_bulk (batch_promote_equals calls it). */
bool pg_bulk_has(const void *bulk, const struct mapping *mapping);

/* Queues load_fence; how many queries: 0 when no table of the batch is loaded. */
int pg_bulk_queue_fence(struct writer *writer);
/* Queues the count of what the transaction appends: of the batch's rows in order all that are not
 * refused by now. How many queries. */
int pg_bulk_queue_count(struct writer *writer);
/* Queues the append of rows of one group, whose table is loaded. Its result has no rows. */
void pg_bulk_queue_rows(struct writer *writer, const struct batch_group *group, size_t first,
                        size_t count);

/* Can all of the batch go by COPY? Then sends it, as the exchange. Results: those of the fences
 * (PG_BULK_HEAD), of each COPY, of COMMIT. */
bool pg_bulk_can_copy(const struct writer *writer);
#define PG_BULK_HEAD 3
void pg_bulk_copy(struct writer *writer);

/* Queues, when there are any, the note of the records that were refused; before COMMIT. */
void pg_bulk_queue_refused(struct writer *writer);
/* Queues the question for them (of a batch that is committed); 0 queries when no table of it is
 * loaded. The answer marks them as dead-lettered, which they are; false: a table is loaded no
 * longer, so that it must be asked itself, by a new attempt. */
int pg_bulk_queue_ask_refused(struct writer *writer);
MUST_USE bool pg_bulk_take_refused(struct writer *writer, const PGresult *result);

#endif
