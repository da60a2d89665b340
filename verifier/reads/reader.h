#ifndef DROVER_VERIFIER_READER_H
#define DROVER_VERIFIER_READER_H

/*
 * Reads one record from one store, as an application would: one connection, blocking, one thread's
 * (but for its making). A new kind of old store is a row of COMPARE_OLD (common/io/settings.h), a
 * file read_NAME.c here and a line in reads_open.
 */

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "verifier/reads/reads_pool.h"

enum read_answer {
    READ_FOUND,
    READ_NOT_FOUND,
    READ_REFUSED, /* HTTP: another status than that it is there, or is not */
};

struct reader;

struct reader_ops {
    /* Whether this store has records of the mapping; NULL: of all. */
    bool (*takes)(const struct reader *reader, const struct mapping *mapping);
    /* Before the clock runs: the connection, what is asked. OUT_REJECT: of this key nothing can be
     * asked; OUT_RETRY, OUT_FATAL: the store cannot be. */
    enum outcome (*prepare)(struct reader *reader, const struct reads_key *key, struct error *err);
    /* While it runs. What was lost is made anew by the next prepare. */
    enum outcome (*read)(struct reader *reader, enum read_answer *answer, struct error *err);
    void (*close)(struct reader *reader);
};

struct reader {
    const struct reader_ops *ops;
};

/* Of the old store. None connects. `settings` and what they say outlive it. */
struct reader *read_file_new(const struct settings *settings);
struct reader *read_redis_new(const struct settings *settings);
struct reader *read_http_new(const struct settings *settings);
/* Of the new one: rows of PostgreSQL, keys of Redis. */
struct reader *read_rows_new(const struct settings *settings);
struct reader *read_keys_new(const struct settings *settings);

#endif
