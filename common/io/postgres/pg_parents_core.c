/* What the parts of a sweep share. */

#include "common/io/postgres/pg_parents_core.h"
#include "common/io/postgres/pg_parents_park.h"
#include "common/io/postgres/pg_session.h"
#include "common/io/postgres/pg_wire.h"

bool parents_is_stopped(const struct sweep *sweep)
{
    return sweep->config->stop && atomic_load(sweep->config->stop);
}

struct bytes parents_bytes(const PGresult *result, int row, int column)
{
    return bytes_of(PQgetvalue(result, row, column), (size_t)PQgetlength(result, row, column));
}

bool parents_take_message(const PGresult *result, int row, struct envelope *message)
{
    bool has_key = pg_wire_get_int8(result, row, 9) == 0;
    message->key = has_key ? parents_bytes(result, row, 5) : (struct bytes){0};
    message->null_value = PQgetisnull(result, row, 6);
    message->value = message->null_value ? (struct bytes){0} : parents_bytes(result, row, 6);
    return pg_parents_unpack_headers(parents_bytes(result, row, 7), message);
}

enum outcome parents_set_tenant(struct sweep *sweep, struct bytes tenant, struct error *err)
{
    PGresult *result = NULL;
    enum outcome outcome = pg_session_query(
        sweep->connection, "SELECT pg_catalog.set_config('app.current_tenant_key', $1::text, true)",
        &tenant, 1, true, &result, err);
    PQclear(result);
    return outcome;
}
