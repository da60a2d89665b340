#ifndef DROVER_POLICY_DEAD_LETTER_INDEX_H
#define DROVER_POLICY_DEAD_LETTER_INDEX_H

/*
 * Which dead letters are still to be worked with: what each of them has come to, from what the
 * topics say. Pure; about 150 bytes a dead letter, of which no text is kept.
 *
 *   dlq topic      ─► add       each dead letter, in any order, as often as it comes
 *   control topic  ─► decide    each decision about a dead letter, in their order
 *   source topic   ─► see       each message behind `wanted`, up to the checkpoint, then `seen`
 *
 * Of a record one dead letter counts: of those that say the same record, or that are attempts of
 * one (a chain), the one of the greatest version, at equal versions the last one. The others are
 * superseded by it. It is resolved when a message behind it in its partition, of the same record
 * and no smaller version, or an attempt at the same chain, was taken and is no dead letter itself,
 * or when its own message landed after all; discarded when somebody decided so; else open. All dead
 * letters below a checkpoint must be added before a message below it is seen: the worker has them
 * acknowledged before it commits.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/hash.h"
#include "common/model/message/decision.h"

#define DEAD_LETTER_NOWHERE (-1)             /* a partition: its record is of another topic */
#define DEAD_LETTER_INDEX_BYTES (256u << 20) /* about a million and a half of them */

#define DEAD_LETTER_STATES(X)                                                                      \
    X(OPEN, "open")                                                                                \
    X(RESOLVED, "resolved")                                                                        \
    X(DISCARDED, "discarded")                                                                      \
    X(SUPERSEDED, "superseded")

enum dead_letter_state {
#define X(state, word) DEAD_LETTER_##state,
    DEAD_LETTER_STATES(X)
#undef X
        DEAD_LETTER_STATE_COUNT
};

/* What is said of a dead letter. */
struct dead_letter_fact {
    struct digest id;
    struct digest chain;    /* the first attempt's id: its own when it is the first */
    struct digest identity; /* the record it is; the chain's where it says none */
    int32_t partition;      /* of its record in the source topic, or DEAD_LETTER_NOWHERE */
    int32_t attempts;
    int64_t offset;
    int64_t version;
    bool has_version;
    int64_t taken; /* offset of the source message that resolved it; -1: none so far */
    int64_t seen;  /* messages of its partition below are known; 0 at first */
};

struct dead_letter_item {
    struct dead_letter_fact fact;
    bool discarded;
    bool landed;   /* its own message, when it was read again */
    bool was_sent; /* somebody decided to send it again */
    int64_t sent;  /* offset of a message that would resolve it and is not taken yet; or -1 */
    int32_t sent_partition; /* of that message: of those of other topics it is known by it alone */
    uint32_t next;          /* the one it is superseded by; DEAD_LETTER_NONE */
    bool changed;           /* by what was fed since somebody set it to false */
};
#define DEAD_LETTER_NONE UINT32_MAX

/* A message of the source topic. */
struct dead_letter_message_seen {
    struct digest place;    /* as a dead letter's id would be */
    struct digest identity; /* of its record */
    struct digest chain;    /* has_chain: whose attempt it says it is */
    bool has_identity, has_chain;
    int32_t partition;
    int64_t offset;
    int64_t version;
    bool has_version;
};

struct dead_letter_index {
    struct dead_letter_item *items; /* by number, in the order they were added */
    size_t count, room;
    uint32_t *slots; /* of all three names; open addressing, 2^n */
    size_t slot_count, used;
    size_t bytes_max;
};

void dead_letter_index_init(struct dead_letter_index *index, size_t bytes_max);
void dead_letter_index_free(struct dead_letter_index *index);
/* *number is its place in items; *known: it was there (its id), and stays as it is. False when it
 * would need more than bytes_max. */
MUST_USE bool dead_letter_index_add(struct dead_letter_index *index,
                                    const struct dead_letter_fact *fact, uint32_t *number,
                                    bool *known);
/* DEAD_LETTER_NONE: there is none of this id. */
uint32_t dead_letter_index_find(const struct dead_letter_index *index, const struct digest *id);
/* The one that counts in the end of it: itself, or the last of those that took its place. */
uint32_t dead_letter_index_last(const struct dead_letter_index *index, uint32_t number);
/* The last decision about a dead letter holds: one that was sent again is discarded no longer, and
 * one that is read again has landed no longer, until it does again. Of an id that no dead letter
 * has, and of other kinds, nothing happens. */
void dead_letter_index_decide(struct dead_letter_index *index, const struct digest *id,
                              enum decision_kind kind);

/* The first offset of the partition whose messages are needed; INT64_MAX: none is. 0 for open dead
 * letters of other topics that were sent, which may be anywhere. */
int64_t dead_letter_index_wanted(const struct dead_letter_index *index, int32_t partition);
/* Before a reading: what was on its way is told anew. */
void dead_letter_index_begin(struct dead_letter_index *index);
/* A message at or behind `wanted`; those at or behind `checkpoint` are on their way. */
void dead_letter_index_see(struct dead_letter_index *index,
                           const struct dead_letter_message_seen *message, int64_t checkpoint);
/* All messages of the partition below `offset` were seen. */
void dead_letter_index_seen(struct dead_letter_index *index, int32_t partition, int64_t offset);

enum dead_letter_state dead_letter_index_state(const struct dead_letter_index *index,
                                               uint32_t number);
/* "open" */
const char *dead_letter_state_word(enum dead_letter_state state);

#endif
