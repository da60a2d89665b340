/* The new store: a row of PostgreSQL by its primary key. */
#include "verifier/reads/reader.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_lookup.h"

struct read_rows {
    struct reader reader;
    struct pg_lookup *lookup;
};

static enum outcome prepare(struct reader *reader, const struct reads_key *key, struct error *err)
{
    struct read_rows *read = (struct read_rows *)reader;
    return pg_lookup_prepare(read->lookup, key->mapping, key->tenant, key->id, err);
}

static enum outcome read_it(struct reader *reader, enum read_answer *answer, struct error *err)
{
    struct read_rows *read = (struct read_rows *)reader;
    bool found;
    enum outcome outcome = pg_lookup_find(read->lookup, &found, err);
    *answer = found ? READ_FOUND : READ_NOT_FOUND;
    return outcome;
}

static void close_it(struct reader *reader)
{
    struct read_rows *read = (struct read_rows *)reader;
    pg_lookup_close(read->lookup);
    free(read);
}

struct reader *read_rows_new(const struct settings *settings)
{
    static const struct reader_ops OPS = {NULL, prepare, read_it, close_it};
    struct read_rows *read = mem_new(sizeof *read);
    read->reader.ops = &OPS;
    read->lookup = pg_lookup_new(settings, settings->compare_timeout_ms);
    return &read->reader;
}
