#ifndef DROVER_VERIFIER_FOLLOW_ROW_LOOKUP_H
#define DROVER_VERIFIER_FOLLOW_ROW_LOOKUP_H

/*
 * A look at the store: messages of the source against the rows of one snapshot, found by their
 * keys. What each row must be is made as the verification of everything makes it (expected.h), and
 * judged as there (judge.h). Storage hybrid: what Redis holds of a row that is right is compared
 * with it. A Redis that was emptied is not judged until it is filled again (OUT_RETRY). Blocking.
 *
 *   row_lookup_begin    a new snapshot, and the checkpoints in it
 *   row_lookup_add…     messages: what of them leads its key is looked up
 *   row_lookup_judge    the verdict of each
 *   row_lookup_end      the snapshot goes; the items stay until the next row_lookup_begin
 */

#include "verifier/follow/kept_message.h"
#include "verifier/verify_run.h"

#define LOOKUP_MESSAGES_MAX 5000 /* new ones of one look */
#define LOOKUP_ITEMS_MAX (2 * LOOKUP_MESSAGES_MAX)
#define LOOKUP_BYTES_MAX ((size_t)8 << 20)

struct lookup_item {
    struct kept_message *kept; /* the look's, unless is_suspect */
    bool is_suspect;
    size_t suspect; /* the caller's, of a suspect */
    const struct mapping *mapping;
    struct record record; /* of one that is unusable as far as it is known */
    struct diff_key key;
    struct diff_source source;
    struct diff_entry entry; /* what must be there */
    struct row row;          /* its key cells find the stored row */
    enum verdict verdict;    /* UNDECIDED: is_suspect, or leads its key; until row_lookup_judge */
    enum error_code code;    /* why it is unusable; or ERR_NONE */
    bool found;
    bool is_sure;  /* the caller's */
    bool is_gap;   /* the caller's */
    bool in_redis; /* the row is right, and the verdict is of what Redis holds of it */
    bool has_actual;
    int64_t actual_version;
    struct judged judged; /* of one that is not right; in the look's memory */
};

struct row_lookup {
    const struct settings *settings;
    struct verify_run run; /* what the parts of the verifier need of it */
    struct pg_snapshot *snapshot;
    struct store_reader *store;
    struct redis_held *redis; /* storage hybrid; else NULL */
    int64_t *redis_next;      /* by partition: Redis has followed so far */
    struct lookup_item *items;
    size_t count, new_count;
    size_t bytes; /* of the messages kept */
    struct arena arena;
    struct diff_table table;       /* of new ones: who leads each key */
    const struct mapping *mapping; /* whose rows are fetched now */
    size_t chunk_from, chunk_to;   /* items whose rows are fetched now */
};

/* Loads the mappings; `partitions` of the source. OUT_FATAL: settings, mappings. */
MUST_USE enum outcome row_lookup_open(const struct settings *settings, size_t partitions,
                                      struct row_lookup **lookup, struct error *err);
/* NULL is allowed. */
void row_lookup_close(struct row_lookup *lookup);

/* Forgets the items. OUT_RETRY, or another code of a server's: it is away, or being loaded. */
MUST_USE enum outcome row_lookup_begin(struct row_lookup *lookup, struct error *err);
void row_lookup_end(struct row_lookup *lookup);
/* In the snapshot: offsets below are committed. 0: nothing is known of the partition. */
int64_t row_lookup_committed(const struct row_lookup *lookup, int32_t partition);
/* The same, and in Redis, where it follows: offsets below can be looked up. */
int64_t row_lookup_checkpoint(const struct row_lookup *lookup, int32_t partition);

/* Whether another message may be added. */
bool row_lookup_is_full(const struct row_lookup *lookup);
/* A new message of the source, after those before it in its partition; NULL: the scope has it not.
 * The item is unusable when it can become no row. */
struct lookup_item *row_lookup_add(struct row_lookup *lookup, const struct bus_message *message);
/* One that is looked at again; `kept` stays the caller's. NULL: it can become no row any more. */
struct lookup_item *row_lookup_add_suspect(struct row_lookup *lookup, struct kept_message *kept,
                                           size_t suspect);
/* The message that leads a key among the new ones; NULL: there is none. */
const struct diff_entry *row_lookup_leader(const struct row_lookup *lookup,
                                           const struct diff_key *key);
/* How many of the new items of [first, next) of a partition were superseded by another one of
 * them. */
uint64_t row_lookup_superseded_within(const struct row_lookup *lookup, int32_t partition,
                                      int64_t first, int64_t next);

/* Looks up what is undecided. Failures as row_lookup_begin's. */
MUST_USE enum outcome row_lookup_judge(struct row_lookup *lookup, struct error *err);

#endif
