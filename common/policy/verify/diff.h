#ifndef DROVER_POLICY_DIFF_H
#define DROVER_POLICY_DIFF_H

/*
 * The comparison of what a source says with what a store holds, in memory that is known before it
 * starts: 64 bytes a key, nothing else. Keys that do not fit are compared in further passes, each
 * over its own range of the key's hash.
 *
 *   diff_expect   for each source record, in the order of its partition: keeps a key's last version
 *   diff_actual   for each row: its verdict
 *   diff_next     then for each key no row was found for: missing
 *
 * A source record may have been sent several times: a source that is read again sends all of it
 * again. So of a key's messages only those of the latest reading are records, each with exactly one
 * verdict, and the others, its history, only take part in who leads the key:
 *
 *   diff_expect counts the records that do not lead; one of them stands for a leader that is
 *   history, and the caller counts the leaders' verdicts when they are known
 *   (diff_counts_leader): so a key has as many verdicts as records, and one when it has none.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/bytes.h"
#include "common/base/hash.h"
#include "common/model/mapping/mapping.h"
#include "common/policy/verify/verdict.h"

struct diff_key {
    uint64_t high, low; /* XXH3-128 of isolation_key/entity/id */
};

struct diff_key diff_key_of(struct bytes key);
bool diff_key_equal(const struct diff_key *a, const struct diff_key *b);
/* 32 bits made of all bytes of a digest: enough to see a change of the digest a row carries. */
uint32_t diff_tag_of(const struct digest *digest);

/* One source record. */
struct diff_source {
    struct diff_key key;
    int64_t version;
    struct digest digest; /* of what the row must be and give back; zero for a delete */
    uint32_t source_tag;  /* of the source's own digest, which the worker stores */
    uint32_t reading;     /* diff_reading_of: the reading it came from, when that alone made its
                             version; else 0 */
    bool deleted;
    bool softly; /* a delete that leaves the row with its columns (on_delete: {column, value}) */
    bool may_be_gone; /* a delete whose tombstone's life is over: no row is right too */
    bool broken_box;  /* a sealed value of it is not in the vault as it should be */
    bool history;     /* no record by itself: an earlier reading's, a follower's, sent twice */
    uint32_t group;   /* whose counters it belongs to */
    int32_t partition;
    int64_t offset;
};

/* For which record of its key, if any, the leader's verdict counts. */
enum diff_stands {
    STANDS_FOR_NONE,  /* yet: all were history */
    STANDS_FOR_OLDER, /* one of a lower version */
    STANDS_FOR_EQUAL, /* itself, or one that says the same */
};

/* What of a key the store has not come to yet. */
enum diff_lags {
    LAGS_NOT,
    LAGS_HISTORY, /* no record by itself: what is not as it will be is one that is there by now */
    LAGS_RECORD,  /* which is counted by itself */
};

struct diff_entry {
    struct diff_key key; /* both 0: free */
    int64_t version;
    struct digest digest;
    uint32_t source_tag;
    uint32_t reading;
    int64_t offset;
    uint32_t partition : 20;
    uint32_t verdict : 5;
    uint32_t deleted : 1;
    uint32_t seen : 1; /* the caller's: a later record took the key over (recheck), files have it */
    uint32_t marked : 1; /* the caller's: to be rechecked */
    uint32_t may_be_gone : 1;
    uint32_t broken_box : 1;
    uint32_t ambiguous : 1;  /* `conflicts` are ambiguous records */
    uint32_t stands_low : 1; /* enum diff_stands: diff_stands_of */
    uint32_t group : 18;
    uint32_t stands_high : 1;
    uint32_t lags : 2;       /* enum diff_lags */
    uint32_t conflicts : 11; /* records in conflict with the winner */
};

static inline enum diff_stands diff_stands_of(const struct diff_entry *entry)
{
    return (enum diff_stands)(entry->stands_high << 1 | entry->stands_low);
}

#define DIFF_GROUPS_MAX (1u << 18)
#define DIFF_PARTITIONS_MAX (1u << 20)

struct diff_table {
    struct diff_entry *entries;
    size_t capacity;
    size_t used;
    size_t max; /* of `used` */
};

/* Entries that `bytes` of memory hold, and passes needed for that many records (>= 1). */
size_t diff_capacity(size_t bytes);
uint32_t diff_passes(uint64_t records, size_t bytes);
uint32_t diff_pass_of(const struct diff_key *key, uint32_t passes);
bool diff_in_pass(const struct diff_key *key, uint32_t pass, uint32_t passes);

/* Room for up to `records` of one pass, never more than `bytes`. False when the system refuses. */
MUST_USE bool diff_table_init(struct diff_table *table, uint64_t records, size_t bytes);
/* For a number of records that is not known: twice the room, both there for a moment. False when
 * the system refuses. */
MUST_USE bool diff_table_grow(struct diff_table *table);
void diff_table_clear(struct diff_table *table);
void diff_table_free(struct diff_table *table);
/* Brings the key's place near while something else is done: far memory is what a look-up costs. */
void diff_prefetch(const struct diff_table *table, const struct diff_key *key);
struct diff_entry *diff_find(const struct diff_table *table, const struct diff_key *key);

/* The reading a record came from: 32 bits made of its run and its source, never 0, when its version
 * is nothing but its place in that reading; 0 when the source gave the version, when nobody said
 * where the record is from, and for a follower's, which reads a source many times. */
uint32_t diff_reading_of(const struct mapping *mapping, const struct record *record);
/* True when `source` and the leader of its key are two records of one reading with other content:
 * which of them counts is an accident of their order. */
bool diff_is_ambiguous(const struct diff_entry *leader, const struct diff_source *source);

/* Adds to `counts` (of the record's group) what is decided by now: superseded, unchanged, conflict
 * and ambiguous, of this record or of the one it replaces. *verdict is this record's own, or
 * VERDICT_UNDECIDED when it leads its key. False when the table is full. */
MUST_USE bool diff_expect(struct diff_table *table, const struct diff_source *source,
                          uint64_t counts[VERDICT_COUNT], enum verdict *verdict);
/* A record of the key that is in no row (a dead letter which a later message made good) stands for
 * a leader that stands for none. False: another one does, so the record counts by itself. */
bool diff_stand_in(struct diff_entry *entry);
/* A message of the key that the store has not come to yet: a key that has nothing else takes an
 * entry of the verdict VERDICT_LAGGING. False when the table is full. */
MUST_USE bool diff_lag(struct diff_table *table, const struct diff_key *key, enum diff_lags lags,
                       uint32_t group);
/* Whether the leader's verdict counts, once it is known; *more: as a record of its own, which none
 * of the key's messages is. `has_other`: the key has a verdict besides, that of a dead letter or of
 * what lags: then history that is as it should be says nothing. */
bool diff_counts_leader(const struct diff_entry *entry, bool has_other, bool *more);

/* A line and column (from 1) as an offset, for tables whose records are known by their place in a
 * source. */
int64_t diff_pack_place(uint64_t line, uint64_t column);
void diff_unpack_place(int64_t packed, uint64_t *line, uint64_t *column);

/* What a delete leaves of what was expected before it: the columns of a softly deleted row, which
 * are those of the version it deletes. */
void diff_keep_columns(struct digest *digest, const struct digest *before,
                       const struct diff_source *source);

/* One row. */
struct diff_row {
    struct diff_key key;
    int64_t version;
    struct digest digest; /* of the row and of the record it gives back; of a softly deleted one the
                             half that diff_content_kept makes */
    bool unreadable;      /* it gives none back: always different */
    bool has_claim;       /* the store keeps the source's digest beside it */
    uint32_t claimed_tag; /* diff_tag_of that */
    bool older_mapping;   /* it was written under an older one than is given now */
    bool deleted;
    bool softly; /* deleted, and the row is there with its columns */
};

/* What the row is, seen from what was expected of its key. */
enum verdict diff_judge(const struct diff_entry *entry, const struct diff_row *row);
/* The row's verdict, kept in *entry too; NULL when no source record explains the row. */
enum verdict diff_actual(struct diff_table *table, const struct diff_row *row,
                         struct diff_entry **entry);

/* The next used entry from *at on, which then stands behind it; NULL at the end. */
struct diff_entry *diff_next(const struct diff_table *table, size_t *at);

#endif
