#ifndef DROVER_PORT_STORE_MEMORY_UNIQUE_H
#define DROVER_PORT_STORE_MEMORY_UNIQUE_H

/*
 * The mappings' unique indexes in memory: in PostgreSQL the second record of a tenant with the same
 * values is refused (23505) and ends as DRV-P110.
 */

#include "common/model/mapping/mapping_set.h"

struct memory_unique;

/* NULL when no mapping has one; all the others take NULL too. */
struct memory_unique *memory_unique_new(const struct mapping_set *mappings);
void memory_unique_free(struct memory_unique *unique);
size_t memory_unique_bytes(const struct memory_unique *unique);
/* Bytes that are needed besides while the next row is taken. */
size_t memory_unique_growth(const struct memory_unique *unique);
/* Whether it is of plain columns alone: expressions and filled columns are PostgreSQL's to know. */
bool memory_unique_can(const struct mapping *mapping, const struct mapping_index *index);
/* Of a row that is written next, as nothing newer is there. OUT_REJECT DRV-P110: one that
 * PostgreSQL would refuse; nothing changed. */
MUST_USE enum outcome memory_unique_take(struct memory_unique *unique,
                                         const struct mapping *mapping, const struct row *row,
                                         struct error *err);
/* What is taken between the two is kept, or was never taken. */
void memory_unique_begin(struct memory_unique *unique);
void memory_unique_end(struct memory_unique *unique, bool keep);

#endif
