#include "verifier/fetch.h"

#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_stored.h"
#include "common/io/postgres/pg_wire.h"
#include "common/model/schema/schema_sql.h"

#define KEYS_MOST 33            /* isolation_key and PostgreSQL's 32 columns of an index */
#define MEMORY_MOST (64u << 20) /* 500 keys of 512 bytes are far below */

static void append_query(struct buf *out, const struct mapping *mapping)
{
    pg_stored_append_select(out, mapping, true);
    buf_append_text(out, " WHERE (t.isolation_key");
    for (size_t i = 0; i < mapping->key_count; i++) {
        buf_append_text(out, ", t.");
        schema_sql_identifier(out, mapping->columns[mapping->key[i]].name);
    }
    buf_append_text(out, ") IN (SELECT * FROM unnest($1::text[]");
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        buf_append_format(out, ", $%zu::%s", i + 2, value_type_param_array(&column->type));
    }
    buf_append_text(out, "))");
}

/* Appends one parameter's array and notes where it begins. */
static void append_param(struct buf *out, const struct mapping *mapping, size_t param,
                         const struct fetch_key *keys, size_t count)
{
    if (param == 0) {
        pg_wire_append_array(out, OID_TEXT, count, false);
        for (size_t i = 0; i < count; i++)
            pg_wire_append_element(out, keys[i].tenant.data, (int32_t)keys[i].tenant.size);
        return;
    }
    size_t at = mapping->key[param - 1];
    pg_wire_append_array(out, value_type_param_oid(&mapping->columns[at].type), count, false);
    for (size_t i = 0; i < count; i++)
        pg_wire_append_element(out, keys[i].cells[at].data, keys[i].cells[at].size);
}

enum outcome fetch_rows(PGconn *session, const struct mapping *mapping,
                        const struct fetch_key *keys, size_t count, PGresult **result,
                        struct error *err)
{
    size_t starts[KEYS_MOST + 1];
    const char *values[KEYS_MOST];
    int lengths[KEYS_MOST], formats[KEYS_MOST];
    size_t params = mapping->key_count + 1;
    struct buf sql, memory;
    if (params > KEYS_MOST)
        return error_set(err, OUT_FATAL, ERR_MAPPING_KEY, "a key of %zu columns",
                         mapping->key_count);
    buf_init(&sql, MEMORY_MOST);
    buf_init(&memory, MEMORY_MOST);
    append_query(&sql, mapping);
    for (size_t p = 0; p < params; p++) {
        starts[p] = memory.size;
        append_param(&memory, mapping, p, keys, count);
    }
    starts[params] = memory.size;
    for (size_t p = 0; p < params; p++) {
        values[p] = memory.data + starts[p];
        lengths[p] = (int)(starts[p + 1] - starts[p]);
        formats[p] = 1;
    }
    enum outcome outcome = OUT_OK;
    *result = PQexecParams(session, buf_text(&sql), (int)params, NULL, values, lengths, formats, 1);
    if (PQresultStatus(*result) != PGRES_TUPLES_OK) {
        pg_error_from_result(*result, err);
        outcome = err->outcome;
        PQclear(*result);
        *result = NULL;
    }
    buf_free(&sql);
    buf_free(&memory);
    return outcome;
}

void fetch_cells(const PGresult *result, int row, struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cells[i] =
            PQgetisnull(result, row, (int)i)
                ? CELL_NULL
                : (struct cell){PQgetvalue(result, row, (int)i), PQgetlength(result, row, (int)i)};
}
