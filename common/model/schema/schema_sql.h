#ifndef DROVER_MODEL_SCHEMA_SQL_H
#define DROVER_MODEL_SCHEMA_SQL_H

/*
 * The SQL of everything Drover needs in PostgreSQL, as text, from the mappings: two roles, the
 * schema `drover` (checkpoint, pins, and the functions workers call), one table a mapping with its
 * policies. Each piece alone, because `drover schema apply` makes only what is missing, and all in
 * order, because `drover schema print` shows them for an empty database. Statements end in ";\n".
 *
 * Tenants are kept apart by row level security on isolation_key. The policies of the two roles also
 * ask for current_user: who owns the tables is usually a member of both roles, and before
 * PostgreSQL 16 a member inherits their policies, so that the application, logged in as the owner,
 * would see every tenant's rows through the verifier's.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"
#include "common/model/schema/schema_text.h"

struct schema_roles {
    const char *worker;
    const char *verifier;
};

/* "schema"."table" */
void schema_sql_table_name(struct buf *out, const struct mapping *mapping);

/* The role when it is missing. */
void schema_sql_role(struct buf *out, const char *role);

/* ---- schema drover */
struct schema_core_table {
    const char *name;    /* partition_progress */
    const char *columns; /* what stands in the parentheses of CREATE TABLE */
    const char *worker_rights;
    bool tenants; /* rows belong to tenants: isolation_key, and policies as mappings' tables have */
    bool queue;   /* … but workers see those of all tenants, as they do in Kafka */
};
struct schema_function {
    const char *name;
    const char *arguments; /* spelled as pg_get_function_identity_arguments does */
    const char *result;    /* as pg_get_function_result does */
    const char *language;
    const char *body;
};
const struct schema_core_table *schema_core_tables(size_t *count);
const struct schema_function *schema_core_functions(size_t *count);
/* `schema` is drover, or pg_temp for a twin to compare with. */
void schema_core_table_sql(struct buf *out, const struct schema_core_table *table,
                           const char *schema);
void schema_core_function_sql(struct buf *out, const struct schema_function *function);
/* What schema_sql_policy needs of a table with `tenants`: its name alone. */
struct mapping schema_core_mapping(const struct schema_core_table *table);
/* Is this the mapping of a table with `queue`? */
bool schema_core_is_queue(const struct mapping *mapping);

/* ---- a mapping's table */
/* OUT_FATAL DRV-M001 when an index expression could leave its place in the statement. */
MUST_USE enum outcome schema_index_check(const struct mapping *mapping, struct error *err);
void schema_sql_table(struct buf *out, const struct mapping *mapping, const char *schema);
void schema_index_sql(struct buf *out, const struct mapping *mapping,
                      const struct mapping_index *index, const char *schema);
/* Foreign keys are named drover_fk_1 … in the order of the mapping's references. They are made once
 * all tables are there. `number` from 0; `parent` is the mapping of the entity referred to. */
#define SCHEMA_REFERENCE "drover_fk_"
void schema_reference_sql(struct buf *out, const struct mapping *mapping, size_t number,
                          const struct mapping *parent);
enum schema_policy {
    POLICY_TENANT,
    POLICY_WORKER,
    POLICY_VERIFIER,
    POLICY_COUNT,
};
/* The setting with which a worker names the tenants of a statement that writes rows of several,
 * separated by commas. Only the workers' policy asks for it. */
#define SCHEMA_TENANTS_SETTING "drover.batch_tenants"
const char *schema_sql_policy_name(enum schema_policy policy);
void schema_sql_policy(struct buf *out, const struct mapping *mapping, enum schema_policy policy,
                       const struct schema_roles *roles, const char *schema);

/* What the two roles may do with a table and within a schema (CREATE SCHEMA included). */
void schema_sql_grants(struct buf *out, const char *table, const char *worker_rights,
                       const struct schema_roles *roles);
void schema_sql_namespace(struct buf *out, const char *schema, const struct schema_roles *roles);

/* The rights a worker has on a mapping's table: RLS does not hold TRUNCATE and REFERENCES, and
 * nothing is ever deleted (FAULTS I17) but tombstones of mappings with on_delete: hard. */
#define SCHEMA_WORKER_RIGHTS "SELECT, INSERT, UPDATE"
const char *schema_worker_rights(const struct mapping *mapping);

/* All of it for an empty database. */
void schema_sql_all(struct buf *out, struct mapping *const *mappings, size_t count,
                    const struct schema_roles *roles);

#endif
