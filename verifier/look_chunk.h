#ifndef DROVER_VERIFIER_LOOK_CHUNK_H
#define DROVER_VERIFIER_LOOK_CHUNK_H

/* Suspects looked at together: their source records, then their rows in one query a mapping, then
 * their verdicts and samples. Internal to look.c. */

#include "verifier/expected.h"
#include "verifier/fetch.h"
#include "verifier/verify_limits.h"

/* One suspect; everything it points at is in the chunk's arena. */
struct look_item {
    struct diff_entry *entry;
    const struct verify_mapping *item;
    struct record record;
    struct row row; /* the source record run forward: its key cells find the stored row */
    bool found;
};

/* What the second look reads: a later snapshot of the tables, or the store once more. */
struct look_stores {
    PGconn *session;             /* NULL with `store` */
    struct stored_reader *store; /* NULL with `session` */
};

struct look_chunk {
    struct verify_run *run;
    const struct look_stores *stores;
    struct arena arena;
    struct look_item items[VERIFY_CHUNK_RECORDS];
    size_t count;
};

void look_chunk_init(struct look_chunk *chunk, struct verify_run *run,
                     const struct look_stores *stores);
void look_chunk_free(struct look_chunk *chunk);
/* Takes a suspect's source record; judges the chunk first when it is full. */
MUST_USE enum outcome look_chunk_add(struct look_chunk *chunk, struct diff_entry *entry,
                                     const struct bus_message *message, struct error *err);
/* Judges what is in the chunk and empties it. */
MUST_USE enum outcome look_chunk_judge(struct look_chunk *chunk, struct error *err);

#endif
