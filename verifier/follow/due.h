#ifndef DROVER_VERIFIER_FOLLOW_DUE_H
#define DROVER_VERIFIER_FOLLOW_DUE_H

/*
 * What receipts have told of one partition of the source, and what of it is to be looked at now.
 * Receipts are hints: which offsets are worth a lookup, and which of them are dead letters, are in
 * conflict, or wait. Offsets that no receipt tells of although a later one is there are a gap: they
 * are looked at too, but what is not right there was never explained, so nobody judges it. Pure.
 *
 *   due_take     a receipt: the range behind those told of before
 *   due_hint     the class of one of its records
 *   due_end      how far one may look: all hints are there
 *   due_followed Redis has followed so far
 *   due_done     it was looked at
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/message/receipt.h"

#define DUE_RANGES_MAX 4096
#define DUE_HINTS_MAX 100000

struct due_range {
    int64_t first, next; /* offsets of the source */
    int64_t results;     /* the offset behind its receipt, in the results topic */
    bool is_gap;         /* nobody told what became of it, or not all */
    uint64_t unheard;    /* hints that are still to come */
    int64_t superseded;  /* records of it that were superseded; -1: not known */
    int64_t committed_ms;
    bool is_dated;       /* that is when it was committed; else when it was told of at the latest */
    int64_t in_redis_ms; /* it was there by then; -1: not yet, as far as is known */
};

struct due_hint {
    int64_t offset;
    enum record_class the_class;
};

struct due {
    int64_t position; /* offsets below it were looked at; -1: what the first receipt tells of is
                         the first */
    int64_t told;     /* behind the last range */
    int64_t results;  /* behind the last receipt looked at, in the results topic */
    int64_t heard;    /* behind the last message taken, there */
    struct due_range *ranges;
    size_t first, count, room; /* ranges[first] is the oldest */
    struct due_hint *hints;    /* by offset */
    size_t hint_count, hint_room;
    uint64_t lost_hints; /* more than there is room for */
    bool is_repeat;      /* the last receipt told nothing new */
};

/* Nothing is told yet; `position` as above, `results` the first offset read of the results topic.
 */
void due_init(struct due *due, int64_t position, int64_t results);
void due_free(struct due *due);

/* Whether there is room for another receipt; false: read no more until due_done. */
bool due_has_room(const struct due *due);
/* A receipt whose message ends at `results`. `hints`: how many of its records are told of one by
 * one, with due_hint. A repeat changes nothing. */
void due_take(struct due *due, const struct receipt_summary *receipt, uint64_t hints,
              int64_t results);
/* The last receipt does not say of all its records what it should: its range is a gap. */
void due_doubt(struct due *due);
/* One of those that the last receipt tells of. What is told twice counts once. */
void due_hint(struct due *due, int64_t offset, enum record_class the_class);
/* Another message of the results topic: what the position there is when all before it is done. */
void due_pass(struct due *due, int64_t results);

/* At a time (Unix) Redis had what lies below an offset. */
void due_followed(struct due *due, int64_t next, int64_t unix_ms);

/* How far one may look from `from` on: the end of the ranges that lie below `checkpoint` as a
 * whole, up to one that lacks hints, but at most `max` offsets; `from` when there is nothing. */
int64_t due_end(const struct due *due, int64_t from, int64_t checkpoint, uint64_t max);
/* The range an offset is in; NULL: none is told of. */
const struct due_range *due_find(const struct due *due, int64_t offset);
/* The class that is told of an offset; CLASS_APPLIED: none is. */
enum record_class due_class(const struct due *due, int64_t offset);
/* Everything below `next` was looked at. */
void due_done(struct due *due, int64_t next);
/* Offsets that wait for a look. */
uint64_t due_backlog(const struct due *due);

#endif
