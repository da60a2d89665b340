#ifndef DROVER_VERIFIER_FOLLOW_LOOK_H
#define DROVER_VERIFIER_FOLLOW_LOOK_H

/*
 * A look at the store: messages of the source against the rows of one snapshot, found by their
 * keys. What each row must be is made as the verification of everything makes it (expected.h), and
 * judged as there (judge.h). Blocking.
 *
 *   look_begin    a new snapshot, and the checkpoints in it
 *   look_add…     messages: what of them leads its key is looked up
 *   look_judge    the verdict of each
 *   look_end      the snapshot goes; the items stay until the next look_begin
 */

#include "verifier/follow/kept_message.h"
#include "verifier/verify_run.h"

#define LOOK_MESSAGES_MAX 5000 /* new ones of one look */
#define LOOK_ITEMS_MAX (2 * LOOK_MESSAGES_MAX)
#define LOOK_BYTES_MAX ((size_t)8 << 20)

struct look_item {
    struct kept_message *kept; /* the look's, unless is_suspect */
    bool is_suspect;
    size_t suspect; /* the caller's, of a suspect */
    const struct mapping *mapping;
    struct record record; /* of one that is unusable as far as it is known */
    struct diff_key key;
    struct diff_source source;
    struct diff_entry entry; /* what must be there */
    struct row row;          /* its key cells find the stored row */
    enum verdict verdict;    /* UNDECIDED: is_suspect, or leads its key; until look_judge */
    enum error_code code;    /* why it is unusable; or ERR_NONE */
    bool found;
    bool is_sure; /* the caller's */
    bool is_gap;  /* the caller's */
    bool has_actual;
    int64_t actual_version;
    struct judged judged; /* of one that is not right; in the look's memory */
};

struct look {
    const struct settings *settings;
    struct verify_run run; /* what the parts of the verifier need of it */
    struct pg_snapshot *snapshot;
    struct store_reader *store;
    struct look_item *items;
    size_t count, new_count;
    size_t bytes; /* of the messages kept */
    struct arena arena;
    struct diff_table table;       /* of new ones: who leads each key */
    const struct mapping *mapping; /* whose rows are fetched now */
    size_t chunk_from, chunk_to;   /* items whose rows are fetched now */
};

/* Loads the mappings; `partitions` of the source. OUT_FATAL: settings, mappings. */
MUST_USE enum outcome look_open(const struct settings *settings, size_t partitions,
                                struct look **look, struct error *err);
/* NULL is allowed. */
void look_close(struct look *look);

/* Forgets the items. OUT_RETRY, or another code of a server's: it is away, or being loaded. */
MUST_USE enum outcome look_begin(struct look *look, struct error *err);
void look_end(struct look *look);
/* In the snapshot: offsets below are committed. 0: nothing is known of the partition. */
int64_t look_checkpoint(const struct look *look, int32_t partition);

/* Whether another message may be added. */
bool look_is_full(const struct look *look);
/* A new message of the source, after those before it in its partition; NULL: the scope has it not.
 * The item is unusable when it can become no row. */
struct look_item *look_add(struct look *look, const struct bus_message *message);
/* One that is looked at again; `kept` stays the caller's. NULL: it can become no row any more. */
struct look_item *look_add_suspect(struct look *look, struct kept_message *kept, size_t suspect);
/* The message that leads a key among the new ones; NULL: there is none. */
const struct diff_entry *look_leader(const struct look *look, const struct diff_key *key);
/* How many of the new items of [first, next) of a partition were superseded by another one of
 * them. */
uint64_t look_superseded_within(const struct look *look, int32_t partition, int64_t first,
                                int64_t next);

/* Looks up what is undecided. Failures as look_begin's. */
MUST_USE enum outcome look_judge(struct look *look, struct error *err);

#endif
