#ifndef DROVER_POLICY_DIFF_UNTAKEN_H
#define DROVER_POLICY_DIFF_UNTAKEN_H

/*
 * Records that got into no row, by key: dead letters, what should be one, what an earlier reading
 * left waiting for its parents. Of each key only the last one counts, that of the greatest version,
 * and it is open until a later message of its key is taken:
 *
 *   resolved   a message of greater version was taken; or behind it in the partition one of the
 *              same version: but when one of that version had been taken before it, only an attempt
 *              at it, or any when its source was read again (history): else the two are of one
 *              version with other content, and that the one is there says nothing of the other
 *   discarded  a person decided that it is not migrated
 *   open       else
 *
 * 40 bytes a key. Those that name no record stand under a key made of their place.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/policy/verify/diff.h"

struct untaken {
    struct diff_key key; /* both 0: free */
    int64_t version;
    int64_t offset; /* in the topic */
    uint64_t partition : 20;
    uint64_t group : 18;
    uint64_t code : 12;       /* enum error_code; ERR_NONE: not known */
    uint64_t verdict : 5;     /* DEAD, UNUSABLE or WAITING */
    uint64_t has_version : 1; /* else any later message of the key is newer */
    uint64_t history : 1;     /* no record by itself (struct diff_source) */
    uint64_t contested : 1;   /* a message of its version had been taken before it */
    uint64_t resolved : 1;
    uint64_t discarded : 1;
    uint64_t sampled : 1; /* the caller's: it is among the report's examples */
    uint64_t lags : 2;    /* the caller's: enum diff_lags */
};

struct diff_untaken {
    struct untaken *items; /* open addressing */
    size_t capacity;
    size_t count;
    size_t bytes_max;
};

void diff_untaken_init(struct diff_untaken *table, size_t bytes_max);
/* Empty, as after init. */
void diff_untaken_clear(struct diff_untaken *table);
/* The key of a message that names no record. */
struct diff_key diff_untaken_place_key(int32_t partition, int64_t offset);

/* What became of the two of one key. */
struct untaken_change {
    struct untaken *kept;
    bool is_new;      /* `kept` is the one that was added */
    bool superseded;  /* the other one was a record, and is superseded now */
    bool was_sampled; /* the one that it took the place of: */
    enum verdict verdict;
    int32_t partition;
    int64_t offset;
};

/* Messages are added in the order of their partition; `leader` is what leads the key by now, or
 * NULL. False when it would need more than `bytes_max`. */
MUST_USE bool diff_untaken_add(struct diff_untaken *table, const struct untaken *item,
                               const struct diff_entry *leader, struct untaken_change *change);
/* A message of the key was taken: what that resolves just now; else NULL. `is_attempt`: it was sent
 * again from a dead letter of the record. */
struct untaken *diff_untaken_resolve(struct diff_untaken *table, const struct diff_key *key,
                                     int64_t version, int32_t partition, int64_t offset,
                                     bool is_attempt);
/* NULL: none. */
struct untaken *diff_untaken_find(const struct diff_untaken *table, const struct diff_key *key);
/* The next one from *at on, which then stands behind it; NULL at the end. */
struct untaken *diff_untaken_next(const struct diff_untaken *table, size_t *at);

#endif
