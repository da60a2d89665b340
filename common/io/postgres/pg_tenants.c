/* See the header. */
#include "common/io/postgres/pg_tenants.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/schema/schema_sql.h"

enum { LIST_LIMIT = 1 << 20 };

struct pg_tenants {
    const struct mapping_set *mappings;
    bool *has; /* by position in the mappings */
    bool known;
    uint64_t asked_ms;
    struct buf schemas, tables; /* parameters */
};

struct pg_tenants *pg_tenants_new(const struct mapping_set *mappings)
{
    struct pg_tenants *tenants = mem_new(sizeof *tenants);
    tenants->mappings = mappings;
    tenants->has = mem_zeroed(mappings->count + 1, sizeof *tenants->has);
    buf_init(&tenants->schemas, LIST_LIMIT);
    buf_init(&tenants->tables, LIST_LIMIT);
    pg_wire_append_array(&tenants->schemas, OID_TEXT, mappings->count, false);
    pg_wire_append_array(&tenants->tables, OID_TEXT, mappings->count, false);
    for (size_t i = 0; i < mappings->count; i++) {
        struct bytes schema = bytes_text(mappings->items[i]->schema);
        struct bytes table = bytes_text(mappings->items[i]->table);
        pg_wire_append_element(&tenants->schemas, schema.data, (int32_t)schema.size);
        pg_wire_append_element(&tenants->tables, table.data, (int32_t)table.size);
    }
    return tenants;
}

void pg_tenants_free(struct pg_tenants *tenants)
{
    buf_free(&tenants->schemas);
    buf_free(&tenants->tables);
    free(tenants->has);
    free(tenants);
}

bool pg_tenants_is_known(const struct pg_tenants *tenants)
{
    return tenants->known && clock_monotonic_ms() - tenants->asked_ms < PG_TENANTS_KNOWN_MS;
}

void pg_tenants_forget(struct pg_tenants *tenants)
{
    tenants->known = false;
}

/* Plain tables: triggers of partitions are not those of what is written to. Defaults and checks
 * count when their own text asks; functions of the owner's in them are not looked into. */
static const char ASK[] =
    "SELECT u.o FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH "
    "ORDINALITY AS u(s, t, o) JOIN pg_catalog.pg_namespace AS n ON n.nspname = u.s "
    "JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = u.t "
    "WHERE c.relkind = 'r' "
    "AND EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid "
    "AND p.polname = 'drover_worker' AND p.polpermissive AND p.polcmd = '*' "
    "AND pg_catalog.strpos(pg_catalog.pg_get_expr(p.polqual, c.oid), "
    "'" SCHEMA_TENANTS_SETTING "') > 0 "
    "AND pg_catalog.strpos(pg_catalog.pg_get_expr(p.polwithcheck, c.oid), "
    "'" SCHEMA_TENANTS_SETTING "') > 0) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_policy AS p WHERE p.polrelid = c.oid "
    "AND p.polname NOT IN ('drover_tenant', 'drover_worker', 'drover_verifier')) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid "
    "AND NOT g.tgisinternal) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_attrdef AS d WHERE d.adrelid = c.oid "
    "AND pg_catalog.strpos(pg_catalog.pg_get_expr(d.adbin, c.oid), 'current_setting') > 0) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = c.oid "
    "AND k.contype = 'c' AND pg_catalog.strpos(pg_catalog.pg_get_constraintdef(k.oid), "
    "'current_setting') > 0)";

void pg_tenants_queue_ask(struct pg_tenants *tenants, struct pg_connection *connection)
{
    struct pg_wire wire;
    tenants->asked_ms = clock_monotonic_ms();
    pg_wire_init(&wire);
    pg_wire_text(&wire, buf_view(&tenants->schemas));
    pg_wire_text(&wire, buf_view(&tenants->tables));
    pg_connection_query(connection, "drover_tables", ASK, wire.params, wire.count);
}

void pg_tenants_take_answer(struct pg_tenants *tenants, const PGresult *result)
{
    for (size_t i = 0; i < tenants->mappings->count; i++)
        tenants->has[i] = false;
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal >= 1 && (uint64_t)ordinal <= tenants->mappings->count)
            tenants->has[ordinal - 1] = true;
    }
    tenants->known = true;
}

bool pg_tenants_has(const struct pg_tenants *tenants, const struct mapping *mapping)
{
    for (size_t i = 0; i < tenants->mappings->count; i++)
        if (tenants->mappings->items[i] == mapping)
            return tenants->has[i];
    return false;
}
