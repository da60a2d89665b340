#ifndef DROVER_MODEL_SCHEMA_LOAD_H
#define DROVER_MODEL_SCHEMA_LOAD_H

/*
 * The SQL of a load table: what a mapping's rows are appended to until all of them are there, a
 * table without indexes, which then takes the mapping's table's place (common/io/postgres/
 * pg_load.h). It is drover_load.load_<number>, made like the table itself with the place in the log
 * beside each row. All its rows are of the generation its mapping has when it is made, which is the
 * default of that column, so that no row brings it along. Row level security would refuse COPY, so
 * nobody but its owner may read it and the worker's role may only insert; it gets flags, policies
 * and rights before it is in sight. Statements end in ";\n". `number`: its row's in drover.load.
 */

#include "common/model/schema/schema_sql.h"

#define SCHEMA_LOAD "drover_load"

/* The table, and the right to append to it. The mapping's table is the worker's no longer. */
void schema_load_sql(struct buf *out, const struct mapping *mapping, int number,
                     const struct schema_roles *roles);
/* "drover_load"."load_7" */
void schema_load_name(struct buf *out, int number);
/* (isolation_key, …, drover_load_offset) as INSERT and COPY take them: the columns of the mapping
 * in its order between the tenant and drover_version, drover_digest, drover_deleted. */
void schema_load_columns(struct buf *out, const struct mapping *mapping);

/* The primary key; fails with 23505 while a key has several rows. */
void schema_load_key(struct buf *out, const struct mapping *mapping, int number);
/* Leaves one row a key, the one that upserts in the order of the log would have left: of the
 * greatest version the first. One statement; rows: class, partition, count of what upserts would
 * have found superseded, unchanged or in conflict; and "gone", partition, count of the rows that
 * are not there any more. */
void schema_load_thin(struct buf *out, const struct mapping *mapping, int number);
/* One of the other indexes, by its position in the mapping. */
void schema_load_index(struct buf *out, const struct mapping *mapping, int number, size_t at);
/* Looks for the first row that the index (NULL: the primary key) does not take: sets
 * drover.refused in the transaction to [key, partition, offset] as JSON, or leaves it unset. */
void schema_load_try(struct buf *out, const struct mapping *mapping, int number,
                     const struct mapping_index *index);
/* Flags, policies and rights, then the mapping's table goes and this one has its name. `key`: the
 * name the primary key had. For one transaction. */
void schema_load_swap(struct buf *out, const struct mapping *mapping, int number, const char *key,
                      const struct schema_roles *roles);

#endif
