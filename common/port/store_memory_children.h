#ifndef DROVER_PORT_STORE_MEMORY_CHILDREN_H
#define DROVER_PORT_STORE_MEMORY_CHILDREN_H

/*
 * The pending children of a store in memory: records whose parents are not there yet, with their
 * messages. What PostgreSQL has in drover.waiting and drover.sweep.
 */

#include "common/model/message/envelope.h"
#include "common/policy/apply/batch.h"
#include "common/policy/verify/diff.h"

struct memory_child {
    int32_t partition;
    int64_t offset, version;
    int32_t generation;
    struct digest digest;
    struct bytes tenant, entity;
    struct diff_key own;            /* the place of its row */
    struct diff_key missing_parent; /* a parent that was not there when it was tried last */
    bool has_due, decided;
    int64_t due_ms;              /* of the sweeps' clock: when its wait is over */
    enum record_class the_class; /* decided; CLASS_DEAD: an orphan, for `code` */
    enum error_code code;
    int64_t round;             /* it is told in; 0: not yet */
    struct memory_child *next; /* of those decided */
    size_t size;               /* of this block, which all views lie in */
    struct bytes key, value;
    bool null_value;
    size_t header_count;
    struct header headers[];
};

struct memory_children {
    struct memory_child **items; /* undecided; by partition and offset, once sorted */
    size_t count, room;
    bool unsorted;
    struct memory_child *decided,
        *last_decided; /* to be told in this order; the open round first */
    size_t bytes;      /* of all */
    uint64_t visits;   /* of a sweep to a child: what sweeps cost */
    /* the sweeps' clock, which runs only while there are sweeps, and the mark (pg_sweep.c)
     */
    int64_t ran_ms, mark_ms;
    uint64_t swept_at_ms;
    bool has_swept;
    int64_t *mark_ends; /* NULL: there is no mark */
    int64_t round;
    const void *sweeper; /* the port whose round is open */
};

/* Bytes that an item will take. */
size_t memory_child_size(const struct batch_item *item, const struct envelope *message);
void memory_children_add(struct memory_children *children, int32_t partition,
                         const struct batch_item *item, const struct envelope *message,
                         const struct diff_key *own, const struct diff_key *missing_parent);
/* Removes what was added since there were `count`. */
void memory_children_cut(struct memory_children *children, size_t count);
void memory_children_sort(struct memory_children *children);
/* Moves those that were marked as decided behind the others that are to be told. */
void memory_children_decide(struct memory_children *children);
/* NULL when it is not among the undecided. */
struct memory_child *memory_children_find(struct memory_children *children, int32_t partition,
                                          int64_t offset);
/* Takes those of the open round out; they are the caller's, who has room for all. Returns how many;
 * 0 when another one is open. */
size_t memory_children_take(struct memory_children *children, int64_t round,
                            struct memory_child **taken);
/* The message as it became pending: views into it. */
void memory_child_view(const struct memory_child *child, struct envelope *message);
void memory_children_free(struct memory_children *children);

#endif
